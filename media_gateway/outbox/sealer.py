"""Encodes letters and has them written, in the order in which they came: what was not encoded is never written."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

import structlog

from media_gateway.outbox.journal import Journal
from media_gateway.outbox.lane import Posted
from media_gateway.outbox.letter import Courier, Undeliverable

log = structlog.get_logger(__name__)

SEAL_WITHIN_S = 2.0
"""A codec that asks a key service may hang; the letters behind it are to reach the disk all the same."""


class Sealer:
    """One task for all calls. All that wait are encoded at once, so that a slow codec costs its time once."""

    def __init__(self, courier: Courier, journal: Journal) -> None:
        self._courier = courier
        self._journal = journal
        self._fresh: deque[Posted] = deque()
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task = asyncio.create_task(self._run(), name="outbox sealer")

    def put(self, posted: Posted) -> None:
        """Have a letter sealed and written."""
        self._fresh.append(posted)
        self._idle.clear()
        self._work.set()

    async def seal(self, posted: Posted) -> None:
        """Encode one letter and have it written. Raises what the courier raises, or TimeoutError."""
        async with asyncio.timeout(SEAL_WITHIN_S):
            body = await self._courier.seal(posted.letter.call_id, posted.message)
        posted.letter = replace(posted.letter, body=body)
        posted.message = None
        self._journal.write(posted.letter)

    async def done(self) -> None:
        """Wait until everything put was tried."""
        await self._idle.wait()

    async def stop(self) -> None:
        """Stop the task."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            batch = list(self._fresh)
            self._fresh.clear()
            await asyncio.gather(*(self._try(posted) for posted in batch))
            if not self._fresh:
                self._idle.set()

    async def _try(self, posted: Posted) -> None:
        try:
            await self.seal(posted)
        except Undeliverable:
            pass  # dropped in its turn, by the lane: it asks again
        except Exception as error:  # noqa: BLE001 - a codec may raise anything; the letter stays in memory
            log.critical(
                "outbox_not_encoded",
                call_id=posted.letter.call_id,
                signal=posted.letter.kind,
                error=type(error).__name__,
                remedy="the message is kept in memory only and a crash would lose it: see to the payload codec and its key",
            )
        finally:
            posted.is_tried.set()
