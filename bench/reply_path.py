"""The gateway's own share of a turn: from a vendor's answer to the gateway's next act, added up over the turn.

Left out on purpose: the vendors, the model, and the pause that decides the end of a turn. Left in: sockets, HTTP, the
turn machine, the script, retrieval (prefetched), BAML's prompt and parser, pacing. The peer is a relay with the same
sockets and nothing in between. Both ends of every leg are stamped by one clock, in this process, which also plays the
vendors and the callers: its own work is part of every figure, the relay's too.
"""

from __future__ import annotations

import asyncio

from bench.report import quantile, report
from bench.rig import Rig, rig
from rehearsal.audio import to_mulaw
from rehearsal.voice import LocalVoice

LIMIT_P50_MS, LIMIT_P99_MS = 5.0, 20.0
RUNS = ((1, 40), (4, 25))
"""Calls at once, turns of each."""


async def _talk(running: Rig, call_id: str, turns: int, words: bytes) -> None:
    line = running.line(call_id)
    await line.open()
    await line.answered(quiet_ms=600)  # the disclosure and the opening
    for _ in range(turns):
        line.say(words)
        await line.answered()
    await line.close()


async def _measure(kind: str, calls: int, turns: int, words: bytes) -> list[dict[str, float]]:
    async with rig(kind) as running:
        talks = (_talk(running, f"{kind}-{n}", turns, words) for n in range(calls))
        async with asyncio.timeout(60 + 5 * turns):
            await asyncio.gather(*talks)
        seen = [turn for of_one in running.vendors.turns.values() for turn in of_one]
    whole = [turn.own_ms for turn in seen if turn.audio_arrived]
    if len(whole) < 0.95 * calls * turns:
        raise RuntimeError(f"{kind}: only {len(whole)} of {calls * turns} turns were answered")
    return [legs | {"turn": sum(legs.values())} for legs in whole]


async def main() -> None:
    """Measure, print, write."""
    words = to_mulaw(LocalVoice(pitch=1.15).say("Yes, it is."))
    rows = []
    notes = [f"limits for the gateway's own share: p50 {LIMIT_P50_MS} ms, p99 {LIMIT_P99_MS} ms"]
    for calls, turns in RUNS:
        medians = []
        for kind in ("gateway", "relay"):
            measured = await _measure(kind, calls, turns, words)
            medians.append(quantile([one["turn"] for one in measured], 0.5))
            for leg in measured[0]:
                values = [one[leg] for one in measured]
                rows.append(
                    {
                        "what": kind,
                        "calls at once": calls,
                        "leg": leg,
                        "turns": len(values),
                        "p50 ms": quantile(values, 0.5),
                        "p99 ms": quantile(values, 0.99),
                        "max ms": max(values),
                    }
                )
        over = medians[0] - medians[1]
        notes.append(f"{calls} at once: {over:.2f} ms over the relay at the median of a turn")
    report("reply_path", "Own share of a turn", rows, notes)
