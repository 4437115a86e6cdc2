"""The gateway's own share of a turn: from a vendor's bytes to the gateway's next ones, added up over the turn.

Left out: the vendors, the model, the callers, and the pause that decides the end of a turn. Left in: sockets, HTTP, the
turn machine, the script, retrieval (prefetched), BAML's prompt and parser, pacing. The peer is a relay with the same
sockets and nothing in between. Both ends of every leg are stamped on the socket by one clock, in the process that plays
the vendors and the callers; see `bench.vendors`.
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
    rows, notes = [], []
    for calls, turns in RUNS:
        wholes = {}
        for kind in ("gateway", "relay"):
            measured = await _measure(kind, calls, turns, words)
            wholes[kind] = [one["turn"] for one in measured]
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
        notes.append(_verdict(calls, wholes["gateway"], wholes["relay"]))
    report("reply_path", "Own share of a turn", rows, notes)


def _verdict(calls: int, gateway: list[float], relay: list[float]) -> str:
    """The gateway against its limits, and how much of it this machine takes of a relay, too."""
    figures = [
        f"{name} {value:.2f} ms, limit {limit:.0f}: {'HIT' if value <= limit else 'MISS'}"
        for name, value, limit in (
            ("p50", quantile(gateway, 0.5), LIMIT_P50_MS),
            ("p99", quantile(gateway, 0.99), LIMIT_P99_MS),
        )
    ]
    ratio = quantile(gateway, 0.5) / quantile(relay, 0.5)
    return f"{calls} at once: {'; '.join(figures)}; {ratio:.2f} times the relay at the median"
