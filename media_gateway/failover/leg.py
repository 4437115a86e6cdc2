"""One voice's try at a reply, or at the rest of one: opens it, hands it the words in order, brings back what it gives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.failover.ledger import Rest
from media_gateway.failover.voices import Voice
from media_gateway.speech.ports import Speech, SpeechItem

log = structlog.get_logger(__name__)

MOST_WORDS_WAITING = 500
"""Segments of one reply that the voice has not taken."""
LET_GO_WITHIN_S = 1.0

Came = SpeechItem | VendorUnavailable | None
"""None: the voice has given all of it."""


class Leg:
    """One voice. `came` is called with everything, in order, and may wait."""

    def __init__(
        self,
        voice: Voice,
        rest: Rest,
        came: Callable[[Leg, Came], Awaitable[None]],
        tasks: set[asyncio.Task[None]],
    ) -> None:
        """`tasks`: whose owner cancels what is left in the end."""
        self.voice = voice
        self.rest = rest
        """What it was asked to say when it was asked."""
        self.held: list[SpeechItem] = []
        """What came before its first audio, while another one is the speaking one."""
        self.has_begun = False
        """The voice was reached."""
        self._came = came
        self._words: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue()
        for part in rest.parts:
            if part[1]:
                self._words.put_nowait(part)
        self._task = asyncio.create_task(self._run(), name=f"speak {voice.name}")
        tasks.add(self._task)
        self._task.add_done_callback(tasks.discard)

    def say(self, segment: int, text: str) -> None:
        """The next words. Never waits. Raises VendorUnavailable when it takes none."""
        if self._words.qsize() >= MOST_WORDS_WAITING:
            raise VendorUnavailable(self.voice.name, "takes no words")
        self._words.put_nowait((segment, text))

    def finish(self) -> None:
        """No more words follow."""
        self._words.put_nowait(None)

    def drop(self) -> asyncio.Task[None]:
        """Nobody wants it any more. Its voice is told by its own task, which is returned."""
        self._task.cancel()
        return self._task

    async def _run(self) -> None:
        speech: Speech | None = None
        is_over = False
        try:
            speech = await self.voice.port.begin()
            self.has_begun = True
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(self._write(speech))
                async with aclosing(
                    aiter(speech)
                ) as items:  # what it holds is let go now, not some day
                    async for item in items:
                        await self._came(self, item)
                writing.cancel()
            is_over = True
            await self._came(self, None)
        except* VendorUnavailable as errors:
            await self._came(self, _first(errors))
        except* Exception as errors:  # noqa: BLE001 - a task's top: a bug in an adapter is that vendor's failure
            kinds = [type(error).__name__ for error in errors.exceptions]
            log.error("voice_adapter_failed", vendor=self.voice.name, errors=kinds)
            await self._came(self, VendorUnavailable(self.voice.name, "adapter failed"))
        finally:
            if speech is not None and not is_over:
                await _let_go(speech)

    async def _write(self, speech: Speech) -> None:
        while (part := await self._words.get()) is not None:
            await speech.say(*part)
        await speech.finish()


def _first(errors: BaseExceptionGroup[VendorUnavailable]) -> VendorUnavailable:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, VendorUnavailable)  # noqa: S101 - `except*` has sorted them
    return error


async def _let_go(speech: Speech) -> None:
    try:
        async with asyncio.timeout(LET_GO_WITHIN_S):
            await speech.cancel()
    except Exception as error:  # noqa: BLE001 - nobody wants it any more; what a vendor makes of it is its own affair
        log.warning("vendor_did_not_end", error=type(error).__name__)
