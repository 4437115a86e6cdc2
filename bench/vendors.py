"""Vendors that answer at once and write down when they were asked and when they answered: what is left is the gateway's.

A caller is told apart by a number: the recogniser gives it in the words, the model hands it on, the voice speaks it as
the value of its audio bytes. All times are of this process's monotonic clock, in seconds.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

HOLD_WORDS_S = 0.35
"""The words come after the pause has decided, so that nothing but the words is waited for."""
REPLY_MS = 300
_NUMBER = re.compile(r"caller (\d+)\b")


@dataclass
class Stamps:
    """One turn of one caller."""

    words_sent: float
    model_asked: float = 0.0
    words_written: float = 0.0
    voice_asked: float = 0.0
    audio_sent: float = 0.0
    audio_arrived: float = 0.0

    @property
    def own_ms(self) -> dict[str, float]:
        """Milliseconds between a vendor's answer and the gateway's next act."""
        legs = {
            "words → model": self.model_asked - self.words_sent,
            "first sentence → voice": self.voice_asked - self.words_written,
            "first audio → line": self.audio_arrived - self.audio_sent,
        }
        return {name: 1000 * seconds for name, seconds in legs.items()}


@dataclass
class InstantVendors:
    """All three vendors of all callers, and the turns that they saw."""

    turns: dict[int, list[Stamps]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def app(self) -> FastAPI:
        """To be served on one port."""
        app = FastAPI()
        app.add_api_websocket_route("/v1/listen", self._listen)
        app.add_api_websocket_route("/tts/websocket", self._speak)
        app.add_api_route("/v1/chat/completions", self._complete, methods=["POST"])
        return app

    def arrived(self, payload: bytes) -> None:
        """The first audio of a reply is on the line."""
        turns = self.turns.get(payload[0], [])
        if turns and turns[-1].audio_sent and not turns[-1].audio_arrived:
            turns[-1].audio_arrived = time.monotonic()

    async def _listen(self, socket: WebSocket) -> None:
        await socket.accept()
        number = next(self._numbers)
        try:
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                if '"Finalize"' in (message.get("text") or ""):
                    await socket.send_text(_results(f"yes it is caller {number} here", False))
                    await asyncio.sleep(HOLD_WORDS_S)
                    stamps = Stamps(words_sent=time.monotonic())
                    self.turns.setdefault(number, []).append(stamps)
                    await socket.send_text(_results(f"Yes, it is caller {number} here.", True))
        except (WebSocketDisconnect, RuntimeError):
            return

    async def _complete(self, request: Request) -> StreamingResponse:
        asked = time.monotonic()
        prompt = (await request.body()).decode()
        number = int(_NUMBER.findall(prompt)[-1])
        stamps = self.turns[number][-1]
        stamps.model_asked = asked

        async def events() -> AsyncIterator[str]:
            say = f"Thank you caller {number} that helps. Please go on."
            text = json.dumps({"move": "continue_stage", "slots": [], "say": say})
            stamps.words_written = time.monotonic()
            yield _token(text[:-22]) + _token(text[-22:])
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _speak(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                request = json.loads(await socket.receive_text())
                asked = time.monotonic()
                if not request.get("cancel"):
                    await self._answer(socket, request, asked)
        except (WebSocketDisconnect, RuntimeError):
            return

    async def _answer(self, socket: WebSocket, request: dict[str, Any], asked: float) -> None:
        context = {"context_id": request["context_id"]}
        if words := request.get("transcript", "").strip():
            found = _NUMBER.search(words)
            number = int(found.group(1)) if found else 0
            stamps = self.turns[number][-1] if number in self.turns else None
            audio = base64.b64encode(bytes([number or 0x7F]) * 8 * REPLY_MS).decode()
            if stamps is not None and not stamps.voice_asked:
                stamps.voice_asked = asked
                stamps.audio_sent = time.monotonic()
            await socket.send_json({"type": "chunk", "data": audio, **context})
        if request.get("flush"):
            await socket.send_json({"type": "flush_done", "flush_id": 1, **context})
        if request.get("continue") is False:
            await socket.send_json({"type": "done", "done": True, **context})


def _token(text: str) -> str:
    return f"data: {json.dumps({'choices': [{'index': 0, 'delta': {'content': text}}]})}\n\n"


def _results(text: str, is_final: bool) -> str:
    info = {"name": "n", "version": "v", "arch": "a"}
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": 1.0,
            "start": 0.0,
            "is_final": is_final,
            "speech_final": False,
            "from_finalize": is_final,
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": []}]},
            "metadata": {"request_id": "r", "model_uuid": "m", "model_info": info},
        }
    )
