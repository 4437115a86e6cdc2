"""One socket to Aura. It speaks one reply at a time; behind a cancelled one it is of use again once the service has cleared.

Audio has no label. So what comes between our `Clear` and the `Cleared` that answers it is dropped, and a socket that does
not answer is given up.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.flush_budget import FlushBudget
from media_gateway.speech.vendor_socket import CLOSE_WITHIN_S, closed

log = structlog.get_logger(__name__)

VENDOR = "aura"
CLEARED_WITHIN_S = 1.0
OLDEST_S = 55 * 60.0
"""The service ends a socket after an hour; no reply is begun on one that may not live to its end."""
MOST_WAITING = 5000
"""Messages of one reply that nobody read yet."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Nothing more comes of a reply on this socket."""

    socket: AuraSocket
    error: VendorUnavailable


Inbox = asyncio.Queue[bytes | str | Broken]
"""Audio, the name of an event (`Flushed`), or why nothing more comes."""


class AuraSocket:
    """An open socket. Owns its reader."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._loop = asyncio.get_running_loop()
        self._opened_s = self._loop.time()
        self._inbox: Inbox | None = None
        self._error: VendorUnavailable | None = None
        self._cleared = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name="aura read")
        self._budget = FlushBudget()
        self.is_dead = False

    @property
    def flushes_left(self) -> int:
        """That may be sent now."""
        return self._budget.left(self._loop.time())

    @property
    def is_old(self) -> bool:
        """It should begin no reply any more."""
        return self._loop.time() - self._opened_s > OLDEST_S

    def listen(self, inbox: Inbox | None) -> None:
        """What comes is this reply's; None: nobody's, and dropped."""
        self._inbox = inbox

    async def speak(self, text: str) -> None:
        """Text, of 2000 characters at most. Raises VendorUnavailable."""
        await self._send({"type": "Speak", "text": text})

    async def flush(self) -> None:
        """Have the text spoken. Raises VendorUnavailable."""
        self._budget.spent(self._loop.time())
        await self._send({"type": "Flush"})

    async def clear(self) -> bool:
        """Stop what it speaks, after `listen(None)`. False: it did not, and the socket is dead."""
        self._cleared.clear()
        try:
            await self._send({"type": "Clear"})
            async with asyncio.timeout(CLEARED_WITHIN_S):
                await self._cleared.wait()
        except (VendorUnavailable, TimeoutError):
            self.drop("not cleared in time")
        return not self.is_dead

    def drop(self, reason: str) -> None:
        """Give it up without a handshake."""
        self._die(VendorUnavailable(VENDOR, reason))
        self._reader.cancel()
        self._socket.transport.abort()

    async def close(self) -> None:
        """Within a second. Idempotent."""
        with suppress(VendorUnavailable):
            await self._send({"type": "Close"})
        self._reader.cancel()
        self._die(VendorUnavailable(VENDOR, "closed by us"))
        with suppress(TimeoutError, ConnectionClosed):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._socket.close()

    async def _send(self, message: dict[str, str]) -> None:
        if self._error is not None:
            raise self._error
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise self._error or closed(VENDOR, self._socket) from error

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if isinstance(message, bytes):
                    self._put(message)
                else:
                    self._take(message)
        except ConnectionClosed:
            pass  # its code is told below
        except Exception as bug:  # noqa: BLE001 - a task's top: without its reader the socket is dead
            log.error("reader_failed", vendor=VENDOR, error=type(bug).__name__)
        finally:
            self._die(closed(VENDOR, self._socket))

    def _take(self, text: str) -> None:
        try:
            message: dict[str, Any] = json.loads(text)
            kind = message.get("type")
        except (ValueError, AttributeError):
            # Events are few and each one counts: without it the reply would never end.
            log.warning("message_dropped", vendor=VENDOR, reason="not a message")
            self._put(Broken(self, VendorUnavailable(VENDOR, "malformed message")))
            return
        match kind:
            case "Flushed":
                self._put("Flushed")
            case "Cleared":
                self._cleared.set()
            case "Warning":
                log.warning("vendor_warning", vendor=VENDOR, code=str(message.get("code"))[:60])
            case "Error":
                reason = str(message.get("code") or message.get("err_code") or "error")[:60]
                self._put(Broken(self, VendorUnavailable(VENDOR, reason)))
            case _:
                pass  # Metadata, and what newer versions add

    def _put(self, item: bytes | str | Broken) -> None:
        if self._inbox is None:
            return
        try:
            self._inbox.put_nowait(item)
        except asyncio.QueueFull:
            log.error("reply_flooded", vendor=VENDOR, messages=MOST_WAITING)
            self._inbox = None  # its reader has enough to do, and then waits in vain

    def _die(self, error: VendorUnavailable) -> None:
        if not self.is_dead:
            self.is_dead = True
            self._error = error
            self._cleared.set()
            self._put(Broken(self, error))
