"""One call's tasks: each is owned here, a bug in one is logged, and none outlives the call."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)

VENDOR_ENDS_WITHIN_S = 2.0


class CallTasks:
    """Everything that runs beside a call's reader."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start one."""
        task = asyncio.create_task(coroutine, name=f"{name} {self._call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def cancel_all(self) -> None:
        """Stop them all, and wait until they have stopped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A bug of ours: the call must not go silent over it. The backstop deadline opens the floor again.
            log.error("task_failed", task=task.get_name(), exc_info=error)


async def let_go(ending: Coroutine[Any, Any, None]) -> None:
    """Have a vendor end what it does for a call that is over. Never raises, and waits no longer than two seconds."""
    try:
        async with asyncio.timeout(VENDOR_ENDS_WITHIN_S):
            await ending
    except Exception as error:  # noqa: BLE001 - the call is over; what a vendor makes of it is its own affair
        log.warning("vendor_did_not_end", error=type(error).__name__)
