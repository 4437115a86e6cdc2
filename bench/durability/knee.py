"""Where one dev server with its file and one worker process give out: calls started a second, and turns a second.

The rate goes up step by step, whether or not the system follows, until what is acknowledged or done falls behind or its
p99 passes a second. Beside each step stands who used the CPU, in cores: the server, the worker, this client (with the
carrier that answers at once), and everybody else on the machine. What one call or turn costs in CPU holds on a busy
machine, too, where the knee comes early.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from bench import processes
from bench.durability.engine import SCRIPT, Engine, Handle, engine
from bench.durability.post import TimedCourier, timed_link, usual_turn
from bench.report import quantile, report
from media_gateway.workflow_link import TemporalLink
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallInput
from workflows.starter import start_call

START_RATES = (2, 4, 8, 12, 16, 24, 32)
TURN_RATES = (10, 20, 40, 60, 80, 120, 160)
STEP_S = 6.0
CALLS = 200
"""That the turns belong to. A call brings one in some five seconds: 200 calls bring 40 a second."""
FOLLOWS = 0.9
"""Of the offered rate: below it, the system falls behind."""
MOST_P99_MS = 1000.0
GIVE_UP_S = 30.0


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
    def row(self) -> dict[str, str | int | float]:
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
async def _watched(engine: Engine, step: Step) -> AsyncIterator[None]:
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


async def _at_rate(rate: float, act: Callable[[int], Awaitable[None]]) -> int:
    """Act so often for a step, each when its time has come, whatever became of those before. Returns how often."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    times = int(rate * STEP_S)
    for n in range(times):
        await asyncio.sleep(began_s + n / rate - loop.time())
        await act(n)
    return times


# --- calls -----------------------------------------------------------------------------------


async def _starts(engine: Engine, rate: float) -> Step:
    step = Step(what="calls started", offered=rate)
    loop = asyncio.get_running_loop()
    begun_s: dict[str, float] = {}
    handles: list[Handle] = []
    carrier = engine.carrier
    carrier.placed_s.clear()

    async def start(call_id: str) -> None:
        handles.append(
            await start_call(
                engine.client, CallInput(call_id=call_id, script_id=SCRIPT, to="+12125550142")
            )
        )

    async with _watched(engine, step), asyncio.TaskGroup() as group:
        began_s = loop.time()

        async def begin(_: int) -> None:
            call_id = uuid4().hex
            begun_s[call_id] = loop.time()
            group.create_task(start(call_id))

        times = await _at_rate(rate, begin)
        await _until(lambda: len(handles) == times)
        step.acknowledged = len(handles) / (loop.time() - began_s)
        await _until(lambda: len(carrier.placed_s) == times)
    placed_s = {call_id: at_s for call_id, at_s in carrier.placed_s.items() if call_id in begun_s}
    if placed_s:
        step.done = len(placed_s) / (max(placed_s.values()) - began_s)
    step.took_ms = [1000 * (at_s - begun_s[call_id]) for call_id, at_s in placed_s.items()]
    # They ring for ever: out of the way of the next step.
    await asyncio.gather(*(handle.terminate() for handle in handles))
    return step


# --- turns -----------------------------------------------------------------------------------


class _Talk:
    """Calls that are all in their first stage and never leave it."""

    def __init__(
        self, handles: Sequence[Handle], link: TemporalLink, courier: TimedCourier
    ) -> None:
        self._handles = handles
        self._link = link
        self._courier = courier
        self._told = 0

    async def step(self, engine: Engine, rate: float) -> Step:
        step = Step(what="turns", offered=rate)
        loop = asyncio.get_running_loop()
        took_ms = self._courier.took_ms
        took_ms.clear()
        async with _watched(engine, step):
            began_s = loop.time()
            times = await _at_rate(rate, self._tell)
            await _until(lambda: len(took_ms) == times)
            step.acknowledged = len(took_ms) / (loop.time() - began_s)
            if await self._taken():
                step.done = times / (loop.time() - began_s)
        step.took_ms = list(took_ms)
        return step

    async def _tell(self, _: int) -> None:
        call, seq = self._told % len(self._handles), 1 + self._told // len(self._handles)
        self._link.turn_completed(_call_id(call), usual_turn(seq))
        self._told += 1

    async def _taken(self) -> bool:
        """The workflows that were told last have taken it; the others were told before."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + GIVE_UP_S
        for told in range(max(0, self._told - 10), self._told):
            call, seq = told % len(self._handles), 1 + told // len(self._handles)
            while True:
                snapshot = await self._handles[call].query(CallWorkflow.snapshot)
                if len(snapshot.turns) >= seq:
                    break
                if loop.time() > give_up_s:
                    return False
        return True


def _call_id(number: int) -> str:
    return f"talk-{number}"


async def _until(is_so: Callable[[], bool]) -> None:
    """Or not: after a while the step has failed, and its figures say so."""
    loop = asyncio.get_running_loop()
    give_up_s = loop.time() + GIVE_UP_S
    while not is_so():
        if loop.time() > give_up_s:
            return
        await asyncio.sleep(0.02)


async def _ramp(rates: Sequence[float], step: Callable[[float], Awaitable[Step]]) -> list[Step]:
    """Up to the rate that does not hold, tried twice: once may be somebody else's doing."""
    steps = []
    for rate in rates:
        steps.append(await step(rate))
        if not steps[-1].holds:
            steps.append(await step(rate))
        if not steps[-1].holds:
            break
    return steps


def _said(steps: list[Step]) -> str:
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


async def main() -> None:
    """Measure, print, write."""
    load_before = os.getloadavg()[0]
    async with engine() as running:
        starts = await _ramp(START_RATES, lambda rate: _starts(running, rate))
        async with timed_link(running.client, Path(running.folder, "outbox.db")) as (link, courier):
            carried = [await running.carried(_call_id(n)) for n in range(CALLS)]
            talk = _Talk([handle for handle, _ in carried], link, courier)
            turns = await _ramp(TURN_RATES, lambda rate: talk.step(running, rate))
    notes = [
        f"load before: {load_before:.2f}",
        _said(starts),
        _said(turns),
        *(
            f"{step.offered:.0f} turns a second are {5 * step.offered:.0f} calls that bring one in five seconds"
            for step in [step for step in turns if step.holds][-1:]
        ),
    ]
    rows = [step.row for step in (*starts, *turns)]
    report("knee", "What one dev server and one worker sustain", rows, notes)
