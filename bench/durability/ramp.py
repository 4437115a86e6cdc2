"""A rate that goes up step by step: what each step brought, who used the CPU, and where the system no longer followed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench import processes
from bench.durability.engine import Engine
from bench.report import Row, quantile

STEP_S = 6.0
FOLLOWS = 0.9
"""Of the offered rate: below it, the system falls behind."""
MOST_P99_MS = 1000.0
GIVE_UP_S = 30.0
"""After a step's last turn or call: what is not done by then counts as not done."""


@dataclass(kw_only=True)
class Step:
    """One rate, and what became of it."""

    what: str
    offered: float
    took_ms: list[float] = field(default_factory=list)
    """From the hand-over to the acknowledgement (a turn), or to the carrier being asked to dial (a call)."""
    acknowledged: float = 0.0
    """A second, up to the last one's acknowledgement."""
    done: float = 0.0
    """A second, until the workflows had taken all of them."""
    cores: dict[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """The system followed."""
        behind = min(self.acknowledged, self.done) < FOLLOWS * self.offered
        return bool(self.took_ms) and not behind and quantile(self.took_ms, 0.99) <= MOST_P99_MS

    @property
    def _own_cores(self) -> float:
        return sum(cores for who, cores in self.cores.items() if who != "others")

    @property
    def row(self) -> Row:
        """For the table."""
        return {
            "what": self.what,
            "offered/s": self.offered,
            "acked/s": self.acknowledged,
            "done/s": self.done,
            "p50 ms": quantile(self.took_ms, 0.5) if self.took_ms else 0.0,
            "p99 ms": quantile(self.took_ms, 0.99) if self.took_ms else 0.0,
            **{f"{who} cores": cores for who, cores in self.cores.items()},
            "CPU ms each": 1000 * self._own_cores / self.done if self.done else 0.0,
            "holds": "yes" if self.holds else "NO",
        }


@asynccontextmanager
async def watched(engine: Engine, step: Step) -> AsyncIterator[None]:
    """Who used how many cores meanwhile."""
    loop = asyncio.get_running_loop()
    pids = {"server": engine.server_pid, "worker": engine.worker_pid, "client": os.getpid()}
    before = {who: processes.cpu_s(pid) for who, pid in pids.items()}
    busy_s, began_s = processes.busy_s(), loop.time()
    yield
    spent_s = loop.time() - began_s
    used = {who: processes.cpu_s(pid) - before[who] for who, pid in pids.items()}
    used["others"] = max(0.0, processes.busy_s() - busy_s - sum(used.values()))
    step.cores = {who: seconds / spent_s for who, seconds in used.items()}


async def at_rate(rate: float, act: Callable[[int], Awaitable[None]]) -> int:
    """Act so often for a step, each when its time has come, whatever became of those before. Returns how often."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    times = int(rate * STEP_S)
    for n in range(times):
        await asyncio.sleep(began_s + n / rate - loop.time())
        await act(n)
    return times


async def until(is_so: Callable[[], bool]) -> None:
    """Or not: after a while the step has failed, and its figures say so."""
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + GIVE_UP_S
    while not is_so():
        if loop.time() > give_up_s:
            return
        await asyncio.sleep(0.02)


async def ramp(rates: Sequence[float], step: Callable[[float], Awaitable[Step]]) -> list[Step]:
    """Up to the rate that does not hold, tried twice: once may be somebody else's doing."""
    steps = []
    for rate in rates:
        steps.append(await step(rate))
        if not steps[-1].holds:
            steps.append(await step(rate))
        if not steps[-1].holds:
            break
    return steps


def said(steps: list[Step]) -> str:
    """The verdict in words: what holds, what does not, and what is used up there."""
    held = [step for step in steps if step.holds]
    what, last = steps[-1].what, steps[-1]
    most = f"{held[-1].offered:.0f} a second hold" if held else "not even the first step holds"
    if last.holds:
        return f"{what}: {most}; no knee up to there"
    cores = os.cpu_count() or 1
    used = sum(last.cores.values())
    shares = ", ".join(f"{who} {share:.2f}" for who, share in last.cores.items())
    why = (
        "the machine's CPU is used up"
        if used > 0.9 * cores
        else "a core is used up by one process"
        if max(last.cores.values()) > 0.9
        else "CPU is left: it waits inside the server, whose file has one writer, or between them"
    )
    return f"{what}: {most}, {last.offered:.0f} do not; there {why} ({shares} of {cores} cores)"
