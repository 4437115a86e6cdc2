"""A media stream's time: whole milliseconds since its `start`, which never go back."""

from __future__ import annotations

import asyncio

from media_gateway.turns.types import Ms


class StreamClock:
    """One stream's clock, on the event loop's."""

    def __init__(self, started_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._started_s = started_s
        self.last = Ms(0)
        """What it showed last."""

    def now(self) -> Ms:
        """Stream time; never earlier than what was shown before."""
        return self.reach(Ms(int((self._loop.time() - self._started_s) * 1000)))

    def reach(self, at: Ms) -> Ms:
        """It is this late at least: a timer may fire a little before its time."""
        self.last = Ms(max(at, self.last))
        return self.last

    def of(self, at_s: float | None) -> int | None:
        """Stream time of a time on the loop's clock."""
        return None if at_s is None else int((at_s - self._started_s) * 1000)

    def loop_s(self, at: Ms) -> float:
        """The loop's time at a stream time."""
        return self._started_s + at / 1000
