"""Cartesia's streaming voice (`/tts/websocket`) behind the TextToSpeech port.

One socket a process, one context an agent turn, one flush a segment. Our own socket with the documented messages: the
SDK's contexts hang when the socket dies and cannot reconnect. Never run against the real service here.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from time import perf_counter
from typing import Any

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from media_gateway.errors import VendorUnavailable
from media_gateway.metrics.ports import NoMeter, VendorMeter
from media_gateway.speech.ports import SegmentDone, SpokenAudio, WordTime

log = structlog.get_logger(__name__)

VENDOR = "cartesia"
API_VERSION = "2026-03-01"
"""The first with structured errors."""
OPEN_WITHIN_S = 2.0
AUDIO_WITHIN_S = 5.0
"""Longest wait for the next message of a context that has text to speak."""

MOST_WAITING = 5000
"""Messages of one turn that nobody read yet: many minutes of speech. Above it the turn ends where it is."""


class CartesiaTextToSpeech:
    """Implements TextToSpeech."""

    def __init__(
        self,
        *,
        api_key: str,
        voice_id: str,
        base_url: str = "wss://api.cartesia.ai",
        model: str = "sonic-3",
        language: str = "en",
        meter: VendorMeter | None = None,
    ) -> None:
        """`meter` is told of the shared socket only."""
        self._meter = meter or NoMeter()
        self._api_key = api_key
        self._base_url = base_url
        self._request = {
            "model_id": model,
            "voice": {"mode": "id", "id": voice_id},
            "language": language,
            "output_format": {"container": "raw", "encoding": "pcm_mulaw", "sample_rate": 8000},
            "add_timestamps": True,
            "max_buffer_delay_ms": 0,  # the text is already cut where it can be spoken
        }
        self._connection: _Connection | None = None
        self._opening = asyncio.Lock()

    async def begin(self) -> CartesiaSpeech:
        """Start an agent turn on the shared socket, which is opened again when it died. Raises VendorUnavailable."""
        async with self._opening:
            if self._connection is None or self._connection.is_dead:
                lost, began_s = self._connection, perf_counter()
                self._connection = await self._connect()
                self._meter.connected(VENDOR, perf_counter() - began_s)
                if lost is not None:
                    self._meter.reconnected(VENDOR)
        return CartesiaSpeech(self._connection, self._request)

    async def close(self) -> None:
        """Release the socket. Idempotent."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connect(self) -> _Connection:
        try:
            socket = await connect(
                f"{self._base_url}/tts/websocket?cartesia_version={API_VERSION}",
                additional_headers={"X-API-Key": self._api_key},
                open_timeout=OPEN_WITHIN_S,
                close_timeout=1.0,
                compression=None,
                proxy=None,
            )
        except InvalidStatus as error:
            reason = f"refused with HTTP {error.response.status_code}"
            raise VendorUnavailable(VENDOR, reason) from error
        except (OSError, TimeoutError, WebSocketException) as error:
            raise VendorUnavailable(VENDOR, type(error).__name__) from error
        return _Connection(socket)


_Message = dict[str, Any]


class _Connection:
    """The shared socket: one reader hands each message to its context's queue."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._contexts: dict[str, asyncio.Queue[_Message | None]] = {}
        self._reader = asyncio.create_task(self._read(), name="cartesia read")
        self.is_dead = False

    def open(self, context_id: str) -> asyncio.Queue[_Message | None]:
        """The queue of a context's messages; None in it means that the socket is dead."""
        queue: asyncio.Queue[_Message | None] = asyncio.Queue(MOST_WAITING)
        self._contexts[context_id] = queue
        return queue

    def forget(self, context_id: str) -> None:
        """Frames of this context that still come are dropped: a cancelled one goes on sending."""
        self._contexts.pop(context_id, None)

    async def send(self, message: _Message) -> None:
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise VendorUnavailable(VENDOR, "socket closed") from error

    async def close(self) -> None:
        self._reader.cancel()
        with suppress(TimeoutError, ConnectionClosed):
            await asyncio.wait_for(self._socket.close(), 1.0)

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                self._hand_on(text)
        except ConnectionClosed as error:
            log.warning("socket_lost", vendor=VENDOR, error=type(error).__name__)
        finally:
            self.is_dead = True
            for queue in self._contexts.values():
                with suppress(
                    asyncio.QueueFull
                ):  # its reader has enough to do, and then waits in vain
                    queue.put_nowait(None)

    def _hand_on(self, text: str | bytes) -> None:
        """To its context. A bad message costs itself, never the other calls on this socket."""
        try:
            message = json.loads(text)
            context_id = str(message.get("context_id", ""))
        except (ValueError, AttributeError):
            log.warning("message_dropped", vendor=VENDOR, reason="not a message")
            return
        queue = self._contexts.get(context_id)
        if queue is None:
            if message.get("type") == "error":
                log.warning("vendor_error", vendor=VENDOR, code=message.get("error_code"))
            return
        try:
            queue.put_nowait(message)
        except asyncio.QueueFull:
            log.error("context_flooded", vendor=VENDOR, messages=MOST_WAITING)
            self.forget(context_id)


class CartesiaSpeech:
    """One agent turn; implements Speech."""

    def __init__(self, connection: _Connection, request: _Message) -> None:
        self._connection = connection
        self._request = request
        self._context_id = uuid.uuid4().hex
        self._queue = connection.open(self._context_id)
        self._segments: list[int] = []
        self._starts_ms: dict[int, int] = {}
        self._spoken_ms = 0.0
        self._is_finished = False

    async def say(self, segment: int, text: str) -> None:
        """Speak a sentence; a flush behind it tells its audio from the next one's. Raises VendorUnavailable."""
        self._segments.append(segment)
        await self._send(transcript=f"{text} ", **{"continue": True})
        await self._send(transcript="", flush=True, **{"continue": True})

    async def finish(self) -> None:
        """No more text. Raises VendorUnavailable."""
        self._is_finished = True
        await self._send(transcript="", **{"continue": False})

    async def cancel(self) -> None:
        """Stop; frames that still come are dropped. Idempotent."""
        self._connection.forget(self._context_id)
        with suppress(VendorUnavailable):
            await self._connection.send({"context_id": self._context_id, "cancel": True})
        self._queue.put_nowait({"type": "done"})

    async def __aiter__(self) -> AsyncIterator[SpokenAudio | SegmentDone]:
        """Audio as it comes; ends with the context. Raises VendorUnavailable."""
        done = 0
        try:
            while True:
                message = await self._next(expects_audio=done < len(self._segments))
                match message.get("type"):
                    case "chunk":
                        yield self._audio(done, message)
                    case "timestamps":
                        yield self._word_times(done, message)
                    case "flush_done":
                        if done < len(self._segments):
                            yield SegmentDone(segment=self._segments[done])
                        done += 1
                        self._starts_ms[done] = int(self._spoken_ms)
                    case "done":
                        return
                    case "error":
                        reason = str(message.get("error_code") or "error")[:60]
                        raise VendorUnavailable(VENDOR, reason)
                    case _:
                        pass
        finally:
            self._connection.forget(self._context_id)

    async def _next(self, *, expects_audio: bool) -> _Message:
        try:
            async with asyncio.timeout(
                AUDIO_WITHIN_S if expects_audio or self._is_finished else None
            ):
                message = await self._queue.get()
        except TimeoutError:
            raise VendorUnavailable(VENDOR, "no audio in time") from None
        if message is None:
            raise VendorUnavailable(VENDOR, "socket closed")
        return message

    def _segment(self, index: int) -> int:
        return self._segments[min(index, len(self._segments) - 1)] if self._segments else 0

    def _audio(self, index: int, message: _Message) -> SpokenAudio:
        try:
            mulaw = base64.b64decode(message["data"], validate=True)
        except (KeyError, binascii.Error, ValueError, TypeError):
            raise VendorUnavailable(VENDOR, "malformed audio") from None
        self._spoken_ms += len(mulaw) / 8
        return SpokenAudio(segment=self._segment(index), mulaw=mulaw)

    def _word_times(self, index: int, message: _Message) -> SpokenAudio:
        """Times come in seconds from the context's start; the port wants them from the segment's."""
        found = message.get("word_timestamps") or {}
        base_ms = self._starts_ms.get(index, 0)
        words = tuple(
            WordTime(
                word=str(word),
                start_ms=int(start * 1000) - base_ms,
                end_ms=int(end * 1000) - base_ms,
            )
            for word, start, end in zip(
                found.get("words", ()), found.get("start", ()), found.get("end", ()), strict=False
            )
        )
        return SpokenAudio(segment=self._segment(index), mulaw=b"", words=words)

    async def _send(self, **fields: object) -> None:
        await self._connection.send({**self._request, "context_id": self._context_id, **fields})
