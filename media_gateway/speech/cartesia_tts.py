"""Cartesia's streaming voice (`/tts/websocket`) behind the TextToSpeech port.

A few sockets a process, each with the contexts of many calls; one context an agent turn, one flush a segment. Our own
sockets with the documented messages: the SDK's contexts hang when the socket dies and cannot reconnect. Never run against
the real service here; that an expired context answers with `error` or `done` is read out of its documentation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter

import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.metrics.ports import NoMeter, VendorMeter
from media_gateway.speech.cartesia_socket import VENDOR, CartesiaSocket
from media_gateway.speech.cartesia_speech import CartesiaSpeech
from media_gateway.speech.vendor_socket import open_socket

log = structlog.get_logger(__name__)

API_VERSION = "2026-03-01"
"""The first with structured errors."""
OPEN_WITHIN_S = 2.0
AUDIO_WITHIN_S = 2.5
"""Longest wait for the next message of a context that has text to speak."""
REOPEN_FIRST_S, REOPEN_MOST_S = 0.2, 30.0
"""Between tries to open a socket that is kept warm."""


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
        sockets: int = 1,
        most_contexts: int = 0,
        audio_within_s: float = AUDIO_WITHIN_S,
        meter: VendorMeter | None = None,
    ) -> None:
        """`most_contexts`: the account's limit on turns that are spoken at one time; 0: leave it to the service to refuse.

        `meter` is told of the shared sockets only.
        """
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
        self._most_contexts = most_contexts
        self._audio_within_s = audio_within_s
        self._slots: list[CartesiaSocket | None] = [None] * sockets
        self._opening = [asyncio.Lock() for _ in self._slots]
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def pool(self) -> Mapping[str, int]:
        """Open sockets, and the replies on all of them, those included that were cut and still ebb."""
        live = [socket for socket in self._slots if socket is not None and not socket.is_dead]
        return {"open": len(live), "speaking": sum(socket.contexts for socket in live)}

    def keep_warm(self) -> None:
        """Open the sockets now, and again whenever one ends: the service closes those that are idle for five minutes."""
        if not self._keepers:
            self._keepers = [
                asyncio.create_task(self._keep(slot), name="cartesia keep")
                for slot in range(len(self._slots))
            ]

    async def begin(self) -> CartesiaSpeech:
        """Start an agent turn on the socket with the fewest. Raises VendorUnavailable."""
        socket = await self._socket()
        return CartesiaSpeech(
            socket, self._request, self._socket, audio_within_s=self._audio_within_s
        )

    async def close(self) -> None:
        """Release the sockets. Idempotent."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        open_ones = [socket for socket in self._slots if socket is not None]
        self._slots = [None] * len(self._slots)
        for socket in open_ones:
            await socket.close()

    async def _socket(self) -> CartesiaSocket:
        live = {n: s for n, s in enumerate(self._slots) if s is not None and not s.is_dead}
        busy = sum(socket.contexts for socket in live.values())
        if self._most_contexts and busy >= self._most_contexts:
            reason = f"all {busy} contexts that the account allows are in use"
            raise VendorUnavailable(VENDOR, reason, is_full=True)
        unopened = [slot for slot in range(len(self._slots)) if slot not in live]
        if live and not (unopened and not self._keepers):
            return min(live.values(), key=lambda socket: socket.contexts)
        return await self._opened(unopened[0])

    async def _opened(self, slot: int) -> CartesiaSocket:
        async with self._opening[slot]:
            socket = self._slots[slot]
            if socket is None or socket.is_dead:
                lost, began_s = socket, perf_counter()
                socket = self._slots[slot] = await self._connect()
                self._meter.connected(VENDOR, perf_counter() - began_s)
                if lost is not None:
                    self._meter.reconnected(VENDOR)
            return socket

    async def _connect(self) -> CartesiaSocket:
        return CartesiaSocket(
            await open_socket(
                VENDOR,
                f"{self._base_url}/tts/websocket?cartesia_version={API_VERSION}",
                {"X-API-Key": self._api_key},
                within_s=OPEN_WITHIN_S,
            )
        )

    async def _keep(self, slot: int) -> None:
        wait_s = REOPEN_FIRST_S
        while True:
            try:
                socket = await self._opened(slot)
                opened_s = asyncio.get_running_loop().time()
                await socket.died.wait()
                lived_s = asyncio.get_running_loop().time() - opened_s
                wait_s = (
                    REOPEN_FIRST_S if lived_s > REOPEN_MOST_S else min(REOPEN_MOST_S, 2 * wait_s)
                )
            except VendorUnavailable as error:
                log.warning("socket_not_opened", vendor=VENDOR, reason=error.reason)
                wait_s = max(min(REOPEN_MOST_S, 2 * wait_s), error.retry_after_s or 0.0)
            await asyncio.sleep(wait_s)
