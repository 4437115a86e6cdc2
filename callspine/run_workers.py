"""Runs workers until they are told to stop, and is gone within a bound after that, whatever hangs."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Sequence

import structlog
from temporalio.worker import Worker

log = structlog.get_logger(__name__)

EXIT_WITHIN_S = 9.0
"""From the signal to the process's end. Docker, and our own supervisor, kill after 10 s."""


async def run_until(
    stop: asyncio.Event, workers: Sequence[Worker], *, ready: Callable[[], None]
) -> None:
    """Run all of them; after `stop`, let what is under way finish. Raises what a worker dies of, as a group."""
    async with asyncio.TaskGroup() as group:
        for worker in workers:
            group.create_task(worker.run(), name=f"worker {worker.task_queue}")
        ready()
        await stop.wait()
        log.info("worker_stopping")
        last_resort = threading.Timer(EXIT_WITHIN_S, _exit_now)
        last_resort.daemon = True
        last_resort.start()
        try:
            # Side by side: the bound is one worker's, not the sum of all.
            await asyncio.gather(*(worker.shutdown() for worker in workers))
        finally:
            last_resort.cancel()


def _exit_now() -> None:
    """A thread that hangs in a vendor's or a store's call cannot be stopped: its activity counts as lost."""
    log.error("worker_exit_forced", after_s=EXIT_WITHIN_S)
    sys.stderr.flush()
    os._exit(1)
