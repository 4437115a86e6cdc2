"""The carrier's end of one call: a 20 ms clock, a truthful playout, the caller's sounds with what is behind them.

Everything is kept: when each frame went out, what was played during it, when `clear` came.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.turns.record import FRAME_MS, Record
from bench.turns.sounds import Sound, Word
from bench.turns.stamps import is_audible, stamped
from bench.turns.truth import CallTruth
from rehearsal.audio import LINE_HZ, Samples, to_mulaw
from rehearsal.carrier.playout import PlayoutBuffer

_FRAME_SAMPLES = LINE_HZ * FRAME_MS // 1000


@dataclass(frozen=True, kw_only=True)
class Door:
    """How to knock: the address, headers, and what `start` carries."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)


class Call:
    """One call. `open`, then `say` and the waits; `close` hangs up."""

    def __init__(self, door: Door, truth: CallTruth, background: Samples | None) -> None:
        self.record = Record(call=truth.number)
        self.is_over = False
        self._door = door
        self._truth = truth
        self._background = background
        self._silence = (
            np.zeros(_FRAME_SAMPLES, dtype=np.float32) if background is None else background
        )
        self._speech: Samples = np.zeros(0, dtype=np.float32)
        self._at = 0
        """Samples of the background that went by."""
        self._buffer = PlayoutBuffer()
        self._quiet_frames = 1
        self._ticked = asyncio.Condition()
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Connect and start the clock."""
        self._socket = await connect(
            self._door.url,
            additional_headers=self._door.headers,
            compression=None,
            proxy=None,
            ping_interval=None,
        )
        await self._send(event="connected", protocol="Call", version="1.0.0")
        start = {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": f"CA{self._truth.number}",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": self._door.parameters,
        }
        await self._send(event="start", sequenceNumber="1", streamSid="MZ1", start=start)
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._tick())]

    @property
    def now_ms(self) -> int:
        """Of the caller's stream: the first ms of the frame that is made next."""
        return len(self.record.sent_s) * FRAME_MS

    @property
    def quiet_ms(self) -> int:
        """Since the agent was last heard."""
        return self._quiet_frames * FRAME_MS

    def say(self, sound: Sound) -> int:
        """Begin now; returns the ms of the stream at which it begins."""
        at_ms = self.now_ms
        self._speech = sound.samples
        self._truth.words += [
            Word(
                text=word.text,
                start_ms=at_ms + word.start_ms,
                end_ms=at_ms + word.end_ms,
                ends_part=word.ends_part,
                is_whole=word.is_whole,
            )
            for word in sound.words
        ]
        return at_ms

    async def until(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait, looking at every frame; False when it did not come true in time or the call is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s), self._ticked:
                await self._ticked.wait_for(lambda: self.is_over or holds())
        return not self.is_over and holds()

    async def said(self) -> None:
        """Until everything that is said is out."""
        await self.until(lambda: not len(self._speech), 60)

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
        with suppress(ConnectionClosed):
            async for text in self._socket:
                message = json.loads(text)
                match message["event"]:
                    case "media":
                        self._buffer.add(base64.b64decode(message["media"]["payload"]))
                    case "mark":
                        await self._echo(self._buffer.mark(message["mark"]["name"]))
                    case "clear":
                        self.record.clears_s.append(time.monotonic())
                        await self._echo(self._buffer.clear())
        self.is_over = True

    async def _echo(self, names: list[str]) -> None:
        for name in names:
            if self._truth.fault == "lost_mark":
                self._truth.fault = ""
                self.record.marks_lost += 1
                continue
            await self._send(event="mark", streamSid="MZ1", mark={"name": name})

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        with suppress(ConnectionClosed):
            while True:
                await self._frame()
                due_s += FRAME_MS / 1000
                await asyncio.sleep(max(0.0, due_s - loop.time()))
        self.is_over = True
        async with self._ticked:
            self._ticked.notify_all()

    async def _frame(self) -> None:
        index = len(self.record.sent_s)
        payload = stamped(to_mulaw(self._next_samples()), self._truth.number, index)
        media = {
            "track": "inbound",
            "chunk": str(index + 1),
            "timestamp": str(index * FRAME_MS),
            "payload": base64.b64encode(payload).decode(),
        }
        await self._send(event="media", sequenceNumber=str(index + 2), streamSid="MZ1", media=media)
        played, marks = self._buffer.play()
        self.record.sent_s.append(time.monotonic())
        self.record.played += played
        self._quiet_frames = 0 if is_audible(played) else self._quiet_frames + 1
        await self._echo(marks)
        async with self._ticked:
            self._ticked.notify_all()

    def _next_samples(self) -> Samples:
        frame, self._speech = self._speech[:_FRAME_SAMPLES], self._speech[_FRAME_SAMPLES:]
        behind = np.take(
            self._silence,
            np.arange(self._at, self._at + _FRAME_SAMPLES),
            mode="wrap",
        ).astype(np.float32)
        self._at += _FRAME_SAMPLES
        behind[: len(frame)] += frame
        return behind
