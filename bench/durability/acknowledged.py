"""How long until a turn is safe: from its hand-over to the server's acknowledgement, one server with its file, one worker.

The peer is the SDK's own signal, awaited, of the same turn to a call of its own: it keeps nothing on disk, and holds
its caller up for as long as it takes. Both are sent in turn, so that the machine's load meets both.
"""

from __future__ import annotations

import asyncio
import os
import time

from bench.durability.engine import Engine, Handle, engine
from bench.durability.post import TimedCourier, timed_link, usual_turn
from bench.report import Row, quantile, report
from media_gateway.workflow_link import TemporalLink
from workflows.call import CallWorkflow

RUNS = ((1, 4.0), (40, 10.0))
"""Calls at once; turns a second, of all of them together. Forty calls bring a turn each in four seconds."""
FOR_S = 30.0
SETTLE_WITHIN_S = 20.0


async def _run(
    engine: Engine, link: TemporalLink, courier: TimedCourier, calls: int, rate: float
) -> tuple[list[float], list[float]]:
    """Milliseconds of our turns, and of the peer's."""
    ours = [f"ours-{calls}-{n}" for n in range(calls)]
    for call_id in ours:
        await engine.carried(call_id)
    peers = [(await engine.carried(f"peer-{calls}-{n}"))[0] for n in range(calls)]
    courier.took_ms.clear()
    bare_ms: list[float] = []
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    async with asyncio.TaskGroup() as group:
        # Half of the turns are the peer's: together they are the rate.
        for n in range(int(rate * FOR_S / 2)):
            await asyncio.sleep(began_s + 2 * n / rate - loop.time())
            link.turn_completed(ours[n % calls], usual_turn(1 + n // calls))
            await asyncio.sleep(began_s + (2 * n + 1) / rate - loop.time())
            group.create_task(_signal(peers[n % calls], 1 + n // calls, bare_ms))
    for call_id in ours:
        if not await link.flush(call_id, within_s=SETTLE_WITHIN_S):
            raise RuntimeError(f"turns of {call_id} were not acknowledged")
    return list(courier.took_ms), bare_ms


async def _signal(handle: Handle, seq: int, took_ms: list[float]) -> None:
    began_s = time.perf_counter()
    await handle.signal(CallWorkflow.turn_completed, usual_turn(seq))
    took_ms.append(1000 * (time.perf_counter() - began_s))


async def main() -> None:
    """Measure, print, write."""
    load_before = os.getloadavg()[0]
    rows: list[Row] = []
    notes = [f"load before: {load_before:.2f}"]
    async with (
        engine() as running,
        timed_link(running.client, running.folder / "outbox.db") as (link, courier),
    ):
        for calls, rate in RUNS:
            ours, bare = await _run(running, link, courier, calls, rate)
            for what, values in (("the link, outbox on disk", ours), ("a bare signal", bare)):
                rows.append(
                    {
                        "what": what,
                        "calls": calls,
                        "turns a second": rate,
                        "turns": len(values),
                        "p50 ms": quantile(values, 0.5),
                        "p99 ms": quantile(values, 0.99),
                        "max ms": max(values),
                    }
                )
            ratio = quantile(ours, 0.5) / quantile(bare, 0.5)
            notes.append(f"{calls} calls: {ratio:.2f} times the bare signal at the median")
    report("acknowledged", "From a turn's hand-over to its acknowledgement", rows, notes)
