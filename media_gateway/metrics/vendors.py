"""Vendors with a stop-watch: each wraps a port, and tells a `VendorMeter` how fast it was and how it failed.

Wrap the adapter of one vendor, not the choice between several. Nothing is added to the audio's way but one call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from time import perf_counter
from weakref import WeakSet

from media_gateway.errors import NoUsableReply, VendorUnavailable
from media_gateway.metrics.ports import VendorMeter
from media_gateway.ports import Dialogue, PreparedReply, ReplyPart, ReplyRequest, ReplyTrace
from media_gateway.speech.ports import (
    Recognition,
    Speech,
    SpeechItem,
    SpeechToText,
    SpokenAudio,
    TextToSpeech,
    Transcript,
)


class MeasuredRecogniser:
    """Implements SpeechToText. First byte: from `finalize` to the words that answer it."""

    def __init__(self, recogniser: SpeechToText, vendor: str, meter: VendorMeter) -> None:
        self._recogniser = recogniser
        self._vendor = vendor
        self._meter = meter
        self._broken: WeakSet[asyncio.Task[object]] = WeakSet()
        """Tasks whose stream broke: one task listens for one call, and what it opens next is the same call's."""

    async def open(self, *, key_terms: Sequence[str] = ()) -> Recognition:
        """Connect. Raises VendorUnavailable."""
        began_s = perf_counter()
        try:
            recognition = await self._recogniser.open(key_terms=key_terms)
        except VendorUnavailable as error:
            self._meter.failed(self._vendor, error.reason)
            raise
        self._meter.connected(self._vendor, perf_counter() - began_s)
        task = asyncio.current_task()
        if task is not None and task in self._broken:
            self._broken.discard(task)
            self._meter.reconnected(self._vendor)
        return _MeasuredRecognition(recognition, self._vendor, self._meter, self._broken)


class _MeasuredRecognition:
    def __init__(
        self,
        recognition: Recognition,
        vendor: str,
        meter: VendorMeter,
        broken: WeakSet[asyncio.Task[object]],
    ) -> None:
        self._recognition = recognition
        self._vendor = vendor
        self._meter = meter
        self._broken = broken
        self._asked_s: float | None = None

    def send(self, mulaw: bytes) -> None:
        self._recognition.send(mulaw)

    async def finalize(self) -> None:
        self._asked_s = perf_counter()
        await self._recognition.finalize()

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        try:
            async for transcript in self._recognition:
                if transcript.from_finalize and self._asked_s is not None:
                    self._meter.first_byte(self._vendor, perf_counter() - self._asked_s)
                    self._asked_s = None
                yield transcript
        except VendorUnavailable as error:
            self._meter.failed(self._vendor, error.reason)
            if (task := asyncio.current_task()) is not None:
                self._broken.add(task)
            raise

    async def close(self) -> None:
        await self._recognition.close()


class MeasuredVoice:
    """Implements TextToSpeech. First byte: from a turn's first words to its first audio."""

    def __init__(self, voice: TextToSpeech, vendor: str, meter: VendorMeter) -> None:
        self._voice = voice
        self._vendor = vendor
        self._meter = meter

    async def begin(self) -> Speech:
        """Start an agent turn. Raises VendorUnavailable."""
        try:
            speech = await self._voice.begin()
        except VendorUnavailable as error:
            self._meter.failed(self._vendor, error.reason)
            raise
        return _MeasuredSpeech(speech, self._vendor, self._meter)

    async def close(self) -> None:
        """Release sockets. Idempotent."""
        await self._voice.close()


class _MeasuredSpeech:
    def __init__(self, speech: Speech, vendor: str, meter: VendorMeter) -> None:
        self._speech = speech
        self._vendor = vendor
        self._meter = meter
        self._asked_s: float | None = None
        self._is_heard = self._has_failed = False

    async def say(self, segment: int, text: str) -> None:
        self._asked_s = self._asked_s or perf_counter()
        try:
            await self._speech.say(segment, text)
        except VendorUnavailable as error:
            self._failed(error)
            raise

    async def finish(self) -> None:
        try:
            await self._speech.finish()
        except VendorUnavailable as error:
            self._failed(error)
            raise

    async def __aiter__(self) -> AsyncGenerator[SpeechItem, None]:
        try:
            async with aclosing(self._speech.__aiter__()) as items:
                async for item in items:
                    if not self._is_heard and isinstance(item, SpokenAudio) and item.mulaw:
                        self._is_heard = True
                        if self._asked_s is not None:
                            self._meter.first_byte(self._vendor, perf_counter() - self._asked_s)
                    yield item
        except VendorUnavailable as error:
            self._failed(error)
            raise

    async def cancel(self) -> None:
        await self._speech.cancel()

    def _failed(self, error: VendorUnavailable) -> None:
        """A socket that dies is seen by who writes and by who reads: it is one failure."""
        if not self._has_failed:
            self._has_failed = True
            self._meter.failed(self._vendor, error.reason)


class MeasuredDialogue:
    """Implements Dialogue. First byte: from the request to the first token, whoever of several models writes it.

    A turn that no model answered is a failure of `vendor`; what went wrong with one of several is `vendor:NAME`'s.
    """

    def __init__(self, dialogue: Dialogue, vendor: str, meter: VendorMeter) -> None:
        self._dialogue = dialogue
        self._vendor = vendor
        self._meter = meter

    async def warm(self) -> None:
        """See Dialogue."""
        await self._dialogue.warm()

    async def prepare(self, request: ReplyRequest) -> PreparedReply:
        """See Dialogue."""
        return await self._dialogue.prepare(request)

    async def reply(
        self,
        request: ReplyRequest,
        trace: ReplyTrace | None = None,
        prepared: PreparedReply | None = None,
    ) -> AsyncGenerator[ReplyPart, None]:
        """See Dialogue."""
        trace = trace or ReplyTrace()
        try:
            async with aclosing(self._dialogue.reply(request, trace, prepared)) as parts:
                async for part in parts:
                    yield part
        except NoUsableReply as error:
            self._meter.failed(self._vendor, error.reason)
            raise
        finally:
            for usage in trace.clients:
                is_only = usage.client == self._vendor
                name = self._vendor if is_only else f"{self._vendor}:{usage.client}"
                if usage.failure and not is_only:
                    self._meter.failed(name, usage.failure)
                self._meter.spent(
                    name, prompt_tokens=usage.prompt_tokens, tokens_written=usage.tokens_written
                )
            if trace.request_sent_s is not None and trace.first_token_s is not None:
                self._meter.first_byte(self._vendor, trace.first_token_s - trace.request_sent_s)
