"""What the Deepgram adapter adds at fifty streams: audio in → socket, first byte in → transcript out; and a reconnect's time.

The recogniser is a process of its own that answers at once; times are of the one clock that all processes of a machine
share. The peer is a bare websockets client that does the same and nothing else, in the same process and in turn: what lies
between the two is the adapter's. TLS and the way to the vendor are in neither.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.report import Row, quantile, report
from bench.servers import free_port
from media_gateway.speech.deepgram_stt import DeepgramSpeechToText

STREAMS = 50
FRAME_S = 0.02
FRAMES = 400
"""Eight seconds a round."""
ROUNDS = 2
BREAK_AT = 100
QUIET = bytes([0xFF]) * 152
LIMIT_P50_MS, LIMIT_P99_MS, LIMIT_RECONNECT_P95_MS = 1.0, 5.0, 500.0


@dataclass
class Figures:
    """Milliseconds."""

    audio: list[float] = field(default_factory=list)
    words: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)

    def told(self, text: str) -> None:
        """A result is out."""
        now_ns = time.monotonic_ns()
        match text.split():
            case ["heard", sent_ns, came_ns, left_ns]:
                self.audio.append((int(came_ns) - int(sent_ns)) / 1e6)
                self.words.append((now_ns - int(left_ns)) / 1e6)
            case ["back", took_ns]:
                self.back.append(int(took_ns) / 1e6)
            case _:
                raise ValueError("the recogniser says what nobody taught it")


class Client(Protocol):
    """Either way of speaking to the recogniser."""

    async def send(self, frame: bytes) -> None:
        """The next audio."""

    async def read(self, told: Callable[[str], None]) -> None:
        """Until it is closed."""

    async def close(self) -> None:
        """Leave."""


class Adapter:
    """The product's."""

    def __init__(self, url: str, name: str) -> None:
        self._stt = DeepgramSpeechToText(api_key="k", base_url=url)
        self._name = name

    async def open(self) -> Adapter:
        """Connect."""
        self._stream = await self._stt.open(key_terms=[self._name])
        return self

    async def send(self, frame: bytes) -> None:
        """See Client."""
        self._stream.send(frame)

    async def read(self, told: Callable[[str], None]) -> None:
        """See Client."""
        async for transcript in self._stream:
            told(transcript.text)

    async def close(self) -> None:
        """See Client."""
        await self._stream.close()


class Bare:
    """The library alone. Connects anew at once, and sends nothing again."""

    def __init__(self, url: str, name: str) -> None:
        self._url = f"{url}/v1/listen?keyterm={name}"
        self._is_over = False

    async def open(self) -> Bare:
        """Connect."""
        self._socket: ClientConnection = await connect(self._url, compression=None, proxy=None)
        return self

    async def send(self, frame: bytes) -> None:
        """See Client."""
        with suppress(ConnectionClosed):  # the reader sees it too
            await self._socket.send(frame)

    async def read(self, told: Callable[[str], None]) -> None:
        """See Client."""
        while not self._is_over:
            try:
                async for message in self._socket:
                    told(json.loads(message)["channel"]["alternatives"][0]["transcript"])
            except ConnectionClosed:
                pass  # cut, or left by us
            if not self._is_over:
                await self.open()

    async def close(self) -> None:
        """See Client."""
        self._is_over = True
        await self._socket.close()


@asynccontextmanager
async def _vendor(break_at: int) -> AsyncIterator[str]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.stt_vendor",
        str(port),
        str(break_at),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _speak(client: Client, phase_s: float, frames: int) -> None:
    loop = asyncio.get_running_loop()
    due_s = loop.time() + phase_s
    for _ in range(frames):
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        await client.send(struct.pack("<q", time.monotonic_ns()) + QUIET)
        due_s += FRAME_S


async def _round(
    make: Callable[[str, str], Awaitable[Client]], into: Figures, *, break_at: int
) -> None:
    async with _vendor(break_at) as url:
        clients = [await make(url, f"client{number}") for number in range(STREAMS)]
        readers = [asyncio.create_task(client.read(into.told)) for client in clients]
        frames = 2 * BREAK_AT if break_at else FRAMES
        await asyncio.gather(
            *(
                _speak(client, FRAME_S * number / STREAMS, frames)
                for number, client in enumerate(clients)
            )
        )
        await asyncio.gather(*(client.close() for client in clients))
        await asyncio.gather(*readers)


async def _adapter(url: str, name: str) -> Client:
    return await Adapter(url, name).open()


async def _bare(url: str, name: str) -> Client:
    return await Bare(url, name).open()


async def main() -> None:
    """Both, in turn, and the table."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    adapter, bare = Figures(), Figures()
    for _ in range(ROUNDS):
        await _round(_adapter, adapter, break_at=0)
        await _round(_bare, bare, break_at=0)
    await _round(_adapter, adapter, break_at=BREAK_AT)
    await _round(_bare, bare, break_at=BREAK_AT)
    rows: list[Row] = [
        _row("audio in → vendor", adapter.audio, bare.audio),
        _row("vendor → transcript out", adapter.words, bare.words),
        _row("reconnect: cut → first audio", adapter.back, bare.back),
    ]
    added_p50 = float(rows[1]["adapter p50 ms"]) - float(rows[1]["bare p50 ms"])
    added_p99 = float(rows[1]["adapter p99 ms"]) - float(rows[1]["bare p99 ms"])
    back_p95 = quantile(adapter.back, 0.95)
    notes = [
        f"added, first byte in → transcript out: p50 {added_p50:.2f} ms (limit {LIMIT_P50_MS}), "
        f"p99 {added_p99:.2f} ms (limit {LIMIT_P99_MS}): "
        + _verdict(added_p50 <= LIMIT_P50_MS and added_p99 <= LIMIT_P99_MS),
        f"reconnect of {STREAMS} streams that are cut within {1000 * FRAME_S:.0f} ms: "
        f"p95 {back_p95:.1f} ms (limit {LIMIT_RECONNECT_P95_MS:.0f}), "
        f"{len(adapter.back)} of {STREAMS} back: "
        + _verdict(back_p95 <= LIMIT_RECONNECT_P95_MS and len(adapter.back) == STREAMS),
    ]
    report("vendors_stt", f"Deepgram adapter, {STREAMS} streams", rows, notes)


def _row(leg: str, adapter: list[float], bare: list[float]) -> Row:
    return {
        "leg": leg,
        "n": len(adapter),
        "adapter p50 ms": quantile(adapter, 0.5),
        "adapter p95 ms": quantile(adapter, 0.95),
        "adapter p99 ms": quantile(adapter, 0.99),
        "bare p50 ms": quantile(bare, 0.5),
        "bare p95 ms": quantile(bare, 0.95),
        "bare p99 ms": quantile(bare, 0.99),
    }


def _verdict(is_kept: bool) -> str:
    return "kept" if is_kept else "NOT KEPT"
