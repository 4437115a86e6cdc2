"""PURE. Whether a sound over the agent is this caller's own voice, or something fainter: a second voice, babble, echo.

Only sounds over the agent are judged: a mistake there costs the agent's sentence, and elsewhere the caller's turn.
"""

from __future__ import annotations

FAINT_BELOW_DB = 12.0
"""Under the caller's own level."""
SMOOTHED = 3
"""Steps whose loudest counts at the start of a sound, and whose mean power as it goes on."""
ECHO_TAIL_MS = 400
"""The agent's voice may come back from the line this long after it ended."""


class LevelGate:
    """One call's gate."""

    def __init__(self) -> None:
        self.is_faint = False
        """The present sound is."""
        self._latest: list[float] = []
        self._agent_speaks = False
        self._agent_ended_ms: int | None = None

    def agent_speaks(self, is_speaking: bool, now_ms: int) -> None:
        """The agent's audio plays, or no longer."""
        if self._agent_speaks and not is_speaking:
            self._agent_ended_ms = now_ms
        self._agent_speaks = is_speaking

    def is_over_agent(self, now_ms: int) -> bool:
        """The agent is heard on this line, or its echo may be."""
        if self._agent_speaks:
            return True
        return self._agent_ended_ms is not None and now_ms < self._agent_ended_ms + ECHO_TAIL_MS

    def hear(self, level_db: float) -> None:
        """Take every step's level, speech or not."""
        self._latest.append(level_db)
        if len(self._latest) > SMOOTHED:
            del self._latest[0]

    def begins(self, caller_db: float | None, now_ms: int) -> bool:
        """A sound begins: is it faint? Never, as long as the caller's own level is not known."""
        self.is_faint = self.is_over_agent(now_ms) and self._is_below(caller_db)
        return self.is_faint

    def grew(self, caller_db: float | None, now_ms: int) -> bool:
        """A faint sound goes on: is it one no longer? True once, when it grew loud or the agent has gone."""
        if not self.is_faint or (self.is_over_agent(now_ms) and self._is_below(caller_db)):
            return False
        self.is_faint = False
        return True

    def _is_below(self, caller_db: float | None) -> bool:
        return caller_db is not None and max(self._latest) < caller_db - FAINT_BELOW_DB
