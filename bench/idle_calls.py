"""What a call costs that only listens: memory and CPU of the gateway's process, per call, beside the relay's.

Every call streams silence at 50 frames a second, both vendors' sockets open, the opening spoken.
"""

from __future__ import annotations

import asyncio

from bench.line import BenchLine
from bench.report import report
from bench.rig import Rig, rig

STEPS = (1, 20, 40)
SETTLE_S = 4.0
LIMIT_MB = 2.0


async def _measure(kind: str) -> list[tuple[int, float, float]]:
    """Calls, resident MB and CPU seconds a second, for each step."""
    found = []
    async with rig(kind) as running:
        lines: list[BenchLine] = []
        for calls in STEPS:
            fresh = [running.line(f"{kind}-{n}") for n in range(len(lines), calls)]
            await asyncio.gather(*(line.open() for line in fresh))
            async with asyncio.timeout(60):
                await asyncio.gather(*(line.answered(quiet_ms=600) for line in fresh))
            lines += fresh
            await asyncio.sleep(SETTLE_S)
            found.append((calls, running.resident_mb(), await _cpu_share(running)))
        await asyncio.gather(*(line.close() for line in lines))
    return found


async def _cpu_share(running: Rig) -> float:
    loop = asyncio.get_running_loop()
    before, began_s = running.cpu_s(), loop.time()
    await asyncio.sleep(SETTLE_S)
    return (running.cpu_s() - before) / (loop.time() - began_s)


async def main() -> None:
    """Measure, print, write."""
    rows = []
    for kind in ("gateway", "relay"):
        steps = await _measure(kind)
        (first_calls, first_mb, first_cpu), *_ = steps
        for calls, mb, cpu in steps:
            more = calls - first_calls
            rows.append(
                {
                    "what": kind,
                    "calls": calls,
                    "resident MB": mb,
                    "MB per extra call": (mb - first_mb) / more if more else 0.0,
                    "CPU": cpu,
                    "CPU per extra call": (cpu - first_cpu) / more if more else 0.0,
                }
            )
    report("idle_calls", "Idle calls", rows, [f"limit for the gateway: {LIMIT_MB} MB per call"])
