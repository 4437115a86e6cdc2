"""A courier that does what a test tells it, and a child process that dies in the middle of its letters."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from callspine.logs import configure
from media_gateway.outbox.letter import DeliveryFailed, Letter, Undeliverable
from media_gateway.outbox.outbox import Outbox

CALLS = ("a", "b", "c")


@dataclass
class Post:
    """Implements Courier. Messages are texts; what is in `away` and `unknown` are call ids."""

    away: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    cannot_seal: set[str] = field(default_factory=set)
    """Messages."""
    never_sealed: set[str] = field(default_factory=set)
    """Messages."""
    delivered: list[tuple[str, str]] = field(default_factory=list)
    """Call id and message."""
    lost: list[tuple[str, str]] = field(default_factory=list)
    """Call id and reason."""
    tries: Counter[str] = field(default_factory=Counter)
    """By call id."""
    request_ids: dict[str, set[str]] = field(default_factory=dict)
    """By message."""

    async def seal(self, call_id: str, message: object) -> bytes:
        if message in self.never_sealed:
            raise Undeliverable("forgotten")
        if message in self.cannot_seal:
            raise ValueError("no key")
        return str(message).encode()

    async def deliver(self, letter: Letter) -> None:
        self.tries[letter.call_id] += 1
        self.request_ids.setdefault(letter.body.decode(), set()).add(letter.request_id)
        if letter.call_id in self.away:
            raise DeliveryFailed("UNAVAILABLE")
        if letter.call_id in self.unknown:
            raise Undeliverable("NOT_FOUND")
        self.delivered.append((letter.call_id, letter.body.decode()))

    def dropped(self, letter: Letter, reason: str) -> None:
        self.lost.append((letter.call_id, reason))

    def of(self, call_id: str) -> list[str]:
        """A call's messages as they were delivered."""
        return [message for of_call, message in self.delivered if of_call == call_id]


async def until(is_so: Callable[[], bool]) -> None:
    """Until the condition holds."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.005)


async def _put_for_ever(path: Path) -> None:
    """Calls take turns; each line is a number up to which all is on disk."""
    outbox = await Outbox.open(path, Post(away=set(CALLS)))
    for number in count(1):
        outbox.put(CALLS[number % 3], "turn_completed", f"message {number}")
        if number % 10 == 0:
            if not await outbox.written():
                raise RuntimeError("not written")
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    configure("child", level=logging.CRITICAL)  # its standard output is for the numbers
    asyncio.run(_put_for_ever(Path(sys.argv[1])))
