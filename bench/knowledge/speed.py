"""How long look-ups take and how long the event loop is held meanwhile, at 18 and at 10,000 passages."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.report import Row, quantile

LOOK_UPS = 300
TICK_S = 0.001
REST_S = 0.01
"""Between look-ups, so that the loop's own delay can be told from theirs."""

_NEW = itertools.count()
"""Makes words new, of all rows."""


@dataclass
class Loop:
    """A tick every millisecond; what a tick comes late is what a frame of audio would have waited."""

    late_ms: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            due_s = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            self.late_ms.append(max(0.0, 1000 * (time.perf_counter() - due_s)))


async def measure(
    name: str,
    passages: int,
    look_up: Callable[[str], Awaitable[object]],
    asked: list[str],
    *,
    before: Callable[[str], Awaitable[object]] | None = None,
    new: bool = True,
    times: int = LOOK_UPS,
) -> Row:
    """One row: look-ups one after the other, as one call makes them.

    `new`: no words twice, so that no vector is known. `before` is done with the same words and not timed.
    """
    loop = Loop()
    watch = asyncio.create_task(loop.watch())
    took_ms = []
    for number in range(times):
        words = asked[number % len(asked)] + (f" {next(_NEW)}" if new else "")
        if before is not None:
            await before(words)
        began_s = time.perf_counter()
        await look_up(words)
        took_ms.append(1000 * (time.perf_counter() - began_s))
        await asyncio.sleep(REST_S)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    return {
        "look-up": name,
        "passages": passages,
        "p50 ms": quantile(took_ms, 0.5),
        "p99 ms": quantile(took_ms, 0.99),
        "loop late p99 ms": quantile(loop.late_ms, 0.99),
        "loop late max ms": max(loop.late_ms),
    }
