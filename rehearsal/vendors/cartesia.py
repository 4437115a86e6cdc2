"""A voice that speaks Cartesia's `/tts/websocket`: contexts, flushes, cancel, word times, raw 8 kHz mu-law.

Built to the documented protocol. Its word times are spread over the audio by the words' lengths.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from rehearsal.audio import LINE_HZ, to_mulaw
from rehearsal.voice import LocalVoice

router = APIRouter()

CHUNK_BYTES = 1600
"""A fifth of a second."""
BREATH_S = 0.12
"""Silence behind a sentence."""


@router.websocket("/tts/websocket")
async def speak(socket: WebSocket) -> None:
    """One socket with many contexts."""
    if not socket.headers.get("x-api-key") or not socket.query_params.get("cartesia_version"):
        await socket.close(1008)  # before accept: HTTP 403
        return
    await socket.accept()
    contexts: dict[str, _Context] = {}
    try:
        while True:
            request = json.loads(await socket.receive_text())
            context_id = str(request.get("context_id", ""))
            if request.get("cancel"):
                if (gone := contexts.pop(context_id, None)) is not None:
                    gone.cancel()
                continue
            context = contexts.get(context_id)
            if context is None:
                context = contexts[context_id] = _Context(socket, context_id)
            context.requests.put_nowait(request)
    except (WebSocketDisconnect, ValueError):
        return
    finally:
        for context in contexts.values():
            context.cancel()


class _Context:
    """One stream of requests, spoken in order."""

    def __init__(self, socket: WebSocket, context_id: str) -> None:
        self._socket = socket
        self._voice: LocalVoice = socket.app.state.voice
        self._thread: ThreadPoolExecutor = socket.app.state.voice_thread
        self._context_id = context_id
        self._flush_id = 1
        self._spoken_s = 0.0
        self.requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task = asyncio.create_task(self._work())

    def cancel(self) -> None:
        self._task.cancel()

    async def _work(self) -> None:
        with suppress(RuntimeError, WebSocketDisconnect):  # the client is gone
            while True:
                request = await self.requests.get()
                wanted = request.get("output_format", {})
                if wanted.get("encoding") != "pcm_mulaw" or wanted.get("sample_rate") != LINE_HZ:
                    await self._send("error", error_code="invalid_output_format", status_code=400)
                    return
                text = str(request.get("transcript", "")).strip()
                if text:
                    await self._say(text)
                if request.get("flush"):
                    await self._send("flush_done", flush_id=self._flush_id, flush_done=True)
                    self._flush_id += 1
                if not request.get("continue"):
                    await self._send("done", done=True, status_code=200)
                    return

    async def _say(self, text: str) -> None:
        began_s = time.monotonic()
        loop = asyncio.get_running_loop()
        samples = await loop.run_in_executor(self._thread, self._voice.say, text)
        mulaw = to_mulaw(samples) + b"\xff" * int(BREATH_S * LINE_HZ)
        step_ms = round((time.monotonic() - began_s) * 1000, 1)
        await self._send("timestamps", word_timestamps=self._times(text, len(samples) / LINE_HZ))
        for at in range(0, len(mulaw), CHUNK_BYTES):
            data = base64.b64encode(mulaw[at : at + CHUNK_BYTES]).decode()
            await self._send("chunk", data=data, step_time=step_ms, flush_id=self._flush_id)
        self._spoken_s += len(mulaw) / LINE_HZ

    def _times(self, text: str, seconds: float) -> dict[str, list[Any]]:
        words = text.split()
        per_letter_s = seconds / max(1, sum(len(word) + 1 for word in words))
        starts, ends, at_s = [], [], self._spoken_s
        for word in words:
            starts.append(round(at_s, 3))
            at_s += (len(word) + 1) * per_letter_s
            ends.append(round(at_s, 3))
        return {"words": words, "start": starts, "end": ends}

    async def _send(self, kind: str, **fields: Any) -> None:
        message = {
            "type": kind,
            "done": False,
            "status_code": 206,
            "context_id": self._context_id,
            **fields,
        }
        await self._socket.send_text(json.dumps(message))
