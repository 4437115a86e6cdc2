"""Deepgram's Aura voice (`/v1/speak`) behind the TextToSpeech port, on a small pool of sockets.

A socket speaks one reply at a time, whosever call it is of, so no two calls share one at any moment and the pool holds as
many as speak at once, with some warm ones to spare. Never run against the real service here. Not documented, and assumed:
the flush limit counts per socket, and an idle socket is closed after a while; then another one is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.metrics.ports import NoMeter, VendorMeter
from media_gateway.speech.aura_socket import VENDOR, AuraSocket
from media_gateway.speech.aura_speech import AuraSpeech
from media_gateway.speech.vendor_socket import open_socket

log = structlog.get_logger(__name__)

OPEN_WITHIN_S = 2.0
AUDIO_WITHIN_S = 2.5
"""Longest wait for the next message of a flush."""
LOOK_EVERY_S = 5.0
"""For warm sockets that died or grew old."""
MOST_WAIT_S = 30.0
"""Between tries to open one that is kept warm."""
FLUSHES_LEAST = 3
"""A reply is begun on a socket that may be flushed so often: an opener, a sentence, and the rest."""


class AuraTextToSpeech:
    """Implements TextToSpeech, and Sockets for its replies."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "wss://api.deepgram.com",
        model: str = "aura-2-thalia-en",
        warm: int = 2,
        most: int = 40,
        audio_within_s: float = AUDIO_WITHIN_S,
        meter: VendorMeter | None = None,
    ) -> None:
        """`warm`: open sockets that nobody speaks on; `most`: sockets in all, the account's limit.

        `meter` is told of the sockets that are opened.
        """
        self._meter = meter or NoMeter()
        query = {"model": model, "encoding": "mulaw", "sample_rate": "8000", "container": "none"}
        self._url = f"{base_url}/v1/speak?{urlencode(query)}"
        self._api_key = api_key
        self._warm = warm
        self._most = most
        self._audio_within_s = audio_within_s
        self._free: list[AuraSocket] = []
        self._lent: set[AuraSocket] = set()
        self._opening = 0
        self._tidying: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None
        self._lack = asyncio.Event()

    @property
    def pool(self) -> Mapping[str, int]:
        """Sockets that wait for a reply, and those that are at one."""
        return {"free": len(self._free), "speaking": len(self._lent)}

    def keep_warm(self) -> None:
        """Open the spare sockets now, and again whenever there are fewer."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep(), name="aura keep")

    async def begin(self) -> AuraSpeech:
        """Start an agent turn. Raises VendorUnavailable."""
        return AuraSpeech(await self.lend(), self, audio_within_s=self._audio_within_s)

    async def close(self) -> None:
        """Release the sockets. Idempotent."""
        tasks = [*self._tidying, *([self._keeper] if self._keeper is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sockets = [*self._free, *self._lent]
        self._free.clear()
        self._lent.clear()
        await asyncio.gather(*(socket.close() for socket in sockets))

    # --- Sockets -----------------------------------------------------------------------------

    async def lend(self) -> AuraSocket:
        """See Sockets."""
        self._sort_out()
        if fit := self._fit():
            socket = max(fit, key=lambda socket: socket.flushes_left)
            self._free.remove(socket)
        else:
            socket = await self._open()
        self._lent.add(socket)
        self._lack.set()
        return socket

    def give_back(self, socket: AuraSocket, *, is_clear: bool) -> None:
        """See Sockets."""
        if socket.is_dead:
            self._lent.discard(socket)
        elif is_clear:
            self._lent.discard(socket)
            self._free.append(socket)
        else:
            self._spawn(self._clear(socket))

    async def _clear(self, socket: AuraSocket) -> None:
        try:
            if await socket.clear():
                self._free.append(socket)
        finally:
            self._lent.discard(socket)

    # --- opening -----------------------------------------------------------------------------

    async def _open(self) -> AuraSocket:
        there = len(self._free) + len(self._lent) + self._opening
        tired = [socket for socket in self._free if socket.flushes_left < FLUSHES_LEAST]
        if there >= self._most and tired:
            self._free.remove(tired[0])
            self._spawn(tired[0].close())
        elif there >= self._most:
            reason = f"all {there} sockets that are allowed are in use"
            raise VendorUnavailable(VENDOR, reason, is_full=True)
        self._opening += 1
        began_s = perf_counter()
        try:
            headers = {"Authorization": f"Token {self._api_key}"}
            socket = await open_socket(VENDOR, self._url, headers, within_s=OPEN_WITHIN_S)
        finally:
            self._opening -= 1
        self._meter.connected(VENDOR, perf_counter() - began_s)
        return AuraSocket(socket)

    def _fit(self) -> list[AuraSocket]:
        return [socket for socket in self._free if socket.flushes_left >= FLUSHES_LEAST]

    def _sort_out(self) -> None:
        """Keep of the free ones what lives and is young."""
        for socket in self._free:
            if socket.is_old and not socket.is_dead:
                self._spawn(socket.close())
        self._free = [socket for socket in self._free if not (socket.is_dead or socket.is_old)]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name="aura tidy")
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)

    async def _keep(self) -> None:
        wait_s = LOOK_EVERY_S
        while True:
            self._sort_out()
            try:
                while len(self._fit()) < self._warm:
                    self._free.append(await self._open())
                wait_s = LOOK_EVERY_S
            except VendorUnavailable as error:
                if not error.is_full:
                    log.warning("socket_not_opened", vendor=VENDOR, reason=error.reason)
                wait_s = max(min(MOST_WAIT_S, 2 * wait_s), error.retry_after_s or 0.0)
                await asyncio.sleep(wait_s)
                continue
            self._lack.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._lack.wait()
