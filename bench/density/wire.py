"""As little of a websocket as a load generator needs: text and binary frames, whole messages, nothing checked.

A client masks with a key of zeroes, so that a message made once can be sent as it is.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from collections.abc import Callable
from typing import cast

TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
Take = Callable[[int, bytes], None]
"""Gets each message: opcode and payload."""


def frame(payload: bytes, *, opcode: int = TEXT, masked: bool = False) -> bytes:
    """One whole message."""
    bit = 0x80 if masked else 0
    if len(payload) < 126:
        head = struct.pack("!BB", 0x80 | opcode, bit | len(payload))
    else:
        head = struct.pack("!BBH", 0x80 | opcode, bit | 126, len(payload))
    return head + (b"\0\0\0\0" if masked else b"") + payload


class Socket(asyncio.Protocol):
    """One end. `take` may be set anew while it runs."""

    def __init__(self, take: Take, greeting: bytes = b"") -> None:
        self.take = take
        self.is_open = False
        self.opened = asyncio.Event()
        self.closed = asyncio.Event()
        self._greeting = greeting
        """A client's request for the upgrade; a server waits for one."""
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        if self._greeting:
            self._transport.write(self._greeting)

    def connection_lost(self, error: Exception | None) -> None:
        """See Protocol."""
        self.is_open = False
        self.closed.set()

    def write(self, data: bytes) -> None:
        """Frames made before."""
        if self._transport is not None and self.is_open:
            self._transport.write(data)

    def close(self) -> None:
        """At once."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        """See Protocol."""
        self._buffer += data
        if not self.is_open and not self._shake_hands():
            return
        at, buffer = 0, self._buffer
        while len(buffer) - at >= 2:
            length, begin = buffer[at + 1] & 0x7F, at + 2
            if length == 126:
                if len(buffer) < at + 4:
                    break
                length, begin = buffer[at + 2] << 8 | buffer[at + 3], at + 4
            elif length == 127:
                if len(buffer) < at + 10:
                    break
                length, begin = int.from_bytes(buffer[at + 2 : at + 10], "big"), at + 10
            key = b""
            if buffer[at + 1] & 0x80:
                key, begin = bytes(buffer[begin : begin + 4]), begin + 4
            if len(buffer) < begin + length:
                break
            payload = bytes(buffer[begin : begin + length])
            self._message(buffer[at] & 0xF, _unmasked(payload, key) if key else payload)
            at = begin + length
        del buffer[:at]

    def _message(self, opcode: int, payload: bytes) -> None:
        if opcode == PING:
            self.write(frame(payload, opcode=10, masked=bool(self._greeting)))
        elif opcode == CLOSE:
            self.close()
        else:
            self.take(opcode, payload)

    def _shake_hands(self) -> bool:
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            return False
        self._buffer = bytearray(rest)
        if self._greeting and b" 101 " not in head.split(b"\r\n")[0]:
            raise ConnectionError(f"the upgrade was refused: {head[:80]!r}")
        self.is_open = True
        if not self._greeting and self._transport is not None:
            lines = dict(line.partition(b":")[::2] for line in head.split(b"\r\n")[1:])
            key = next(v.strip() for k, v in lines.items() if k.lower() == b"sec-websocket-key")
            accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
            self._transport.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
        self.opened.set()
        return True


def greeting(host: str, path: str, **headers: str) -> bytes:
    """A client's request."""
    own = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n{own}\r\n"
    ).encode()


def _unmasked(payload: bytes, key: bytes) -> bytes:
    size = len(payload)
    mask = int.from_bytes((key * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")
