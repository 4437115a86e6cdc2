"""The reply's request made ready while the caller still speaks, so that his last word finds it waiting."""

from __future__ import annotations

import asyncio

import structlog

from media_gateway.ports import Dialogue, PreparedReply, ReplyRequest

log = structlog.get_logger(__name__)


class HeadStart:
    """One call's preparation: at most one at a time, always of the newest request."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._wanted: ReplyRequest | None = None
        self._ready: PreparedReply | None = None
        self._task: asyncio.Task[None] | None = None

    def want(self, request: ReplyRequest) -> None:
        """What would be asked if the caller's turn ended now, without his words. Cheap to repeat; never raises."""
        if request == self._wanted:
            return
        self._wanted = request
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._prepare(), name="head start")

    def take(self) -> PreparedReply | None:
        """What is ready. It need not fit the turn any longer: the dialogue looks."""
        return self._ready

    def close(self) -> None:
        """Stop preparing."""
        if self._task is not None:
            self._task.cancel()

    async def _prepare(self) -> None:
        while (wanted := self._wanted) is not None:
            try:
                self._ready = await self._dialogue.prepare(wanted)
            except Exception as error:  # noqa: BLE001 - a task's top; the reply makes its request itself
                log.warning("reply_not_prepared", error=type(error).__name__)
            if self._wanted is wanted:
                return
