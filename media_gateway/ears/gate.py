"""PURE. Whether a sound is this caller's own voice, or something fainter: a second voice, babble, the agent's echo.

A sound that begins over the agent is judged at once: a mistake costs half a sentence, and the words put it right.
Elsewhere only what goes on far below the caller for a while is in the background: he may end his turn before it.
"""

from __future__ import annotations

from collections import deque
from math import log10

FAINT_BELOW_DB = 10.0
"""Under the caller's own level. Meetings played over the agent, 20 dB below the caller: 2 % of sounds pass at once and 4 %
as they go on (15 dB: 15 and 16 %; 12 dB: 27 and 23 %); of a caller's own sentences, some 6 dB softer, 2 of 64 are faint."""
AT_FIRST = 3
"""Steps whose loudest counts when a sound begins: a word's beginning is soft."""
AS_IT_GOES = 6
"""Steps whose mean power counts later: babble has its peaks, too."""
BACKGROUND_BELOW_DB = 12.0
"""Under the caller's own level, three steps' mean power."""
ECHO_TAIL_MS = 400
"""The agent's voice may come back from the line this long after it ended."""


class LevelGate:
    """One call's gate."""

    def __init__(self) -> None:
        self.is_faint = False
        """The present sound is."""
        self._latest: deque[float] = deque(maxlen=AS_IT_GOES)
        self._agent_speaks = False
        self._agent_ended_ms: int | None = None

    def agent_speaks(self, is_speaking: bool, now_ms: int) -> None:
        """The agent's audio plays, or no longer."""
        if self._agent_speaks and not is_speaking:
            self._agent_ended_ms = now_ms
        self._agent_speaks = is_speaking

    def set_back(self, by_ms: int) -> None:
        """See `Voicing.set_back`."""
        if self._agent_ended_ms is not None:
            self._agent_ended_ms -= by_ms

    def is_over_agent(self, now_ms: int) -> bool:
        """The agent is heard on this line, or its echo may be."""
        if self._agent_speaks:
            return True
        return self._agent_ended_ms is not None and now_ms < self._agent_ended_ms + ECHO_TAIL_MS

    def hear(self, level_db: float) -> None:
        """Take every step's level, speech or not."""
        self._latest.append(level_db)

    def begins(self, caller_db: float | None, now_ms: int) -> bool:
        """A sound begins: is it faint? Never, as long as the caller's own level is not known."""
        loudest_db = max(list(self._latest)[-AT_FIRST:])
        self.is_faint = self.is_over_agent(now_ms) and _is_below(loudest_db, caller_db)
        return self.is_faint

    def grew(self, caller_db: float | None, now_ms: int) -> bool:
        """A faint sound goes on: is it one no longer? True once, when it grew loud or the agent has gone."""
        if not self.is_faint:
            return False
        mean_db = _mean_db(list(self._latest))
        if self.is_over_agent(now_ms) and _is_below(mean_db, caller_db):
            return False
        self.is_faint = False
        return True

    def is_background(self, caller_db: float | None) -> bool:
        """The last steps are far below the caller."""
        if caller_db is None:
            return False
        return _mean_db(list(self._latest)[-AT_FIRST:]) < caller_db - BACKGROUND_BELOW_DB


def _is_below(level_db: float, caller_db: float | None) -> bool:
    return caller_db is not None and level_db < caller_db - FAINT_BELOW_DB


def _mean_db(levels_db: list[float]) -> float:
    """Of their powers."""
    return 10 * log10(sum(10 ** (level_db / 10) for level_db in levels_db) / len(levels_db))
