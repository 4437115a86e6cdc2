"""The peer: a relay that does a call's input and output and no more. What it takes is the floor of this machine.

No script, no turn machine, no marks, no BAML, no retrieval, no voice detector: loudness asks for the words, the words
ask the model, its first sentence goes to the voice, and the voice's audio to the line.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import uuid

import httpx
import uvicorn
import uvloop
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from httpx_sse import EventSource
from websockets.asyncio.client import ClientConnection, connect

from callspine.settings import Settings, base_url

FINALIZE_AFTER_FRAMES = 22
_SENTENCE = re.compile(r'":\s*"(.*?\.)')


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    app = FastAPI()
    relay = _Relay(settings)
    app.add_api_websocket_route("/media", relay.call)
    app.add_api_route("/health", relay.health)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
    )
    uvloop.run(uvicorn.Server(config).serve())


class _Relay:
    def __init__(self, settings: Settings) -> None:
        self._stt_url = f"{base_url(settings.deepgram_base_url)}/v1/listen"
        self._tts_url = f"{base_url(settings.cartesia_base_url)}/tts/websocket"
        self._llm_url = f"{base_url(settings.llm_base_url)}/chat/completions"
        self._http = httpx.AsyncClient()

    async def health(self) -> dict[str, str]:
        return {"status": "ok"}

    async def call(self, line: WebSocket) -> None:
        await line.accept()
        async with connect(self._stt_url) as stt, connect(self._tts_url) as tts:
            tasks = [
                asyncio.create_task(self._words(stt, tts)),
                asyncio.create_task(self._audio(tts, line)),
            ]
            try:
                await self._hear(line, stt)
            except (WebSocketDisconnect, RuntimeError):
                pass
            finally:
                for task in tasks:
                    task.cancel()

    async def _hear(self, line: WebSocket, stt: ClientConnection) -> None:
        quiet, spoke = 0, False
        while True:
            message = json.loads(await line.receive_text())
            if message["event"] == "start":
                # The caller waits for a first word, as he does of the gateway.
                payload = base64.b64encode(b"\x7f" * 800).decode()
                media = {"event": "media", "streamSid": "MZ1", "media": {"payload": payload}}
                await line.send_text(json.dumps(media))
            if message["event"] != "media":
                continue
            audio = base64.b64decode(message["media"]["payload"])
            await stt.send(audio)
            is_quiet = audio.count(0xFF) > 100
            spoke, quiet = (spoke or not is_quiet), quiet + 1 if is_quiet else 0
            if spoke and quiet == FINALIZE_AFTER_FRAMES:
                spoke = False
                await stt.send('{"type": "Finalize"}')

    async def _words(self, stt: ClientConnection, tts: ClientConnection) -> None:
        async for text in stt:
            result = json.loads(text)
            if not result["is_final"]:
                continue
            words = result["channel"]["alternatives"][0]["transcript"]
            body = {"stream": True, "messages": [{"role": "user", "content": words}]}
            context, reply, is_spoken = uuid.uuid4().hex, "", False
            async with self._http.stream("POST", self._llm_url, json=body) as response:
                async for event in EventSource(response).aiter_sse():
                    if event.data == "[DONE]":
                        continue  # to the end, so that the connection serves the next turn
                    reply += json.loads(event.data)["choices"][0]["delta"]["content"]
                    if not is_spoken and (found := _SENTENCE.search(reply)):
                        is_spoken = True
                        say = {"context_id": context, "transcript": found[1], "continue": False}
                        await tts.send(json.dumps(say))

    async def _audio(self, tts: ClientConnection, line: WebSocket) -> None:
        async for text in tts:
            message = json.loads(text)
            if message["type"] == "chunk":
                media = {"payload": message["data"]}
                await line.send_text(
                    json.dumps({"event": "media", "streamSid": "MZ1", "media": media})
                )
