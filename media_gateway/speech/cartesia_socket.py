"""One of the process's sockets to Cartesia: a reader hands each message to the reply whose context it is of.

An error that names no context is of those that wait for their first answer; a reply that is heard already goes on.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.vendor_socket import CLOSE_WITHIN_S, closed

log = structlog.get_logger(__name__)

VENDOR = "cartesia"
MOST_WAITING = 5000
"""Messages of one turn that nobody read yet: many minutes of speech. Above it the turn ends where it is."""
EBBS_FOR_S = 3.0
"""A context that was cancelled goes on for a while, and counts against the account until it is done."""
_CONTEXT = re.compile(r'"context_id"\s*:\s*"([^"]{1,100})"')


@dataclass(frozen=True, slots=True)
class Broken:
    """Nothing more comes of a context."""

    context_id: str
    error: VendorUnavailable


Inbox = asyncio.Queue[Mapping[str, Any] | Broken]


@dataclass(slots=True)
class _Listener:
    context_id: str
    inbox: Inbox
    waits: bool = False
    """It sent something, and no answer of any kind came yet."""


class CartesiaSocket:
    """An open socket. Owns its reader."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._listeners: dict[str, _Listener] = {}
        self._ebbing: dict[str, float] = {}
        self._error: VendorUnavailable | None = None
        self._loop = asyncio.get_running_loop()
        self._last_message_s = self._loop.time()
        self._reader = asyncio.create_task(self._read(), name="cartesia read")
        self.died = asyncio.Event()

    @property
    def is_dead(self) -> bool:
        """No use in sending."""
        return self.died.is_set()

    @property
    def contexts(self) -> int:
        """That count against the account."""
        now_s = self._loop.time()
        self._ebbing = {name: end_s for name, end_s in self._ebbing.items() if end_s > now_s}
        return len(self._listeners) + len(self._ebbing)

    def listen(self, context_id: str, inbox: Inbox) -> None:
        """Have this context's messages put there; a `Broken` among them ends it."""
        self._listeners[context_id] = _Listener(context_id, inbox)

    def forget(self, context_id: str) -> None:
        """What still comes of this context is dropped: a cancelled one goes on sending."""
        self._listeners.pop(context_id, None)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Raises VendorUnavailable when the socket is dead."""
        listener = self._listeners.get(message["context_id"])
        if listener is not None and not message.get("cancel"):
            listener.waits = True
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise self._error or closed(VENDOR, self._socket) from error

    async def cancel(self, context_id: str) -> None:
        """Stop a context. Never raises."""
        self.forget(context_id)
        self._ebbing[context_id] = self._loop.time() + EBBS_FOR_S
        with suppress(VendorUnavailable):
            await self.send({"context_id": context_id, "cancel": True})

    @property
    def last_message_s(self) -> float:
        """When the last message came, of any context; on the loop's clock."""
        return self._last_message_s

    def drop(self, reason: str) -> None:
        """Give it up without a handshake: it does not answer."""
        log.warning("socket_dropped", vendor=VENDOR, reason=reason)
        self._die(VendorUnavailable(VENDOR, reason))
        self._socket.transport.abort()

    async def close(self) -> None:
        """Within a second. Idempotent."""
        self._reader.cancel()
        self._die(VendorUnavailable(VENDOR, "closed by us"))
        with suppress(TimeoutError, ConnectionClosed):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._socket.close()

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                self._last_message_s = self._loop.time()
                self._hand_on(text)
        except ConnectionClosed:
            pass  # its code is told below
        except Exception as bug:  # noqa: BLE001 - a task's top: without its reader the socket is dead
            log.error("reader_failed", vendor=VENDOR, error=type(bug).__name__)
        finally:
            self._die(closed(VENDOR, self._socket))

    def _die(self, error: VendorUnavailable) -> None:
        if self.is_dead:
            return
        self._error = error
        self.died.set()
        if self._listeners:
            log.warning("socket_lost", vendor=VENDOR, contexts=len(self._listeners))
        for listener in self._listeners.values():
            self._put(listener, Broken(listener.context_id, error))

    def _hand_on(self, text: str | bytes) -> None:
        """To its context. A bad message costs its own context, never the other calls on this socket."""
        try:
            message = json.loads(text)
            context_id = str(message.get("context_id") or "")
        except (ValueError, AttributeError):
            self._malformed(text)
            return
        kind = message.get("type")
        if kind in ("done", "error"):
            self._ebbing.pop(context_id, None)
        if kind == "error" and not context_id:
            self._unaddressed(message)
            return
        listener = self._listeners.get(context_id)
        if listener is not None:
            listener.waits = False
            if not self._put(listener, message):
                log.error("context_flooded", vendor=VENDOR, messages=MOST_WAITING)
                self.forget(context_id)
        elif kind == "error":
            log.warning("vendor_error", vendor=VENDOR, code=str(message.get("error_code"))[:60])

    def _malformed(self, text: str | bytes) -> None:
        found = _CONTEXT.search(text) if isinstance(text, str) else None
        listener = self._listeners.get(found.group(1)) if found is not None else None
        log.warning("message_dropped", vendor=VENDOR, reason="not a message")
        if listener is not None:
            error = VendorUnavailable(VENDOR, "malformed message")
            self._put(listener, Broken(listener.context_id, error))

    def _unaddressed(self, message: Mapping[str, Any]) -> None:
        waiting = [listener for listener in self._listeners.values() if listener.waits]
        code = str(message.get("error_code"))[:60]
        log.warning("vendor_error", vendor=VENDOR, code=code, contexts=len(waiting))
        for listener in waiting:
            listener.waits = False
            self._put(listener, message)

    @staticmethod
    def _put(listener: _Listener, message: Mapping[str, Any] | Broken) -> bool:
        try:
            listener.inbox.put_nowait(message)
        except asyncio.QueueFull:  # its reader has enough to do, and then waits in vain
            return False
        return True
