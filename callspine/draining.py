"""A web server that gives its calls away before it stops: SIGTERM ends a gateway, never a call."""

from __future__ import annotations

import asyncio
import socket
from types import FrameType

import structlog
import uvicorn

from media_gateway.sessions import Sessions

log = structlog.get_logger(__name__)


class DrainingServer(uvicorn.Server):
    """The first SIGTERM or SIGINT drains and then stops; a second one stops at once."""

    def __init__(
        self, config: uvicorn.Config, sessions: Sessions, *, notice_s: float, within_s: float
    ) -> None:
        super().__init__(config)
        self._sessions = sessions
        self._notice_s = notice_s
        self._within_s = within_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._draining: asyncio.Task[None] | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop; returns like any function, so that whoever called can close what is open."""
        self._loop = asyncio.get_running_loop()
        try:
            await super().serve(sockets)
        finally:
            if self._draining is not None:
                self._draining.cancel()
                await asyncio.gather(self._draining, return_exceptions=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by the signal, between two bytecodes of the main thread.

        Never the base class's: it raises the signal again after serving, and the process would die of it with its
        files and its polls open.
        """
        if self._loop is None or self._sessions.is_leaving:
            self.should_exit = self.force_exit = True
            return
        self._sessions.is_leaving = True  # at once: the balancer hears of it with its next question
        self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._draining = asyncio.create_task(self._drain(), name="drain")

    async def _drain(self) -> None:
        began = len(self._sessions)
        log.info("draining", calls=began, within_s=self._within_s)
        try:
            if began:
                # A call that is given away before the balancer knows would come back here, and be refused.
                await asyncio.sleep(self._notice_s)
            broken_off = await self._sessions.drain(within_s=self._within_s)
            log.info("drained", calls=began, broken_off=broken_off)
        except Exception:
            log.exception("drain_failed", calls=began, remedy="the gateway stops all the same")
        finally:
            self.should_exit = True
