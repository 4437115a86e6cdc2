"""The carrier's end of one media stream: a 20 ms clock, a playout buffer that echoes marks, a caller with one sentence."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from media_gateway.stream_token import StreamTokens
from rehearsal.carrier.playout import PlayoutBuffer

FRAME = 160
SILENCE = b"\xff" * FRAME


class StampedClient(ClientConnection):
    """Stamps every message when its bytes come."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.stamps: deque[float] = deque()

    def process_event(self, event: Event) -> None:
        """See ClientConnection."""
        if isinstance(event, Frame) and event.opcode is Opcode.TEXT:
            self.stamps.append(time.monotonic())
        super().process_event(event)


class BenchLine:
    """One call's stream."""

    def __init__(self, *, url: str, auth_token: str, token_secret: str, call_id: str) -> None:
        self._url = url
        self._auth_token = auth_token
        self._tokens = StreamTokens(token_secret)
        self._call_id = call_id
        self._buffer = PlayoutBuffer()
        self._said = b""
        self._quiet_frames = 0
        self._has_played = False
        self._ticked = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._socket: StampedClient | None = None
        self.on_audio: Callable[[bytes, float], None] = lambda _, __: None
        """Takes a payload and the time, of the monotonic clock, at which its bytes came."""

    async def open(self) -> None:
        """Connect, signed, and start the clock."""
        signature = RequestValidator(self._auth_token).compute_signature(self._url, {})
        socket = await connect(
            self._url,
            additional_headers={"X-Twilio-Signature": signature},
            create_connection=StampedClient,
            compression=None,
            proxy=None,
        )
        if not isinstance(socket, StampedClient):
            raise TypeError("connect() makes what create_connection says")
        self._socket = socket
        await self._send(event="connected", protocol="Call", version="1.0.0")
        token = self._tokens.issue(self._call_id, now_s=time.time())
        start = {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": f"CA{self._call_id}",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {"call_id": self._call_id, "token": token},
        }
        await self._send(event="start", streamSid="MZ1", start=start)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._tick())]

    def say(self, mulaw: bytes) -> None:
        """Speak from now on."""
        self._said = mulaw
        self._has_played = False

    async def answered(self, *, quiet_ms: int = 300) -> None:
        """Until the agent spoke and was quiet again for so long."""
        async with self._ticked:
            await self._ticked.wait_for(
                lambda: self._has_played and not self._said and self._quiet_frames * 20 >= quiet_ms
            )

    async def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            with suppress(ConnectionClosed):
                await self._send(event="stop", streamSid="MZ1", stop={})
            await self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send(self, **message: Any) -> None:
        if self._socket is None:
            raise RuntimeError("not open")
        await self._socket.send(json.dumps(message))

    async def _read(self) -> None:
        if self._socket is None:
            raise RuntimeError("not open")
        async for text in self._socket:
            at, message = self._socket.stamps.popleft(), json.loads(text)
            match message["event"]:
                case "media":
                    audio = base64.b64decode(message["media"]["payload"])
                    self.on_audio(audio, at)
                    self._buffer.add(audio)
                case "mark":
                    await self._echo(self._buffer.mark(message["mark"]["name"]))
                case "clear":
                    await self._echo(self._buffer.clear())

    async def _echo(self, names: list[str]) -> None:
        for name in names:
            await self._send(event="mark", streamSid="MZ1", mark={"name": name})

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        chunk, due_s = 0, loop.time()
        while True:
            chunk += 1
            frame, self._said = self._said[:FRAME].ljust(FRAME, b"\xff"), self._said[FRAME:]
            media = {
                "track": "inbound",
                "chunk": str(chunk),
                "timestamp": str((chunk - 1) * 20),
                "payload": base64.b64encode(frame).decode(),
            }
            await self._send(event="media", streamSid="MZ1", media=media)
            played, marks = self._buffer.play()
            self._quiet_frames = self._quiet_frames + 1 if played == SILENCE else 0
            self._has_played = self._has_played or played != SILENCE
            await self._echo(marks)
            async with self._ticked:
                self._ticked.notify_all()
            due_s += 0.02
            await asyncio.sleep(max(0.0, due_s - loop.time()))
