"""Deepgram live transcription (`/v1/listen`) behind the SpeechToText port.

Our own socket with the SDK's message types: the SDK's socket waits 20 s to open, up to 30 s to close, and uses a
deprecated client. Never run against the real service here; proven on a server that speaks the documented protocol.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from urllib.parse import urlencode

import structlog
from deepgram.listen.v1.types import ListenV1Results
from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.ports import Transcript

log = structlog.get_logger(__name__)

VENDOR = "deepgram"
OPEN_WITHIN_S = 2.0
CLOSE_WITHIN_S = 1.0
KEEP_ALIVE_EVERY_S = 4.0
"""The service closes a stream that sent nothing for 10 s."""
LONGEST_QUEUE = 250
"""Frames: five seconds of audio that the socket did not take."""


class DeepgramSpeechToText:
    """Implements SpeechToText."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "wss://api.deepgram.com",
        model: str = "nova-3",
        endpointing_ms: int = 500,
    ) -> None:
        self._api_key = api_key
        self._base_url = base_url
        self._model = model
        self._endpointing_ms = endpointing_ms

    async def open(self, *, key_terms: Sequence[str] = ()) -> DeepgramRecognition:
        """Connect. Raises VendorUnavailable."""
        query = [
            ("model", self._model),
            ("encoding", "mulaw"),
            ("sample_rate", "8000"),
            ("channels", "1"),
            ("interim_results", "true"),
            ("endpointing", str(self._endpointing_ms)),
            ("utterance_end_ms", "1000"),
            ("vad_events", "true"),
            ("smart_format", "true"),
            *(("keyterm", term) for term in key_terms),
        ]
        try:
            socket = await connect(
                f"{self._base_url}/v1/listen?{urlencode(query)}",
                additional_headers={"Authorization": f"Token {self._api_key}"},
                open_timeout=OPEN_WITHIN_S,
                close_timeout=CLOSE_WITHIN_S,
                compression=None,
                proxy=None,
            )
        except InvalidStatus as error:
            reason = f"refused with HTTP {error.response.status_code}"
            raise VendorUnavailable(VENDOR, reason) from error
        except (OSError, TimeoutError, WebSocketException) as error:
            raise VendorUnavailable(VENDOR, type(error).__name__) from error
        return DeepgramRecognition(socket)


class DeepgramRecognition:
    """One live stream; implements Recognition."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[bytes | str] = asyncio.Queue(LONGEST_QUEUE)
        self._writer = asyncio.create_task(self._write(), name="deepgram write")
        self._is_closed = False
        self.dropped_frames = 0

    def send(self, mulaw: bytes) -> None:
        """Queue audio; the oldest goes when the socket does not keep up."""
        if not mulaw:
            return  # an empty frame would close the stream
        if self._queue.full():
            self._queue.get_nowait()
            self.dropped_frames += 1
        self._queue.put_nowait(mulaw)

    async def finalize(self) -> None:
        """Ask for the words of everything sent so far, behind the audio that is queued."""
        with suppress(asyncio.QueueFull):
            self._queue.put_nowait(json.dumps({"type": "Finalize"}))

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        """Transcripts until the stream ends. Raises VendorUnavailable when it breaks off."""
        try:
            async for message in self._socket:
                transcript = _transcript(message)
                if transcript is not None:
                    yield transcript
        except ConnectionClosed as error:
            raise VendorUnavailable(VENDOR, f"closed with {_code(error)}") from error
        if not self._is_closed:
            raise VendorUnavailable(VENDOR, "closed by the service")

    async def close(self) -> None:
        """End the stream within a second. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._writer.cancel()
        with suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._socket.send(json.dumps({"type": "CloseStream"}))
                await self._socket.close()
        self._socket.transport.abort()

    async def _write(self) -> None:
        with suppress(ConnectionClosed):  # the reader says so
            while True:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_EVERY_S):
                        message = await self._queue.get()
                except TimeoutError:
                    message = json.dumps({"type": "KeepAlive"})
                await self._socket.send(message)


def _transcript(message: str | bytes) -> Transcript | None:
    try:
        data = json.loads(message)
    except ValueError:
        log.warning("message_dropped", vendor=VENDOR, reason="not JSON")
        return None
    match data.get("type") if isinstance(data, dict) else None:
        case "Results":
            return _result(data)
        case "UtteranceEnd":
            return Transcript(text="", is_final=False, end_of_turn=True)
        case "Error":
            log.warning("vendor_error", vendor=VENDOR, code=str(data.get("code"))[:40])
            return None
        case _:
            return None  # Metadata, SpeechStarted, and what newer versions add


def _result(data: dict[str, object]) -> Transcript | None:
    try:
        result = ListenV1Results.model_validate(data)
        text = result.channel.alternatives[0].transcript
    except (ValidationError, IndexError, AttributeError):
        log.warning("message_dropped", vendor=VENDOR, reason="not a result")
        return None
    return Transcript(
        text=text or "",
        is_final=bool(result.is_final),
        end_of_turn=bool(result.speech_final),
        from_finalize=bool(result.from_finalize),
        until_ms=_end_ms(result) if result.is_final else None,
    )


def _end_ms(result: ListenV1Results) -> int | None:
    try:
        return round(1000 * (result.start + result.duration))
    except (AttributeError, TypeError):
        return None  # the SDK's models do not check


def _code(error: ConnectionClosed) -> str:
    return f"{error.rcvd.code} {error.rcvd.reason}" if error.rcvd else "no close frame"
