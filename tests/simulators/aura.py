"""Deepgram's `/v1/speak` as its documentation has it: Speak, Flush and its limit, Clear, Close, audio without a label."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from tests.simulators.serving import serving
from tests.simulators.steps import Connect, Fault, Say, Steps, WordSounds


@dataclass
class Aura:
    """One simulated service."""

    steps: Steps
    sounds: WordSounds
    most_flushes: int
    url: str = ""
    sockets: list[ServerConnection] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    """Types of the messages that came, of all sockets."""
    warnings: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(condition)

    async def connected(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        await socket.send(json.dumps({"type": "Metadata", "request_id": "r", "model_name": "m"}))
        session = _Session(self, socket)
        try:
            await self.tell()
            async for text in socket:
                assert isinstance(text, str), "this socket takes text"
                request = json.loads(text)
                self.sent.append(request["type"])
                await session.asked(request)
                await self.tell()
        finally:
            session.close()

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class _Session:
    def __init__(self, aura: Aura, socket: ServerConnection) -> None:
        self._aura = aura
        self._socket = socket
        self._text: list[str] = []
        self._flushed: deque[list[str]] = deque()
        self._flushes = 0
        self._sequence = 0
        self._speaking: asyncio.Task[None] | None = None

    async def asked(self, request: dict[str, Any]) -> None:
        match request["type"]:
            case "Speak":
                if len(request["text"]) > 2000:
                    await self._socket.close(1008, "DATA-0001")
                self._text.append(request["text"].strip())
            case "Flush":
                self._flushes += 1
                if self._flushes > self._aura.most_flushes:
                    self._aura.warnings += 1
                    warning = {"type": "Warning", "code": "FLUSH_LIMIT", "description": "too many"}
                    await self._socket.send(json.dumps(warning))
                    return
                self._flushed.append(self._text)
                self._text = []
                if self._speaking is None or self._speaking.done():
                    self._speaking = asyncio.create_task(self._speak())
            case "Clear":
                self._text, self._flushed = [], deque()
                if self._speaking is not None:
                    self._speaking.cancel()
                await self._socket.send(self._aura.sounds.of("stray"))  # it was on its way
                await self._answer("Cleared")
            case "Close":
                await self._socket.close(1000)
            case kind:
                self._aura.steps.wrong.append(f"message {kind}")

    def close(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()

    async def _speak(self) -> None:
        while self._flushed:
            for text in self._flushed.popleft():
                if not await self._say(self._aura.steps.says(text)):
                    return
            await self._answer("Flushed")

    async def _say(self, say: Say) -> bool:
        words = say.text.split()
        fault = say.fault
        for n, word in enumerate(words):
            if fault is not None and fault.after_words == n and not await self._fail(fault):
                return False
            await self._socket.send(self._aura.sounds.of(word))
        if fault is not None and fault.after_words >= len(words):
            return await self._fail(fault)
        return True

    async def _fail(self, fault: Fault) -> bool:
        """True: it was only late."""
        if fault.late_s:
            await asyncio.sleep(fault.late_s)
            return True
        if fault.aborts:
            self._socket.transport.abort()
        elif fault.close:
            await self._socket.close(fault.close, fault.reason)
        elif fault.error:
            error = {"type": "Error", "code": fault.error, "description": fault.error}
            await self._socket.send(json.dumps(error))
        elif fault.raw:
            await self._socket.send(fault.raw)
        return False

    async def _answer(self, kind: str) -> None:
        await self._socket.send(json.dumps({"type": kind, "sequence_id": self._sequence}))
        self._sequence += 1


@asynccontextmanager
async def aura(
    *steps: Connect | Say, ms_per_word: int = 120, most_flushes: int = 20
) -> AsyncIterator[Aura]:
    """A service with this script; connections that are not among the steps are refused."""
    made = Aura(Steps(steps), WordSounds(ms_per_word, 128), most_flushes)
    async with serving(made.steps, made.connected, _faults_of) as made.url:
        yield made


def _faults_of(request: Request) -> list[str]:
    url = urlsplit(request.path)
    query = parse_qs(url.query)
    wrong = []
    if url.path != "/v1/speak":
        wrong.append(f"path {url.path}")
    if query.get("encoding") != ["mulaw"] or query.get("sample_rate") != ["8000"]:
        wrong.append("not the line's audio")
    if not query.get("model", [""])[0].startswith("aura"):
        wrong.append("no model")
    if not request.headers.get("Authorization", "").startswith("Token "):
        wrong.append("no key in the headers")
    return wrong
