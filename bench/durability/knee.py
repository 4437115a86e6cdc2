"""Where one dev server with its file and one worker process give out: calls started a second, and turns a second.

The rate goes up step by step, whether or not the system follows, until what is acknowledged or done falls behind or its
p99 passes a second. Beside each step stands who used the CPU, in cores: the server, the worker, this client (with the
carrier that answers at once), and everybody else on the machine. What one call or turn costs in CPU holds on a busy
machine, too, where the knee comes early.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from uuid import uuid4

from bench.durability.engine import SCRIPT, Engine, Handle, engine
from bench.durability.post import TimedCourier, timed_link, usual_turn
from bench.durability.ramp import GIVE_UP_S, Step, at_rate, ramp, said, until, watched
from bench.report import report
from media_gateway.workflow_link import TemporalLink
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallInput
from workflows.starter import start_call

START_RATES = (2, 4, 8, 12, 16, 24, 32)
TURN_RATES = (10, 20, 40, 60, 80, 120, 160)
CALLS = 200
"""That the turns belong to. A call brings one in some five seconds: 200 calls bring 40 a second."""


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

    async with watched(engine, step), asyncio.TaskGroup() as group:
        began_s = loop.time()

        async def begin(_: int) -> None:
            call_id = uuid4().hex
            begun_s[call_id] = loop.time()
            group.create_task(start(call_id))

        times = await at_rate(rate, begin)
        await until(lambda: len(handles) == times)
        step.acknowledged = len(handles) / (loop.time() - began_s)
        await until(lambda: len(carrier.placed_s) == times)
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
        async with watched(engine, step):
            began_s = loop.time()
            times = await at_rate(rate, self._tell)
            await until(lambda: len(took_ms) == times)
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


async def main() -> None:
    """Measure, print, write."""
    load_before = os.getloadavg()[0]
    async with engine() as running:
        starts = await ramp(START_RATES, lambda rate: _starts(running, rate))
        async with timed_link(running.client, running.folder / "outbox.db") as (link, courier):
            carried = [await running.carried(_call_id(n)) for n in range(CALLS)]
            talk = _Talk([handle for handle, _ in carried], link, courier)
            turns = await ramp(TURN_RATES, lambda rate: talk.step(running, rate))
    notes = [
        f"load before: {load_before:.2f}",
        said(starts),
        said(turns),
        *(
            f"{step.offered:.0f} turns a second are {5 * step.offered:.0f} calls that bring one in five seconds"
            for step in [step for step in turns if step.holds][-1:]
        ),
    ]
    rows = [step.row for step in (*starts, *turns)]
    report("knee", "What one dev server and one worker sustain", rows, notes)
