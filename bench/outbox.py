"""What the outbox costs: a turn's `put` on the spoken path, a turn's way to the disk, and how many a second get there.

The peer is an `asyncio.Queue`, which keeps nothing. Temporal is away all the while, so that nothing is taken out, and
then answers at once; the encoding is the real one, of a turn of usual length.
"""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from pathlib import Path

from temporalio.client import Client

from bench.report import quantile, report
from callspine.logs import configure
from media_gateway.outbox.letter import DeliveryFailed, Letter
from media_gateway.outbox.outbox import Outbox
from media_gateway.signals import SignalCourier
from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind

CALLS = 100
PACED, BURST = 2000, 10_000
"""Turns one by one, as calls bring them, and turns all at once."""
PACE_S = 0.002
"""500 turns a second: 100 calls with a turn every five seconds bring 20."""
LIMIT_PUT_P99_US = 200.0
LIMIT_TURNS_A_SECOND = 1000.0

TURN = TurnCompleted(
    epoch=1,
    seq=7,
    kind=TurnKind.REPLY,
    caller_words="Well, the bill is about a hundred and eighty dollars a month, more in the summer.",
    move="worth_it",
    slots={"monthly_bill_usd": "$180"},
    stage="interest",
    saying="That is a good deal more than most of your neighbours pay. Would you want a battery with it?",
    before=TurnHeard(
        seq=6,
        heard_words="Okay, thanks. About how much do you pay for electricity a month?",
        reply_words="Okay, thanks. About how much do you pay for electricity a month?",
    ),
)


class _Post(SignalCourier):
    """Encodes for real; delivers to nobody."""

    is_away = True

    async def deliver(self, letter: Letter) -> None:
        """At once, or never."""
        if self.is_away:
            raise DeliveryFailed("away")


async def _paced(outbox: Outbox) -> tuple[list[float], list[float]]:
    """Microseconds of each put; milliseconds from each to the disk."""
    puts, to_disk = [], []
    for n in range(PACED):
        began_s = time.perf_counter()
        outbox.put(f"c{n % CALLS}", "turn_completed", TURN)
        puts.append((time.perf_counter() - began_s) * 1e6)
        await outbox.written()
        to_disk.append((time.perf_counter() - began_s) * 1e3)
        await asyncio.sleep(PACE_S)
    return puts, to_disk


async def _burst(outbox: Outbox) -> tuple[list[float], float]:
    """Microseconds of each put; seconds until all are on disk."""
    puts = []
    began_s = time.perf_counter()
    for n in range(BURST):
        put_s = time.perf_counter()
        outbox.put(f"c{n % CALLS}", "turn_completed", TURN)
        puts.append((time.perf_counter() - put_s) * 1e6)
    await outbox.written()
    return puts, time.perf_counter() - began_s


def _queue() -> list[float]:
    queue: asyncio.Queue[TurnCompleted] = asyncio.Queue(BURST)
    puts = []
    for _ in range(BURST):
        put_s = time.perf_counter()
        queue.put_nowait(TURN)
        puts.append((time.perf_counter() - put_s) * 1e6)
    return puts


async def main() -> None:
    """Measure, print, write."""
    configure("bench", level=logging.CRITICAL)
    post = _Post(await Client.connect("127.0.0.1:9", lazy=True))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.db")
        outbox = await Outbox.open(path, post)
        paced, to_disk = await _paced(outbox)
        burst, written_s = await _burst(outbox)
        began_s = time.perf_counter()
        post.is_away = False
        left = await outbox.close(within_s=60)
        drained_s = time.perf_counter() - began_s
    rows = [
        _row("put, one by one", paced, "us"),
        _row("put, all at once", burst, "us"),
        _row("asyncio.Queue, all at once", _queue(), "us"),
        _row("from put to disk, one by one", to_disk, "ms"),
    ]
    notes = [
        f"{BURST / written_s:.0f} turns a second reach the disk",
        f"{(PACED + BURST - left) / drained_s:.0f} a second are taken out once Temporal is back (retry pause included)",
        f"limits: put p99 {LIMIT_PUT_P99_US} us, {LIMIT_TURNS_A_SECOND:.0f} turns a second to disk",
    ]
    report("outbox", "The outbox on disk", rows, notes)


def _row(what: str, values: list[float], unit: str) -> dict[str, str | int | float]:
    return {
        "what": what,
        "turns": len(values),
        "unit": unit,
        "p50": quantile(values, 0.5),
        "p99": quantile(values, 0.99),
        "max": max(values),
    }
