"""PURE. When a growing outbox is worth a line in the log: at each step up once, and once when it is small again."""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum

DEPTH_STEPS = (100, 500, 2500, 10_000)
"""Letters. A hundred calls that all end a turn in one instant reach the first; with Temporal well it is gone in a second."""
AGE_STEPS_S = (60.0, 600.0)
"""Of the oldest letter: no hiccup of Temporal lasts a minute, and no call many times ten."""
BACK_DEPTH, BACK_AGE_S = DEPTH_STEPS[0] // 2, AGE_STEPS_S[0] / 2
"""Well below the first steps, so that an outbox on the brink does not fill the log."""


class Growth(StrEnum):
    """What the log is to say; the values are its event names."""

    GROWS = "outbox_grows"
    BACK = "outbox_back"


class GrowthAlarm:
    """Remembers the highest step that was told."""

    def __init__(self) -> None:
        self._told = 0

    def observe(self, depth: int, oldest_age_s: float) -> Growth | None:
        """Look at the outbox as it stands; None when there is nothing new to say."""
        level = max(bisect_right(DEPTH_STEPS, depth), bisect_right(AGE_STEPS_S, oldest_age_s))
        if level > self._told:
            self._told = level
            return Growth.GROWS
        if self._told and depth < BACK_DEPTH and oldest_age_s < BACK_AGE_S:
            self._told = 0
            return Growth.BACK
        return None
