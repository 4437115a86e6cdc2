"""The model's end of HTTP, as little of it as a stream of tokens takes, so that its work stays out of the figures."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import cast

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
Complete = Callable[[str, float, "HttpModel"], Awaitable[None]]
"""Answers a request's body, whose first bytes came at this time."""


class HttpModel(asyncio.Protocol):
    """One connection, one request after the other."""

    def __init__(self, complete: Complete) -> None:
        self._complete = complete
        self._buffer = b""
        self._asked = 0.0
        self._transport: asyncio.Transport | None = None
        self._answering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See Protocol."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def connection_lost(self, error: Exception | None) -> None:
        """See Protocol."""
        if self._answering is not None:
            self._answering.cancel()

    def data_received(self, data: bytes) -> None:
        """See Protocol."""
        if not self._buffer:
            self._asked = time.monotonic()
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        if head.startswith(b"HEAD"):
            self._buffer = body
            self._write(_HEAD)
            return
        lengths = [
            line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
        ]
        if len(body) >= int(lengths[0].partition(b":")[2]):
            self._buffer = b""
            self._answering = asyncio.ensure_future(
                self._complete(body.decode(), self._asked, self)
            )

    def begin(self) -> None:
        """Status and headers."""
        self._write(_STREAM)

    def token(self, text: str) -> float:
        """One event; the time before it."""
        delta = json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]})
        chunk = _chunk(f"data: {delta}\n\n")
        at = time.monotonic()
        self._write(chunk)
        return at

    def refuse(self, answer: bytes) -> None:
        """A whole answer of another kind."""
        self._write(answer)

    def end(self) -> None:
        """The last event and the end of the body."""
        self._write(_chunk("data: [DONE]\n\n") + b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)


def _chunk(text: str) -> bytes:
    data = text.encode()
    return b"%x\r\n%b\r\n" % (len(data), data)
