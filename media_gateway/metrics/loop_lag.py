"""How late the event loop is: a timer that is due now and then, and when it really fired."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter

EVERY_S = 0.25


class LoopLag:
    """Asks again and again, from `start` to `stop`, on the running loop."""

    def __init__(self, tell: Callable[[float], None], *, every_s: float = EVERY_S) -> None:
        """`tell` is given seconds, 0 or more."""
        self._tell = tell
        self._every_s = every_s
        self._due_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on."""
        # Not the loop's own time: uvloop's stands still while it works, and knows whole milliseconds only.
        self._due_s = perf_counter() + self._every_s
        self._timer = asyncio.get_running_loop().call_later(self._every_s, self._fired)

    def stop(self) -> None:
        """No more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fired(self) -> None:
        self._tell(max(0.0, perf_counter() - self._due_s))
        self.start()
