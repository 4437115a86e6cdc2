"""PURE. How loud this caller is, and how loud his line when he is silent. Levels in dBFS."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

SILENT_DB = -100.0
"""The level of digital silence, and the lowest there is."""
KEPT = 96
"""Steps of speech that count: about 3 s, so that a caller who walks away from his telephone is followed."""
KNOWN_AFTER = 16
"""Half a second of speech."""
LEVEL_SHARE = 0.7
"""Of the kept steps, those below the level: a voice in the background pulls it down less than it would a median."""


class CallerLevel:
    """What a call's speech and its pauses measure."""

    def __init__(self) -> None:
        self.floor_db: float | None = None
        """Of the line without speech; slow average; None at first."""
        self._in_time: deque[float] = deque()
        self._in_order: list[float] = []

    @property
    def speech_db(self) -> float | None:
        """Level of the caller's speech; None as long as too little of it was heard."""
        if len(self._in_order) < KNOWN_AFTER:
            return None
        return self._in_order[int(LEVEL_SHARE * len(self._in_order))]

    def speech(self, level_db: float) -> None:
        """A step of the caller's speech, the agent being silent."""
        if len(self._in_time) == KEPT:
            oldest = self._in_time.popleft()
            del self._in_order[bisect_left(self._in_order, oldest)]
        self._in_time.append(level_db)
        insort(self._in_order, level_db)

    def quiet(self, level_db: float) -> None:
        """A step without speech."""
        if self.floor_db is None:
            self.floor_db = level_db
        else:
            self.floor_db += 0.05 * (level_db - self.floor_db)
