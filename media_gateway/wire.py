"""What waits for the socket: messages in order, and a `clear` that overtakes them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from starlette.websockets import WebSocketDisconnect

log = structlog.get_logger(__name__)

MOST_OUTGOING = 500
"""Messages that the socket did not take: some ten seconds of audio, when 400 ms are the rule."""


class Wire:
    """One stream's way out. `lost` is called when the socket is closed, or takes nothing any more."""

    def __init__(self, send: Callable[[str], Awaitable[None]], lost: Callable[[], None]) -> None:
        self._send = send
        self._lost = lost
        self._waiting: asyncio.Queue[tuple[str, int]] = asyncio.Queue(MOST_OUTGOING)
        self.unsent_ms = 0
        """Of audio that waits here."""

    def post(self, message: str, *, audio_ms: int = 0) -> None:
        """Send it behind what waits."""
        try:
            self._waiting.put_nowait((message, audio_ms))
        except asyncio.QueueFull:
            # The carrier takes no more: nothing would be heard any longer, and it would be heard late.
            log.error("line_stuck", messages=MOST_OUTGOING)
            self._lost()
        else:
            self.unsent_ms += audio_ms

    def overtake(self, message: str) -> None:
        """Send it instead of what waits, which is dropped."""
        while not self._waiting.empty():
            self._waiting.get_nowait()
        self.unsent_ms = 0
        self.post(message)

    async def run(self) -> None:
        """Send until the socket is closed."""
        while True:
            message, audio_ms = await self._waiting.get()
            self.unsent_ms -= audio_ms
            try:
                await self._send(message)
            except (RuntimeError, WebSocketDisconnect):
                # The socket is closed; the reader says so too.
                self._lost()
                return
