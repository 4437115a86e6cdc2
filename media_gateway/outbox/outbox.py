"""What the gateway still owes the calls' workflows: put at once, written at once, delivered as soon as it can be."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from pathlib import Path
from uuid import uuid4

import structlog

from media_gateway.outbox.alarm import Growth, GrowthAlarm
from media_gateway.outbox.journal import Journal
from media_gateway.outbox.lane import Lane, Posted
from media_gateway.outbox.letter import Courier, Letter
from media_gateway.outbox.sealer import Sealer

log = structlog.get_logger(__name__)

MOST_OF_A_CALL = 1000
"""Letters of one call: more than an hour's turns. Above it the newest is refused: without the older it says nothing."""
MOST_OF_ALL = 20_000
"""Letters of all calls: a hundred calls for a quarter of an hour without Temporal; some 40 MB on disk."""
CLOSE_FILE_WITHIN_S = 5.0
"""Beyond the time for deliveries: a disk that hangs must not keep the process."""


class Outbox:
    """Of one gateway, on its event loop. Make it with `open`, end it with `close`."""

    def __init__(self, path: Path, courier: Courier, journal: Journal, left: list[Letter]) -> None:
        self._path = path
        self._courier = courier
        self._journal = journal
        self._sealer = Sealer(courier, journal)
        self._lanes: dict[str, Lane] = {}
        self._waiting: OrderedDict[int, Posted] = OrderedDict()
        self._alarm = GrowthAlarm()
        self._is_closed = False
        self._next_number = left[-1].number + 1 if left else 1
        for letter in left:
            posted = Posted(letter=letter)
            posted.is_tried.set()
            self._add(posted)
        if left:
            log.warning(
                "outbox_left_over", file=str(path), messages=len(left), calls=len(self._lanes)
            )

    @classmethod
    async def open(cls, path: Path, courier: Courier) -> Outbox:
        """Open the file and begin to deliver what an earlier process left in it. Raises OutboxRefused."""
        journal = Journal(path)
        return cls(path, courier, journal, await journal.open())

    @property
    def depth(self) -> int:
        """Letters not acknowledged yet."""
        return len(self._waiting)

    @property
    def oldest_age_s(self) -> float:
        """Seconds since the oldest of them was put; 0 when there is none."""
        oldest = next(iter(self._waiting.values()), None)
        return max(0.0, time.time() - oldest.letter.at_s) if oldest else 0.0

    def put(self, call_id: str, kind: str, message: object) -> bool:
        """Take a message. Never raises and never waits; a full outbox refuses it aloud and returns False."""
        lane = self._lanes.get(call_id)
        if self._is_closed or self.depth >= MOST_OF_ALL or (lane and len(lane) >= MOST_OF_A_CALL):
            log.critical(
                "outbox_closed" if self._is_closed else "outbox_full",
                call_id=call_id,
                signal=kind,
                depth=self.depth,
                of_this_call=len(lane) if lane else 0,
            )
            return False
        letter = Letter(
            number=self._next_number,
            call_id=call_id,
            kind=kind,
            request_id=uuid4().hex,
            at_s=time.time(),
        )
        self._next_number += 1
        posted = Posted(letter=letter, message=message)
        self._add(posted)
        self._sealer.put(posted)
        return True

    async def written(self) -> bool:
        """Wait until everything put so far is on disk; False when some of it could not be brought there."""
        await self._sealer.done()
        is_settled = await self._journal.settled()
        return is_settled and all(posted.is_sealed for posted in self._waiting.values())

    async def flush(self, call_id: str, *, within_s: float) -> bool:
        """Wait until a call's letters are all acknowledged; False when they were not in time."""
        lane = self._lanes.get(call_id)
        return lane is None or await lane.drained(within_s)

    async def close(self, *, within_s: float) -> int:
        """Deliver what can be delivered in time, close the file; returns how many letters are left. Idempotent."""
        if self._is_closed:
            return self.depth
        # What sessions hand over while they end is still taken, and at least written.
        await asyncio.gather(*(lane.drained(within_s) for lane in list(self._lanes.values())))
        self._is_closed = True
        await asyncio.gather(*(lane.stop() for lane in list(self._lanes.values())))
        await self._close_file()
        return self.depth

    async def _close_file(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_FILE_WITHIN_S):
                await self._sealer.done()
        except TimeoutError:
            pass  # what is not sealed is counted below
        await self._sealer.stop()
        lost = sum(not posted.is_sealed for posted in self._waiting.values())
        try:
            lost += await self._journal.close(within_s=CLOSE_FILE_WITHIN_S)
        except TimeoutError:
            log.critical("outbox_not_closed", file=str(self._path), reason="the disk hangs")
        if lost:
            log.critical("outbox_lost", messages=lost)
        if self.depth > lost:
            log.warning("outbox_left", file=str(self._path), messages=self.depth - lost)

    def _add(self, posted: Posted) -> None:
        call_id = posted.letter.call_id
        lane = self._lanes.get(call_id)
        if lane is None:
            lane = Lane(call_id, self._courier, self._sealer.seal, self._gone)
            self._lanes[call_id] = lane
        lane.put(posted)
        self._waiting[posted.letter.number] = posted
        self._tell_growth()

    def _gone(self, posted: Posted) -> None:
        letter = posted.letter
        self._journal.forget(letter.number)
        del self._waiting[letter.number]
        if not len(self._lanes[letter.call_id]):
            del self._lanes[letter.call_id]
        self._tell_growth()

    def _tell_growth(self) -> None:
        age_s = self.oldest_age_s
        if growth := self._alarm.observe(self.depth, age_s):
            say = log.error if growth is Growth.GROWS else log.info
            say(growth.value, depth=self.depth, oldest_age_s=round(age_s, 1))
