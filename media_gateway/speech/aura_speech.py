"""One agent turn in Aura's voice, on a socket that it has for itself until it is spoken or cleared."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncGenerator
from typing import Protocol

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.aura_groups import FlushGroups
from media_gateway.speech.aura_socket import MOST_WAITING, VENDOR, AuraSocket, Broken, Inbox
from media_gateway.speech.ports import SpeechItem

LONGEST_SPEAK = 2000
"""Characters of one message, the space behind it included; the service closes the socket above it."""
FLUSHES_KEPT = 1
"""For the end of the reply: until then sentences are joined when flushes run short."""


class Sockets(Protocol):
    """Where sockets come from."""

    async def lend(self) -> AuraSocket:
        """One that nobody speaks on, and that may be flushed. Raises VendorUnavailable."""

    def give_back(self, socket: AuraSocket, *, is_clear: bool) -> None:
        """It is of no more use here. `is_clear`: nothing of the reply can still come on it."""


class AuraSpeech:
    """Implements Speech."""

    def __init__(self, socket: AuraSocket, sockets: Sockets, *, audio_within_s: float) -> None:
        self._sockets = sockets
        self._audio_within_s = audio_within_s
        self._inbox: Inbox = asyncio.Queue(MOST_WAITING)
        self._groups = FlushGroups()
        self._unflushed: list[str] = []
        self._socket: AuraSocket | None = socket
        socket.listen(self._inbox)
        self._sending = asyncio.Lock()
        self._is_finished = self._is_over = False

    async def say(self, segment: int, text: str) -> None:
        """Speak a sentence. Raises VendorUnavailable."""
        async with self._sending:
            socket = await self._fit_socket()
            self._groups.said(segment, text)
            self._unflushed.append(text)
            await _speak(socket, text)
            if socket.flushes_left > FLUSHES_KEPT:
                await self._flush(socket)

    async def finish(self) -> None:
        """No more text. Raises VendorUnavailable."""
        async with self._sending:
            self._is_finished = True
            socket = self._socket
            if self._groups.has_unflushed and socket is not None and socket.flushes_left:
                await self._flush(socket)
            self._wake()
        # Without a flush left it waits for what is spoken now; there is nothing to wait for where all is.
        await self._flush_what_waits()

    async def cancel(self) -> None:
        """Stop; what still comes is dropped. Idempotent."""
        if self._is_over:
            return
        self._is_over = True
        self._wake()
        self._give_back(is_clear=self._groups.is_quiet and not self._groups.has_unflushed)

    async def __aiter__(self) -> AsyncGenerator[SpeechItem, None]:
        """Audio as it comes; ends with the last flush. Raises VendorUnavailable."""
        try:
            while not self._is_over:
                if self._is_finished and self._groups.is_quiet and not self._groups.has_unflushed:
                    self._is_over = True
                    self._give_back(is_clear=True)
                    return
                match await self._next():
                    case bytes() as mulaw:
                        for item in self._groups.audio(mulaw):
                            yield item
                    case "Flushed":
                        for done in self._groups.flush_answered():
                            yield done
                        await self._flush_what_waits()
                    case Broken() as broken if broken.socket is self._socket:
                        self._broke_off(broken.error)
                    case _:
                        pass
        finally:
            if not self._is_over:
                self._is_over = True
                self._give_back(is_clear=False)

    async def _next(self) -> bytes | str | Broken:
        if not self._inbox.empty():
            return (
                self._inbox.get_nowait()
            )  # a timer for each of many messages would cost more than they do
        # Without a flush nothing is due.
        within_s = None if self._groups.is_quiet else self._audio_within_s
        try:
            async with asyncio.timeout(within_s):
                return await self._inbox.get()
        except TimeoutError:
            raise VendorUnavailable(VENDOR, "no audio in time") from None

    def _broke_off(self, error: VendorUnavailable) -> None:
        """Raises the error if something was under way; else the next words find another socket."""
        if not self._groups.is_quiet or self._groups.has_unflushed:
            raise error
        self._give_back(is_clear=False)

    async def _fit_socket(self) -> AuraSocket:
        """The reply's socket, or another one where it can change without a sound lost: it died, or ran out of flushes."""
        socket = self._socket
        can_change = self._groups.is_quiet and not self._groups.has_unflushed
        if socket is not None and can_change:
            is_of_use = not socket.is_dead and socket.flushes_left > FLUSHES_KEPT
            if not is_of_use:
                self._give_back(is_clear=not socket.is_dead)
        return self._socket if self._socket is not None else await self._borrow()

    async def _flush_what_waits(self) -> None:
        """Text that was saved a flush has nothing before it any more: it is due."""
        async with self._sending:
            socket = self._socket
            if self._groups.is_quiet and self._groups.has_unflushed and socket is not None:
                await self._flush(socket if socket.flushes_left else await self._moved())

    async def _moved(self) -> AuraSocket:
        """Another socket has the text that this one has no flush left for: cleared, it says nothing of it."""
        self._give_back(is_clear=False)
        socket = await self._borrow()
        for text in self._unflushed:
            await _speak(socket, text)
        return socket

    async def _borrow(self) -> AuraSocket:
        socket = await self._sockets.lend()
        if self._is_over:  # cancelled meanwhile, and nobody would give it back
            self._sockets.give_back(socket, is_clear=True)
            raise VendorUnavailable(VENDOR, "cancelled")
        self._socket = socket
        socket.listen(self._inbox)
        return socket

    async def _flush(self, socket: AuraSocket) -> None:
        self._groups.flush_sent()
        self._unflushed.clear()
        self._wake()  # whoever waits for nothing waits for audio from here on
        await socket.flush()

    def _wake(self) -> None:
        if not self._inbox.full():
            self._inbox.put_nowait("")

    def _give_back(self, *, is_clear: bool) -> None:
        if self._socket is not None:
            self._socket.listen(None)
            self._sockets.give_back(self._socket, is_clear=is_clear)
            self._socket = None


async def _speak(socket: AuraSocket, text: str) -> None:
    for piece in textwrap.wrap(text, LONGEST_SPEAK - 1) or [text]:
        await socket.speak(f"{piece} ")
