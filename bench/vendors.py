"""Vendors that answer at once and stamp what passes on their sockets: what lies between two stamps is the gateway's.

A caller is told apart by a number: the recogniser gives it in the words, the model hands it on, the voice speaks it as
the value of its audio bytes. Stamps are of this process's monotonic clock, in seconds, taken when bytes come from the
socket and before bytes go to it; messages are made before. So none of the vendors' own work is in a leg, but the way
of the bytes through the kernel and the waking of a process are: the relay has the same.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from bench.http_model import HttpModel

HOLD_WORDS_S = 0.35
"""The words come after the pause has decided, so that nothing but the words is waited for."""
TOKEN_S, TOKEN_CHARACTERS = 0.005, 5
"""A fast model's: most of a reply is parsed while the rest of it is still on its way."""
REPLY_MS = 300
_NUMBER = re.compile(r"caller (\d+)\b")
_SENTENCE_END = "that helps. "


@dataclass
class Stamps:
    """One turn of one caller."""

    words_sent: float
    model_asked: float = 0.0
    sentence_written: float = 0.0
    voice_asked: float = 0.0
    audio_sent: float = 0.0
    audio_arrived: float = 0.0

    @property
    def own_ms(self) -> dict[str, float]:
        """Milliseconds between a vendor's bytes and the gateway's next ones."""
        legs = {
            "words → model": self.model_asked - self.words_sent,
            "first sentence → voice": self.voice_asked - self.sentence_written,
            "first audio → line": self.audio_arrived - self.audio_sent,
        }
        return {name: 1000 * seconds for name, seconds in legs.items()}


class StampedSocket(ServerConnection):
    """Stamps every message when its bytes come."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._stamps: deque[float] = deque()

    def process_event(self, event: Event) -> None:
        """See ServerConnection."""
        if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._stamps.append(time.monotonic())
        super().process_event(event)

    async def receive(self) -> tuple[str | bytes, float]:
        """The next message and its time."""
        message = await self.recv()
        return message, self._stamps.popleft()

    def post(self, frame: bytes) -> float:
        """Send a frame made before; the time before it."""
        at = time.monotonic()
        self.transport.write(frame)
        return at


@dataclass
class InstantVendors:
    """All three vendors of all callers, and the turns that they saw."""

    turns: dict[int, list[Stamps]] = field(default_factory=dict)
    speech_address: str = ""
    model_address: str = ""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve on free ports of loopback."""
        loop = asyncio.get_running_loop()
        model = await loop.create_server(lambda: HttpModel(self._complete), "127.0.0.1", 0)
        async with (
            serve(
                self._connected,
                "127.0.0.1",
                0,
                create_connection=StampedSocket,
                compression=None,
            ) as speech,
            model,
        ):
            self.speech_address = f"127.0.0.1:{next(iter(speech.sockets)).getsockname()[1]}"
            self.model_address = f"127.0.0.1:{model.sockets[0].getsockname()[1]}"
            yield

    def arrived(self, payload: bytes, at: float) -> None:
        """The first audio of a reply is on the line."""
        turns = self.turns.get(payload[0], [])
        if turns and turns[-1].audio_sent and not turns[-1].audio_arrived:
            turns[-1].audio_arrived = at

    async def _connected(self, socket: ServerConnection) -> None:
        if not isinstance(socket, StampedSocket) or socket.request is None:
            raise TypeError("made by serve() with create_connection=StampedSocket")
        listens = socket.request.path.startswith("/v1/listen")
        try:
            await (self._listen(socket) if listens else self._speak(socket))
        except ConnectionClosed:
            return

    async def _listen(self, socket: StampedSocket) -> None:
        number = next(self._numbers)
        interim = _frame(_results(f"yes it is caller {number} here", False))
        final = _frame(_results(f"Yes, it is caller {number} here.", True))
        while True:
            message, _ = await socket.receive()
            if isinstance(message, str) and '"Finalize"' in message:
                socket.post(interim)
                await asyncio.sleep(HOLD_WORDS_S)
                self.turns.setdefault(number, []).append(Stamps(words_sent=socket.post(final)))

    async def _complete(self, body: str, asked: float, model: HttpModel) -> None:
        number = int(_NUMBER.findall(body)[-1])
        stamps = self.turns[number][-1]
        stamps.model_asked = asked
        say = f"Thank you caller {number} {_SENTENCE_END}Please go on."
        text = json.dumps({"ok": say}, separators=(",", ":"))
        sentence_ends = text.index(_SENTENCE_END) + len(_SENTENCE_END)
        model.begin()
        for at in range(0, len(text), TOKEN_CHARACTERS):
            sent = model.token(text[at : at + TOKEN_CHARACTERS])
            if at < sentence_ends <= at + TOKEN_CHARACTERS:
                stamps.sentence_written = sent
            await asyncio.sleep(TOKEN_S)
        model.end()

    async def _speak(self, socket: StampedSocket) -> None:
        while True:
            message, asked = await socket.receive()
            request = json.loads(message)
            if not request.get("cancel"):
                self._answer(socket, request, asked)

    def _answer(self, socket: StampedSocket, request: dict[str, Any], asked: float) -> None:
        context = {"context_id": request["context_id"]}

        def frame(**fields: Any) -> bytes:
            return _frame(json.dumps({**fields, **context}))

        if words := request.get("transcript", "").strip():
            found = _NUMBER.search(words)
            number = int(found.group(1)) if found else 0
            stamps = self.turns[number][-1] if number in self.turns else None
            audio = base64.b64encode(bytes([number or 0x7F]) * 8 * REPLY_MS).decode()
            sent = socket.post(frame(type="chunk", data=audio))
            if stamps is not None and not stamps.voice_asked:
                stamps.voice_asked, stamps.audio_sent = asked, sent
        if request.get("flush"):
            socket.post(frame(type="flush_done", flush_id=1))
        if request.get("continue") is False:
            socket.post(frame(type="done", done=True))


def _frame(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def _results(text: str, is_final: bool) -> str:
    info = {"name": "n", "version": "v", "arch": "a"}
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": 0.0,  # no times: nothing is out of order
            "start": 0.0,
            "is_final": is_final,
            "speech_final": False,
            "from_finalize": is_final,
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": []}]},
            "metadata": {"request_id": "r", "model_uuid": "m", "model_info": info},
        }
    )
