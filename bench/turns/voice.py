"""A voice whose words can be recognised: Cartesia's `/tts/websocket` with coded audio, word times or none."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from typing import Any

import numpy as np
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from bench.turns.stamps import BYTES_PER_MS, word_audio
from bench.turns.truth import AgentWord, Truth
from media_gateway.twilio.mulaw import decode

CHUNK_MS = 200
BREATH_MS = 100
"""Silence behind each text."""


def word_ms(text: str) -> int:
    """How long a word is: some three and a half a second, in whole frames."""
    return 20 * max(5, round((80 + 45 * sum(letter.isalnum() for letter in text)) / 20))


class Voice:
    """One socket with many contexts."""

    def __init__(self, socket: ServerConnection, truth: Truth) -> None:
        self._socket = socket
        self._truth = truth
        self._contexts: dict[str, tuple[asyncio.Queue[dict[str, Any]], asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until either side closes."""
        try:
            with suppress(ConnectionClosed):
                async for text in self._socket:
                    self._take(json.loads(text))
        finally:
            for _, task in self._contexts.values():
                task.cancel()

    def _take(self, request: dict[str, Any]) -> None:
        name = str(request.get("context_id", ""))
        if request.get("cancel"):
            if name in self._contexts:
                self._contexts.pop(name)[1].cancel()
            return
        if name not in self._contexts:
            queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            self._contexts[name] = queue, asyncio.create_task(self._speak(name, queue))
        request["asked_s"] = asyncio.get_running_loop().time()
        self._contexts[name][0].put_nowait(request)

    async def _speak(self, name: str, queue: asyncio.Queue[dict[str, Any]]) -> None:
        loop = asyncio.get_running_loop()
        spoken_ms, flush, is_first = 0, 1, True
        with suppress(ConnectionClosed):
            while True:
                request = await queue.get()
                words = str(request.get("transcript", "")).split()
                if words:
                    if is_first and self._truth.strikes("voice_error"):
                        await self._send(name, "error", error_code="internal", status_code=500)
                        return
                    is_first = False
                    first_s = self._truth.seconds(self._truth.latencies.first_audio_ms)
                    due_s = request["asked_s"] + first_s
                    await asyncio.sleep(max(0.0, due_s - loop.time()))
                    form = request.get("output_format", {})
                    spoken_ms += await self._say(name, words, spoken_ms, flush, form)
                if request.get("flush"):
                    await self._send(name, "flush_done", flush_id=flush, flush_done=True)
                    flush += 1
                if not request.get("continue"):
                    await self._send(name, "done", done=True, status_code=200)
                    return

    async def _say(
        self, name: str, texts: list[str], at_ms: int, flush: int, form: dict[str, Any]
    ) -> int:
        words = [self._truth.speak(name, text, word_ms(text)) for text in texts]
        audio = b"".join(word_audio(word.number, word.ms) for word in words)
        audio += b"\xff" * (BREATH_MS * BYTES_PER_MS)
        times = _times(words, at_ms)
        step = CHUNK_MS * BYTES_PER_MS
        for begin in range(0, len(audio), step):
            chunk = audio[begin : begin + step]
            until_ms = at_ms + (begin + len(chunk)) // BYTES_PER_MS
            data = base64.b64encode(_as_asked(chunk, form)).decode()
            await self._send(name, "chunk", data=data, step_time=1.0, flush_id=flush)
            told = [times.pop(0) for _ in range(sum(t[1] < until_ms / 1000 for t in times))]
            if told and self._truth.has_word_times:
                fields = dict(zip(("words", "start", "end"), zip(*told, strict=True), strict=True))
                await self._send(name, "timestamps", word_timestamps=fields)
            await asyncio.sleep(CHUNK_MS / 1000 / self._truth.latencies.faster_than_real_time)
        return len(audio) // BYTES_PER_MS

    async def _send(self, name: str, kind: str, **fields: Any) -> None:
        message = {"type": kind, "done": False, "status_code": 206, "context_id": name, **fields}
        await self._socket.send(json.dumps(message))


def _times(words: list[AgentWord], at_ms: int) -> list[tuple[str, float, float]]:
    found = []
    for word in words:
        found.append((word.text, at_ms / 1000, (at_ms + word.ms) / 1000))
        at_ms += word.ms
    return found


def _as_asked(mulaw: bytes, form: dict[str, Any]) -> bytes:
    if form.get("sample_rate") != 8000:
        raise ValueError(
            f"the bench's voice speaks at 8000 Hz, asked for {form.get('sample_rate')}"
        )
    if form.get("encoding") == "pcm_s16le":
        return decode(mulaw).astype(np.dtype("<i2")).tobytes()
    return mulaw
