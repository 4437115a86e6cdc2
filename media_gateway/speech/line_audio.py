"""Authored lines spoken once a process, one at a time in the background, so that a call need not wait for the voice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.line_shelf import LineShelf
from media_gateway.speech.ports import ReadyAudio, SpokenAudio, TextToSpeech, WordTime

log = structlog.get_logger(__name__)

MOST_BYTES = 16 << 20
"""Of audio kept: half an hour of speech, some hundred lines of ten scripts."""
MOST_WANTED = 2000
"""Lines that wait to be spoken."""
LINE_WITHIN_S = 20.0
PATIENCE_S = 30.0
"""A line waits this long for a moment without calls: they come first, but a busy gateway gets its lines, too."""
LOOK_EVERY_S = 0.25
TRIES = 3
FIRST_WAIT_S, MOST_WAIT_S = 2.0, 60.0
"""After a voice that failed."""
_NOTHING_AUDIBLE = frozenset({0xFF, 0x7F, 0xFE, 0x7E, 0xFD, 0x7D})
"""Mu-law samples around zero."""
LEAD_IN_BYTES = 160
"""20 ms of the silence before the first word stay: an opener that waits for nothing should not begin with a pause."""


class LineAudioCache:
    """Implements `LineAudio` on a voice. Memory is bounded: what does not fit is said live."""

    def __init__(
        self,
        voice: TextToSpeech,
        shelf: LineShelf | None = None,
        *,
        calls: Callable[[], int] = lambda: 0,
    ) -> None:
        """`shelf` keeps lines beyond the process; `calls` says how many there are now."""
        self._voice = voice
        self._shelf = shelf
        self._calls = calls
        self._ready: dict[str, ReadyAudio] = {}
        self._bytes = 0
        self._wanted: deque[str] = deque()
        self._known: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def ready(self, text: str) -> ReadyAudio | None:
        """See `LineAudio`."""
        return self._ready.get(text)

    def want(self, lines: Iterable[str]) -> None:
        """Have these lines spoken when there is time, in this order. Begins in the background; repeats cost nothing."""
        for text in lines:
            if text not in self._known and len(self._wanted) < MOST_WANTED:
                self._known.add(text)
                self._wanted.append(text)
        if self._wanted and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._speak_all(), name="line audio")

    async def close(self) -> None:
        """Stop speaking. What is ready stays so. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _speak_all(self) -> None:
        tries, wait_s = 0, FIRST_WAIT_S
        while self._wanted:
            text = self._wanted[0]
            try:
                audio = await self._from_shelf(text) or await self._spoken(text)
            except Exception as error:  # noqa: BLE001 - a task's top: whatever it is, the line is said live
                tries += 1
                log.warning("line_not_spoken", error=type(error).__name__, tries=tries)
                await asyncio.sleep(wait_s)
                wait_s = min(MOST_WAIT_S, 2 * wait_s)
                if tries < TRIES:
                    continue
            else:
                wait_s = FIRST_WAIT_S
                if self._bytes + len(audio.mulaw) > MOST_BYTES:
                    log.warning("line_audio_full", bytes=self._bytes, left_out=len(self._wanted))
                    self._wanted.clear()
                    return
                self._ready[text] = audio
                self._bytes += len(audio.mulaw)
            tries = 0
            self._wanted.popleft()
        log.info("lines_ready", lines=len(self._ready), bytes=self._bytes)

    async def _from_shelf(self, text: str) -> ReadyAudio | None:
        return None if self._shelf is None else await asyncio.to_thread(self._shelf.take, text)

    async def _spoken(self, text: str) -> ReadyAudio:
        await self._calm()
        async with asyncio.timeout(LINE_WITHIN_S):
            audio = await self._speak(text)
        if self._shelf is not None:
            await asyncio.to_thread(self._shelf.put, text, audio)
        return audio

    async def _calm(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self._calls():  # noqa: ASYNC110 - a look now and then; calls need not tell us
                    await asyncio.sleep(LOOK_EVERY_S)

    async def _speak(self, text: str) -> ReadyAudio:
        speech = await self._voice.begin()
        mulaw = bytearray()
        words: list[WordTime] = []
        is_whole = False
        try:
            await speech.say(0, text)
            await speech.finish()
            async for item in speech:
                if isinstance(item, SpokenAudio):
                    mulaw += item.mulaw
                    words += item.words
            is_whole = True
        finally:
            if not is_whole:
                await speech.cancel()
        if not mulaw:
            raise VendorUnavailable("voice", "no audio for a line")
        return _without_lead_in(bytes(mulaw), words)


def _without_lead_in(mulaw: bytes, words: list[WordTime]) -> ReadyAudio:
    """The line from shortly before its first sound; word times go along."""
    first = next((at for at, byte in enumerate(mulaw) if byte not in _NOTHING_AUDIBLE), 0)
    cut_ms = max(0, first - LEAD_IN_BYTES) // 8
    return ReadyAudio(
        mulaw=mulaw[cut_ms * 8 :],
        words=tuple(
            WordTime(
                word=word.word,
                start_ms=max(0, word.start_ms - cut_ms),
                end_ms=max(0, word.end_ms - cut_ms),
            )
            for word in words
        ),
    )
