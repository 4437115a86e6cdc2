"""A recognition that is listened to while a test speaks into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.deepgram_listen.options import ListenOptions
from media_gateway.speech.deepgram_listen.stream import DeepgramRecognition
from media_gateway.speech.deepgram_stt import DeepgramSpeechToText
from media_gateway.speech.ports import Transcript
from tests.simulators.deepgram import KEY, Deepgram
from tests.simulators.spoken import frames


class Listened:
    """What was told, and how it ended."""

    def __init__(self, stt: DeepgramSpeechToText, stream: DeepgramRecognition) -> None:
        self.stt = stt
        self.stream = stream
        self.told: list[Transcript] = []
        self.lost: VendorUnavailable | None = None
        self._changed = asyncio.Condition()

    @property
    def finals(self) -> str:
        """All finished words."""
        return " ".join(t.text for t in self.told if t.is_final and t.text)

    async def speak(self, audio: bytes, *, real_time: float = 20) -> None:
        """So many times faster than it would be spoken."""
        for frame in frames(audio):
            self.stream.send(frame)
            await asyncio.sleep(0.02 / real_time)

    async def until(self, condition: Callable[[], object]) -> None:
        """Until what was told makes it true."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(condition)

    async def read(self) -> None:
        try:
            async for transcript in self.stream:
                self.told.append(transcript)
                await self._tell()
        except VendorUnavailable as error:
            self.lost = error
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def recogniser(
    vendor: Deepgram, options: ListenOptions | None = None, *, silent_after_s: float = 2.0
) -> DeepgramSpeechToText:
    """The adapter, at the simulator's address."""
    return DeepgramSpeechToText(
        api_key=KEY, base_url=vendor.url, options=options, silent_after_s=silent_after_s
    )


@asynccontextmanager
async def listening(stt: DeepgramSpeechToText) -> AsyncIterator[Listened]:
    """A stream, read until the end of the block."""
    listened = Listened(stt, await stt.open(key_terms=["Brightfield Solar"]))
    reader = asyncio.create_task(listened.read())
    try:
        yield listened
    finally:
        await listened.stream.close()
        async with asyncio.timeout(2):
            await reader
