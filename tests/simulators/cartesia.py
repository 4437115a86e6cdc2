"""Cartesia's `/tts/websocket` as its documentation has it: contexts, continuations, flushes, word times, expiry, errors."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request

from tests.simulators.serving import serving
from tests.simulators.steps import Connect, Fault, Say, Steps, WordSounds

FORMAT = {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000}
KNOWN = frozenset(
    "context_id model_id transcript voice language output_format continue add_timestamps "
    "max_buffer_delay_ms flush cancel".split()
)
MAY_CHANGE = frozenset({"transcript", "continue", "flush"})


@dataclass
class _Context:
    socket: ServerConnection
    context_id: str
    fixed: dict[str, Any]
    requests: asyncio.Queue[dict[str, Any]] = field(default_factory=asyncio.Queue)
    task: asyncio.Task[None] | None = None
    flush_id: int = 1
    spoken_s: float = 0.0
    is_closed: bool = False
    quiet_since_s: float | None = None


@dataclass
class Cartesia:
    """One simulated service."""

    steps: Steps
    sounds: WordSounds
    expires_s: float
    expires_with: str
    """`error` or `done`: which of them the service answers with is not documented."""
    most_contexts: int
    url: str = ""
    sockets: list[ServerConnection] = field(default_factory=list)
    contexts: dict[str, _Context] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    expired: int = 0
    """Requests that came for a context that was given up."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def active(self) -> int:
        return sum(not context.is_closed for context in self.contexts.values())

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(condition)

    async def connected(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        try:
            await self._tell()
            async for text in socket:
                assert isinstance(text, str), "this socket takes text"
                await self._asked(socket, json.loads(text))
        finally:
            for context in self.contexts.values():
                if context.socket is socket and context.task is not None:
                    context.task.cancel()
                    context.is_closed = True

    async def _asked(self, socket: ServerConnection, request: dict[str, Any]) -> None:
        if unknown := set(request) - KNOWN:
            self.steps.wrong.append(f"fields {sorted(unknown)}")
        name = request.get("context_id", "")
        context = self.contexts.get(name)
        if request.get("cancel"):
            self.cancelled.append(name)
            await self._tell()
            return  # what is being generated goes on
        if context is None:
            context = self._begin(socket, request)
            if self.active > self.most_contexts:
                context.is_closed = True
                await _error(context, "concurrency_limited", 429)
                return
        fixed = {key: value for key, value in request.items() if key not in MAY_CHANGE}
        if fixed != context.fixed:
            self.steps.wrong.append("other settings within a context")
        now_s = asyncio.get_running_loop().time()
        quiet_s = context.quiet_since_s
        if quiet_s is not None and now_s - quiet_s > self.expires_s:
            context.is_closed = True
            self.expired += 1
        if context.is_closed:
            if self.expires_with == "error":
                await _error(context, "context_expired", 400)
            else:
                await _send(context, "done", done=True)
            return
        context.quiet_since_s = None
        context.requests.put_nowait(request)

    def _begin(self, socket: ServerConnection, request: dict[str, Any]) -> _Context:
        fixed = {key: value for key, value in request.items() if key not in MAY_CHANGE}
        context = _Context(socket, request["context_id"], fixed)
        self.contexts[context.context_id] = context
        context.task = asyncio.create_task(self._work(context))
        if request.get("output_format") != FORMAT:
            self.steps.wrong.append(f"format {request.get('output_format')}")
        if request.get("max_buffer_delay_ms") != 0:
            self.steps.wrong.append("words that are held back by the service")
        return context

    async def _work(self, context: _Context) -> None:
        while True:
            request = await context.requests.get()
            text = request["transcript"]
            if text:
                if not text.endswith(" "):
                    self.steps.wrong.append(f"no space behind {text!r}: it would run into the next")
                if not await self._speak(context, self.steps.says(text.strip())):
                    return
            if request.get("flush"):
                await _send(context, "flush_done", flush_id=context.flush_id)
                context.flush_id += 1
            if not request.get("continue"):
                context.is_closed = True
                await _send(context, "done", done=True)
                await self._tell()
                return
            if context.requests.empty():
                context.quiet_since_s = asyncio.get_running_loop().time()

    async def _speak(self, context: _Context, say: Say) -> bool:
        """False: nothing more comes of the context."""
        words = say.text.split()
        word_s = self.sounds.ms_per_word / 1000
        starts = [round(context.spoken_s + n * word_s, 3) for n in range(len(words))]
        times = {"words": words, "start": starts, "end": [round(s + word_s, 3) for s in starts]}
        fault = say.fault
        for n, word in enumerate(words):
            if (
                fault is not None
                and fault.after_words == n
                and not await self._fail(context, fault)
            ):
                return False
            if n == 0:
                await _send(context, "timestamps", word_timestamps=times)
            data = base64.b64encode(self.sounds.of(word)).decode()
            await _send(context, "chunk", data=data, step_time=1.0, flush_id=context.flush_id)
            context.spoken_s += word_s
        if fault is not None and fault.after_words >= len(words):
            return await self._fail(context, fault)
        return True

    async def _fail(self, context: _Context, fault: Fault) -> bool:
        """True: it was only late."""
        if fault.late_s:
            await asyncio.sleep(fault.late_s)
            return True
        if fault.aborts:
            context.socket.transport.abort()
        elif fault.close:
            await context.socket.close(fault.close, fault.reason)
        elif fault.error:
            await _error(context, fault.error, fault.status, is_addressed=fault.is_addressed)
        elif fault.raw:
            await context.socket.send(fault.raw.replace("CONTEXT", context.context_id))
        return False

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()


async def _send(context: _Context, kind: str, **fields: Any) -> None:
    message = {"type": kind, "done": False, "status_code": 206, **fields}
    await context.socket.send(json.dumps({**message, "context_id": context.context_id}))


async def _error(context: _Context, code: str, status: int, *, is_addressed: bool = True) -> None:
    message = {"type": "error", "title": code, "message": code, "error_code": code}
    message |= {"status_code": status, "request_id": "r", "done": True}  # type: ignore[dict-item]
    if is_addressed:
        message["context_id"] = context.context_id
    await context.socket.send(json.dumps(message))


@asynccontextmanager
async def cartesia(
    *steps: Connect | Say,
    ms_per_word: int = 100,
    expires_s: float = 1.0,
    expires_with: str = "error",
    most_contexts: int = 1000,
) -> AsyncIterator[Cartesia]:
    """A service with this script; connections that are not among the steps are refused."""
    made = Cartesia(
        Steps(steps), WordSounds(ms_per_word, 1), expires_s, expires_with, most_contexts
    )
    async with serving(made.steps, made.connected, _faults_of) as made.url:
        yield made


def _faults_of(request: Request) -> list[str]:
    wrong = []
    url = urlsplit(request.path)
    query = parse_qs(url.query)
    if url.path != "/tts/websocket":
        wrong.append(f"path {url.path}")
    has_key = "X-API-Key" in request.headers or "Authorization" in request.headers
    if not has_key or "api_key" in query:
        wrong.append("no key in the headers")
    if "cartesia_version" not in query and "Cartesia-Version" not in request.headers:
        wrong.append("no version")
    return wrong
