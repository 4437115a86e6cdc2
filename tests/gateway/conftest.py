"""A gateway on a free port, with fakes at its ports, and a carrier's side of one media stream."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from media_gateway.app import create_app
from media_gateway.opener_prefetch import OpenerVectors
from media_gateway.parts import GatewayParts
from media_gateway.signature import CarrierSignature
from media_gateway.speech.ports import TextToSpeech
from media_gateway.stream_token import StreamTokens
from media_gateway.turns.recording import Recorder
from media_gateway.turns.types import TurnPolicy
from rehearsal.carrier.playout import PlayoutBuffer
from tests.gateway.fakes import (
    INBOUND_HASH,
    LOUD,
    FakeDialogue,
    FakeEars,
    FakeEmbedding,
    FakeLines,
    FakeLink,
    FakeRecogniser,
    FakeRecorder,
    FakeVoice,
)
from tests.servers import serving

AUTH_TOKEN = "an auth token of the tests"
POLICY = TurnPolicy(
    end_pause_ms=200,
    unfinished_pause_ms=400,
    flush_after_ms=60,
    words_wait_ms=600,
    filler_after_ms=400,
    fallback_after_ms=900,
    silence_ms=2500,
    stuck_ms=3000,
    drain_ms=60,
)


@dataclass
class Gateway:
    """A running gateway and the fakes it is made of."""

    link: FakeLink
    recogniser: FakeRecogniser
    voice: FakeVoice
    dialogue: FakeDialogue
    ears: FakeEars
    recorder: FakeRecorder
    tokens: StreamTokens
    lines: FakeLines = field(default_factory=FakeLines)
    embedding: FakeEmbedding = field(default_factory=FakeEmbedding)
    url: str = ""
    parts: GatewayParts | None = None

    def signature(self, url: str, form: dict[str, str] | None = None) -> str:
        return str(RequestValidator(AUTH_TOKEN).compute_signature(url, form or {}))

    async def post(
        self, path: str, form: dict[str, str], *, signature: str | None = None
    ) -> httpx.Response:
        url = self.url + path
        signed = self.signature(url, form) if signature is None else signature
        async with httpx.AsyncClient() as http:
            return await http.post(url, data=form, headers={"X-Twilio-Signature": signed})

    @property
    def media_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/media"

    def connect(self, *, signature: str | None = None) -> connect:
        signed = self.signature(self.media_url) if signature is None else signature
        return connect(
            self.media_url, additional_headers={"X-Twilio-Signature": signed}, proxy=None
        )

    async def stream(self, call_id: str = "call-1") -> Line:
        socket = await self.connect()
        token = self.tokens.issue(call_id, now_s=time.time())
        line = Line(socket)
        await line.start({"call_id": call_id, "token": token})
        return line


@dataclass
class Line:
    """The carrier's side of a stream: a 20 ms clock, a playout buffer, a mouth."""

    socket: ClientConnection
    buffer: PlayoutBuffer = field(default_factory=PlayoutBuffer)
    messages: list[dict[str, Any]] = field(default_factory=list)
    heard: bytearray = field(default_factory=bytearray)
    speaking_ms: int = 0
    quiet_frames: int = 0
    agent_spoke: bool = False
    """Since the caller last began to speak."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    echoes: bool = True

    async def start(self, parameters: dict[str, str]) -> None:
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        start = {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": parameters,
        }
        await self.send({"event": "start", "streamSid": "MZ1", "start": start})
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._tick())]

    async def send(self, message: dict[str, Any] | str) -> None:
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def speak(self, ms: int) -> None:
        """The caller makes sound for this long from now on."""
        self.speaking_ms = ms
        self.agent_spoke = False

    async def until(self, condition: Callable[[], bool], within_s: float = 15.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.01)

    async def agent_done(self, *, quiet_ms: int = 200) -> None:
        """Until the agent has answered what the caller said last, and is quiet."""
        await self.until(
            lambda: (
                self.agent_spoke
                and self.speaking_ms <= 0
                and not self.buffer.waiting_bytes
                and 20 * self.quiet_frames >= quiet_ms
            )
        )

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == kind]

    async def hang_up(self) -> None:
        """`stop`, then close."""
        await self.send({"event": "stop", "streamSid": "MZ1", "stop": {}})
        await self.close()

    async def close(self) -> None:
        await self.socket.close()
        await self.closed.wait()
        for task in self._tasks:
            task.cancel()

    async def _read(self) -> None:
        try:
            await self._take_all()
        except ConnectionClosed:
            pass  # closed with another code than 1000
        finally:
            self.closed.set()

    async def _take_all(self) -> None:
        async for text in self.socket:
            message = json.loads(text)
            self.messages.append(message)
            match message["event"]:
                case "media":
                    self.buffer.add(base64.b64decode(message["media"]["payload"]))
                case "mark":
                    await self._echo(self.buffer.mark(message["mark"]["name"]))
                case "clear":
                    await self._echo(self.buffer.clear())

    async def _echo(self, names: list[str]) -> None:
        for name in names if self.echoes else ():
            await self.send({"event": "mark", "streamSid": "MZ1", "mark": {"name": name}})

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        chunk, due_s = 0, loop.time()
        with suppress(Exception):  # the socket is closed
            while True:
                chunk += 1
                loud = self.speaking_ms > 0
                self.speaking_ms -= 20 if loud else 0
                payload = bytes([LOUD if loud else 0xFF]) * 160
                media = {
                    "track": "inbound",
                    "chunk": str(chunk),
                    "timestamp": str((chunk - 1) * 20),
                    "payload": base64.b64encode(payload).decode(),
                }
                await self.send({"event": "media", "streamSid": "MZ1", "media": media})
                frame, marks = self.buffer.play()
                self.heard += frame
                is_quiet = frame.count(0xFF) == len(frame)
                self.quiet_frames = self.quiet_frames + 1 if is_quiet else 0
                self.agent_spoke |= not is_quiet and self.speaking_ms <= 0
                await self._echo(marks)
                due_s += 0.02
                await asyncio.sleep(max(0.0, due_s - loop.time()))


@pytest.fixture
def recorder() -> Recorder | None:
    """Of turn-taking, when a module overrides this; else the fake one."""
    return None


@pytest.fixture
def mouth() -> TextToSpeech | None:
    """What calls speak with, when a module overrides this; else the fake voice."""
    return None


@pytest.fixture
async def gateway(recorder: Recorder | None, mouth: TextToSpeech | None) -> AsyncIterator[Gateway]:
    running = Gateway(
        link=FakeLink(),
        recogniser=FakeRecogniser(),
        voice=FakeVoice(),
        dialogue=FakeDialogue(),
        ears=FakeEars(),
        recorder=FakeRecorder(),
        tokens=StreamTokens("a secret of the tests"),
    )

    def make_app(url: str) -> FastAPI:
        running.url = url
        running.parts = GatewayParts(
            gateway_id="gateway-test",
            public_url=running.url,
            inbound_script="solar_consult",
            inbound_script_hash=lambda: INBOUND_HASH,
            longest_message_bytes=20_000,
            most_resumes=2,
            signature=CarrierSignature(AUTH_TOKEN, running.url),
            tokens=running.tokens,
            link=running.link,
            recogniser=running.recogniser,
            voice=mouth or running.voice,
            ears=running.ears,
            dialogue=running.dialogue,
            lines=running.lines,
            openers=OpenerVectors(running.embedding),
            policy=POLICY,
            recorder=recorder or running.recorder,
        )
        return create_app(running.parts)

    async with serving(make_app):
        yield running
