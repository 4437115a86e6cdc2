"""One agent turn in Cartesia's voice: a context, and another one when the words behind a pause come too late for the first.

Nothing is lost by that: a new context begins only where the old one has spoken all that it was given.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.cartesia_context import Context, MalformedMessage, Message
from media_gateway.speech.cartesia_socket import (
    MOST_WAITING,
    VENDOR,
    Broken,
    CartesiaSocket,
    Inbox,
)
from media_gateway.speech.ports import SegmentDone, SpeechItem, SpokenAudio
from media_gateway.speech.vendor_socket import refusal

log = structlog.get_logger(__name__)

SUSPECT_AT = 0.8
"""Of the longest wait for audio: a socket that brought nothing for anybody for so long is dead without knowing."""


class CartesiaSpeech:
    """Implements Speech."""

    def __init__(
        self,
        socket: CartesiaSocket,
        request: Mapping[str, Any],
        another_socket: Callable[[], Awaitable[CartesiaSocket]],
        *,
        audio_within_s: float,
    ) -> None:
        self._socket = socket
        self._request = request
        self._another_socket = another_socket
        self._audio_within_s = audio_within_s
        self._loop = asyncio.get_running_loop()
        self._inbox: Inbox = asyncio.Queue(MOST_WAITING)
        self._context = self._new_context()
        self._sending = asyncio.Lock()
        self._renewals = 0
        self._asked_s = 0.0
        """When the last words were sent."""
        self._is_finished = self._is_over = False

    async def say(self, segment: int, text: str) -> None:
        """Speak a sentence; a flush behind it tells its audio from the next one's. Raises VendorUnavailable."""
        async with self._sending:
            is_lost = self._context.is_quiet and self._socket.is_dead
            if is_lost or not self._context.takes_text(self._loop.time()):
                await self._renew()
            await self._say(segment, text)

    async def finish(self) -> None:
        """No more text. Raises VendorUnavailable."""
        async with self._sending:
            self._is_finished = True
            is_gone = self._socket.is_dead or not self._context.takes_text(self._loop.time())
            if self._context.is_quiet and is_gone:  # there is nothing left for it to end
                await self._inbox.put({"type": "done", "context_id": self._context.context_id})
            else:
                await self._send(transcript="", **{"continue": False})

    async def cancel(self) -> None:
        """Stop; frames that still come are dropped. Idempotent."""
        if self._is_over:
            return
        self._is_over = True
        quiet_s = self._loop.time() - max(self._asked_s, self._socket.last_message_s)
        is_suspect = quiet_s >= SUSPECT_AT * self._audio_within_s
        if is_suspect and not (self._context.is_quiet or self._socket.is_dead):
            self._socket.drop("no answer to text")
        self._wake()
        await self._socket.cancel(self._context.context_id)

    async def __aiter__(self) -> AsyncGenerator[SpeechItem, None]:
        """Audio as it comes; ends with the context. Raises VendorUnavailable."""
        try:
            while not self._is_over:
                message = await self._next()
                if message is None:
                    continue
                is_last = message.get("type") == "done" and await self._has_ended()
                if is_last:
                    self._is_over = True
                    return
                item = self._item(message)
                if isinstance(item, VendorUnavailable):
                    await self._start_over(item)
                elif item is not None:
                    yield item
        except MalformedMessage as error:
            raise VendorUnavailable(VENDOR, str(error)) from None
        finally:
            self._socket.forget(self._context.context_id)

    # --- what comes --------------------------------------------------------------------------

    async def _next(self) -> Message | None:
        """The next message of the present context; None: of an old one, or nothing of interest."""
        if self._inbox.empty():
            message = await self._awaited()
        else:
            message = (
                self._inbox.get_nowait()
            )  # a timer for each of many messages would cost more than they do
        if isinstance(message, Broken):
            if message.context_id != self._context.context_id:
                return None
            if not self._context.is_quiet or self._is_finished:
                raise message.error
            self._context.is_ended = True  # nothing was under way: the next words open another one
            return None
        context_id = message.get("context_id")
        if context_id and context_id != self._context.context_id:
            return None
        self._context.last_message_s = self._loop.time()
        return message

    async def _awaited(self) -> Message | Broken:
        waits = not self._context.is_quiet or self._is_finished
        try:
            async with asyncio.timeout(self._audio_within_s if waits else None):
                return await self._inbox.get()
        except TimeoutError:
            raise VendorUnavailable(VENDOR, "no audio in time") from None

    def _item(self, message: Message) -> SpokenAudio | SegmentDone | VendorUnavailable | None:
        match message.get("type"):
            case "chunk":
                return self._context.audio(message)
            case "timestamps":
                return self._context.words(message)
            case "flush_done":
                return self._context.flushed()
            case "error":
                return _error(message)
            case _:
                return None

    async def _has_ended(self) -> bool:
        """The server is through with the context. Before we are, it has expired: what it did not begin is said again."""
        self._context.is_ended = True
        if self._context.is_quiet:
            return self._is_finished
        if self._is_finished and self._context.has_audio:
            return True  # all of it, with the last flush unanswered
        await self._start_over(VendorUnavailable(VENDOR, "context ended early"))
        return False

    async def _start_over(self, error: VendorUnavailable) -> None:
        """What a context refused that had served before, another one may take. Raises the error otherwise."""
        has_served = self._context.done > 0
        if not has_served or self._context.has_audio or self._renewals or error.is_lasting:
            raise error
        self._renewals += 1
        log.info("context_renewed", vendor=VENDOR, reason=error.reason)
        async with self._sending:
            unspoken = self._context.unspoken
            await self._renew()
            for segment, text in unspoken:
                await self._say(segment, text)
            if self._is_finished:
                await self._send(transcript="", **{"continue": False})

    # --- what is sent ------------------------------------------------------------------------

    def _new_context(self) -> Context:
        context = Context(uuid.uuid4().hex)
        self._socket.listen(context.context_id, self._inbox)
        return context

    async def _renew(self) -> None:
        """A new context for the words to come. Raises VendorUnavailable."""
        self._socket.forget(self._context.context_id)
        if self._socket.is_dead:
            self._socket = await self._another_socket()
        self._context = self._new_context()

    async def _say(self, segment: int, text: str) -> None:
        self._context.said(segment, text)
        self._asked_s = self._loop.time()
        self._wake()  # whoever waits for nothing waits for audio from here on
        await self._send(transcript=f"{text} ", **{"continue": True})
        await self._send(transcript="", flush=True, **{"continue": True})

    def _wake(self) -> None:
        if not self._inbox.full():
            self._inbox.put_nowait({"type": "", "context_id": "none"})

    async def _send(self, **fields: object) -> None:
        if not self._is_over:
            message = {**self._request, "context_id": self._context.context_id, **fields}
            await self._socket.send(message)


def _error(message: Message) -> VendorUnavailable:
    status = message.get("status_code")
    reason = str(message.get("error_code") or message.get("title") or "error")[:60]
    if not isinstance(status, int):
        return VendorUnavailable(VENDOR, reason)
    like = refusal(VENDOR, status)
    # A request that cannot be spoken says nothing of the next one; a key or a voice does.
    is_lasting = status in (401, 402, 403) or (status == 404 and "context" not in reason)
    return VendorUnavailable(
        VENDOR, f"{reason} ({status})", is_lasting=is_lasting, retry_after_s=like.retry_after_s
    )
