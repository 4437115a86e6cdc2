"""What the workflow adds to the spoken path: the gateway's own share of a turn, with Temporal well, slow and gone.

The peer is the same gateway on a link to no workflow, and it talks at the same time: what this machine does besides,
Temporal's own work included, meets both alike, and what is left between them is waiting. The states take turns within
one run. The legs are those of `reply_path`. `gone` is the server's process, ended after the calls were attached; `slow`
is half a second more on each of its answers.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.durability.engine import Engine, engine
from bench.durability.road import Road, road_to
from bench.line import BenchLine
from bench.report import quantile, report
from bench.rig import Rig, rig
from rehearsal.audio import to_mulaw
from rehearsal.voice import LocalVoice

ROUNDS, CALLS, TURNS = 2, 2, 7
"""Blocks of each state; calls at once in a block, of each of the two gateways; turns of a call."""
APART_S = 0.5
"""Between one call's first turn and the next one's: turns that all come at once would wait for each other."""
SLOW_S = 0.5
LIMIT_ADDED_MS = 1.0
"""At the median of a turn. Nothing is waited for; this much is chance on a busy machine."""
WELL, SLOW, GONE = "well", f"slow by {1000 * SLOW_S:.0f} ms", "gone"
STATES = (WELL, SLOW, GONE)
Legs = dict[str, float]


class _Pair:
    """A gateway without a workflow, one with its real link, and the road that the link takes."""

    def __init__(self, engine: Engine, road: Road, without: Rig, linked: Rig) -> None:
        self._engine = engine
        self._road = road
        self._without = without
        self._linked = linked
        self.waiting = dict.fromkeys(STATES, 0)
        """The most messages that waited in the outbox when a block's last turn was answered."""

    async def block(self, state: str, number: int, words: bytes) -> tuple[list[Legs], list[Legs]]:
        """Some calls at once on either gateway; the legs of all answered turns, without a workflow and with it."""
        call_ids = [f"{STATES.index(state)}-{number}-{n}" for n in range(CALLS)]
        for call_id in call_ids:
            await self._engine.incoming(call_id)
        known = [set(rig.vendors.turns) for rig in (self._without, self._linked)]
        lines = [rig.line(c) for c in call_ids for rig in (self._without, self._linked)]
        async with asyncio.timeout(60):
            await asyncio.gather(*(_open(line) for line in lines))
        async with self._trouble(state), asyncio.timeout(20 + 5 * TURNS):
            await asyncio.gather(*(_talk(line, words, n * APART_S) for n, line in enumerate(lines)))
            depth = int((await self._linked.health())["outbox"])
            self.waiting[state] = max(depth, self.waiting[state])
            await asyncio.gather(*(line.close() for line in lines))
        return _answered(self._without, known[0]), _answered(self._linked, known[1])

    @asynccontextmanager
    async def _trouble(self, state: str) -> AsyncIterator[None]:
        """As told; and afterwards nothing of it is left over for the next block."""
        self._road.delay_s = SLOW_S if state == SLOW else 0.0
        if state == GONE:
            await self._engine.stop_server()
        try:
            yield
        finally:
            self._road.delay_s = 0.0
            if state == GONE:
                await self._engine.start_server()
        await self._engine.answers()
        async with asyncio.timeout(30):
            while (await self._linked.health())["outbox"]:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.1)


async def _open(line: BenchLine) -> None:
    await line.open()
    await line.answered(quiet_ms=600)  # the disclosure and the opening


async def _talk(line: BenchLine, words: bytes, after_s: float) -> None:
    await asyncio.sleep(after_s)
    for _ in range(TURNS):
        line.say(words)
        await line.answered()


def _answered(rig: Rig, known: set[int]) -> list[Legs]:
    turns = [
        turn for caller in set(rig.vendors.turns) - known for turn in rig.vendors.turns[caller]
    ]
    return [
        turn.own_ms | {"turn": sum(turn.own_ms.values())} for turn in turns if turn.audio_arrived
    ]


@asynccontextmanager
async def _pair() -> AsyncIterator[_Pair]:
    async with engine() as running, road_to(running.address) as (road, near):
        linked = {
            "CALLSPINE_TEMPORAL_ADDRESS": near,
            "CALLSPINE_OUTBOX_DIR": str(running.folder / "outbox"),
        }
        log = running.folder / "gateway.log"
        async with rig("gateway") as without, rig("linked", log=log, **linked) as with_link:
            yield _Pair(running, road, without, with_link)


async def main() -> None:
    """Measure, print, write."""
    load_before = os.getloadavg()[0]
    words = to_mulaw(LocalVoice(pitch=1.15).say("Yes, it is."))
    found: dict[str, tuple[list[Legs], list[Legs]]] = {state: ([], []) for state in STATES}
    async with _pair() as pair:
        for number in range(ROUNDS):
            for state in STATES:
                without, linked = await pair.block(state, number, words)
                found[state][0].extend(without)
                found[state][1].extend(linked)
    rows = [_row(state, leg, *turns) for state, turns in found.items() for leg in turns[1][0]]
    everything = ([turn for pair in found.values() for turn in pair[side]] for side in (0, 1))
    rows.append(_row("all three", "turn", *everything))
    notes = [f"load before: {load_before:.2f}; {CALLS} calls at once on either gateway"]
    peers = [_median(without) for without, _ in found.values()]
    chance_ms = max(peers) - min(peers)
    for state, (without, linked) in found.items():
        notes.append(
            f"{state}: {_verdict(_median(linked) - _median(without), chance_ms)}; "
            f"{ROUNDS * CALLS * TURNS - len(linked)} turns unanswered; "
            f"up to {pair.waiting[state]} messages not acknowledged at a block's end"
        )
    slowest = max(one["turn"] for one in found[SLOW][1])
    notes.append(
        f"one answer waited for would be {1000 * SLOW_S:.0f} ms a turn: the median is "
        f"{_median(found[SLOW][1]):.1f} ms, the slowest turn {slowest:.1f} ms"
    )
    notes.append("calls awaited on the spoken path: 0, by tests/gateway/test_spoken_path.py")
    report("spoken_path", "Own share of a turn, by the state of Temporal", rows, notes)


def _row(
    state: str, leg: str, without: list[Legs], linked: list[Legs]
) -> dict[str, str | int | float]:
    ours, peer = ([one[leg] for one in turns] for turns in (linked, without))
    return {
        "Temporal": state,
        "leg": leg,
        "turns": len(ours),
        "p50 ms": quantile(ours, 0.5),
        "p99 ms": quantile(ours, 0.99),
        "p50 without": quantile(peer, 0.5),
        "p99 without": quantile(peer, 0.99),
        "ratio p50": quantile(ours, 0.5) / quantile(peer, 0.5),
    }


def _median(turns: list[Legs]) -> float:
    return quantile([one["turn"] for one in turns], 0.5)


def _verdict(added_ms: float, chance_ms: float) -> str:
    """Against the limit; where the machine is too busy to tell, by how much the peer differs from itself."""
    said = f"{added_ms:+.2f} ms at the median of a turn"
    if added_ms <= LIMIT_ADDED_MS:
        return f"{said}, within {LIMIT_ADDED_MS} ms"
    if added_ms <= chance_ms:
        return f"{said}, not told apart from chance (the peer's own blocks differ by {chance_ms:.2f} ms)"
    return f"{said}, OVER {LIMIT_ADDED_MS} ms (the peer's own blocks differ by {chance_ms:.2f} ms)"
