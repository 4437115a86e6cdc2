"""Several recognisers behind the port of one: when a stream is lost another is opened, and hears again what had no words.

A stream moves on by itself, in less time than a caller's pause. It ends only when no recogniser can be reached; then the
call's `Listening` goes on trying. A recogniser that reconnects by itself is left to do so: what counts is that it gives up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.failover.provider import Provider
from media_gateway.failover.unfinalised import Unfinalised
from media_gateway.speech.ports import Recognition, SpeechToText, Transcript

log = structlog.get_logger(__name__)

OPEN_WITHIN_S = 1.0
"""For a recogniser to be there, when another one can be asked."""


class FailoverSpeechToText:
    """Implements SpeechToText. Owns the probes."""

    def __init__(self, providers: Sequence[Provider[SpeechToText]]) -> None:
        """`providers`: at least one, the preferred one first."""
        if not providers:
            raise ValueError("no recogniser")
        self._providers = providers

    async def open(self, *, key_terms: Sequence[str] = ()) -> FailoverRecognition:
        """See SpeechToText. Raises VendorUnavailable of the last one that was asked."""
        opener = _Opener(self._providers, tuple(key_terms))
        provider, recognition = await opener.open(after=None)
        return FailoverRecognition(opener, provider, recognition)

    async def close(self) -> None:
        """Stop probing. Idempotent."""
        for provider in self._providers:
            await provider.close()


class _Opener:
    """Opens the next stream of a call, wherever it can be had."""

    def __init__(
        self, providers: Sequence[Provider[SpeechToText]], key_terms: tuple[str, ...]
    ) -> None:
        self._providers = providers
        self._key_terms = key_terms

    @property
    def choices(self) -> int:
        """How many there are to be asked."""
        return len(self._providers)

    async def open(
        self, *, after: Provider[SpeechToText] | None
    ) -> tuple[Provider[SpeechToText], Recognition]:
        """The well ones first, and last the one that was just lost. Raises VendorUnavailable when there is none."""
        last: VendorUnavailable | None = None
        order = sorted(self._providers, key=lambda one: (not one.is_well, one is after))
        for provider in order:
            try:
                async with asyncio.timeout(OPEN_WITHIN_S if len(order) > 1 else None):
                    recognition = await provider.port.open(key_terms=self._key_terms)
            except VendorUnavailable as error:
                last = error
            except TimeoutError:
                last = VendorUnavailable(provider.name, "not open in time")
            else:
                return provider, recognition
            provider.failed(last)
            log.warning("recogniser_not_open", vendor=provider.name, reason=last.reason)
        assert last is not None  # noqa: S101 - there is at least one provider
        raise last


class FailoverRecognition:
    """One call's; implements Recognition."""

    def __init__(
        self, opener: _Opener, provider: Provider[SpeechToText], recognition: Recognition
    ) -> None:
        self._opener = opener
        self._provider = provider
        self._recognition: Recognition | None = recognition
        """None while another one is opened."""
        self._kept = Unfinalised()
        self._began_at_ms = 0
        """Where in all the audio the present stream's begins."""
        self._fruitless = 0
        """Streams in a row that were lost before they said anything."""
        self._closing: set[asyncio.Task[None]] = set()
        self._is_closed = False
        self._is_served = False

    def send(self, mulaw: bytes) -> None:
        """See Recognition."""
        if not mulaw:
            return
        self._kept.sent(mulaw)
        if self._recognition is not None:
            self._recognition.send(mulaw)

    async def finalize(self) -> None:
        """See Recognition. Asked again of a recogniser that comes before the answer."""
        self._kept.asked()
        if self._recognition is not None:
            await self._recognition.finalize()

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        """See Recognition. Raises VendorUnavailable when no recogniser can be reached."""
        while self._recognition is not None:
            try:
                async for transcript in self._recognition:
                    if transcript.until_ms is not None:
                        until_ms = transcript.until_ms + self._began_at_ms
                        transcript = replace(transcript, until_ms=until_ms)
                    self._kept.transcribed(transcript)
                    self._serves()
                    yield transcript
            except VendorUnavailable as error:
                await self._move_on(error)
            else:
                return

    async def close(self) -> None:
        """See Recognition."""
        self._is_closed = True
        recognition, self._recognition = self._recognition, None
        if recognition is not None:
            await recognition.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _serves(self) -> None:
        """It says something: that it can be opened alone is no service."""
        if not self._is_served:
            self._provider.succeeded()
        self._is_served, self._fruitless = True, 0

    async def _move_on(self, error: VendorUnavailable) -> None:
        lost, self._recognition = self._recognition, None
        self._provider.failed(error)
        self._is_served = False
        self._fruitless += 1
        log.warning("recogniser_broke_off", vendor=error.vendor, reason=error.reason)
        if lost is not None:
            self._let_go(lost)
        if self._fruitless > self._opener.choices:
            raise error  # all of them open, and none of them stays: whoever tries on has to wait in between
        self._provider, recognition = await self._opener.open(after=self._provider)
        if self._is_closed:
            await recognition.close()
            return
        self._began_at_ms = self._kept.starts_at_ms
        replayed = self._kept.replay()
        for piece in replayed:
            recognition.send(piece)
        self._recognition = recognition
        log.info("recogniser_changed", vendor=self._provider.name, replayed=len(replayed))
        if self._kept.is_answer_due:
            await recognition.finalize()

    def _let_go(self, recognition: Recognition) -> None:
        """Meanwhile: it may take a second to end, and nobody waits for it."""

        async def close() -> None:
            await recognition.close()

        task = asyncio.create_task(close(), name="close recogniser")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def probe_recogniser(port: SpeechToText) -> None:
    """Whether a stream can be opened. That words come of it is not known without speech. Raises VendorUnavailable."""
    recognition = await port.open()
    await recognition.close()
