"""How one call's letters go out: one after the other, each until it is acknowledged or can never be."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from media_gateway.outbox.letter import Courier, DeliveryFailed, Letter, Undeliverable

log = structlog.get_logger(__name__)

RETRY_FIRST_S = 0.1
RETRY_MOST_S = 2.0


@dataclass(slots=True, kw_only=True, eq=False)
class Posted:
    """A letter on its way."""

    letter: Letter
    message: object = None
    """What the letter will say; dropped once it is sealed."""
    is_tried: asyncio.Event = field(default_factory=asyncio.Event)
    """Sealing was tried: the letter may go, or has to be sealed again first."""

    @property
    def is_sealed(self) -> bool:
        """Encoded, and so on disk or on its way there."""
        return bool(self.letter.body)


Seal = Callable[[Posted], Awaitable[None]]


class Lane:
    """One call's letters. Over when it is empty; calls do not wait for one another."""

    def __init__(
        self, call_id: str, courier: Courier, seal: Seal, gone: Callable[[Posted], None]
    ) -> None:
        self._call_id = call_id
        self._courier = courier
        self._seal = seal
        self._gone = gone
        self._letters: deque[Posted] = deque()
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._letters)

    def put(self, posted: Posted) -> None:
        """Queue a letter behind the others."""
        self._letters.append(posted)
        if self._task is None:
            self._task = asyncio.create_task(self._deliver(), name=f"outbox {self._call_id}")

    async def drained(self, within_s: float) -> bool:
        """Wait until it is empty; False when it was not in time, or was stopped."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=max(0.0, within_s))
        return not self._letters

    async def stop(self) -> None:
        """Stop trying."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _deliver(self) -> None:
        while self._letters:
            posted = self._letters[0]
            await posted.is_tried.wait()
            await self._until_acknowledged(posted)
            self._letters.popleft()
            self._gone(posted)

    async def _until_acknowledged(self, posted: Posted) -> None:
        wait_s, failures = RETRY_FIRST_S, 0
        while True:
            try:
                await self._try(posted)
            except Undeliverable as error:
                log.warning(
                    "workflow_not_reachable",
                    call_id=self._call_id,
                    signal=posted.letter.kind,
                    reason=str(error),
                )
                self._courier.dropped(posted.letter, str(error))
                return
            except DeliveryFailed as error:
                if not failures:
                    log.warning("temporal_away", call_id=self._call_id, reason=str(error))
            except Exception as error:  # noqa: BLE001 - whatever it was, the letter is kept and tried again
                if not failures:
                    kind = type(error).__name__
                    log.critical("outbox_cannot_send", call_id=self._call_id, error=kind)
            else:
                if failures:
                    log.info("temporal_back", call_id=self._call_id, failures=failures)
                return
            failures += 1
            await asyncio.sleep(wait_s)
            wait_s = min(RETRY_MOST_S, 2 * wait_s)

    async def _try(self, posted: Posted) -> None:
        if not posted.is_sealed:
            await self._seal(posted)
        await self._courier.deliver(posted.letter)
