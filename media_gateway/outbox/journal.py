"""The thread that owns the file: takes orders without holding anybody up, and writes all that wait in one transaction."""

from __future__ import annotations

import asyncio
import contextvars
import sqlite3
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import structlog

from media_gateway.outbox.file import OutboxFile
from media_gateway.outbox.letter import Letter

log = structlog.get_logger(__name__)

RETRY_S = 1.0
"""Between tries while the disk refuses: a full disk is not helped by more."""


class _Stop:
    pass


Order = Letter | int | Future[bool] | _Stop
"""Write this letter, forget this number, say when all before is written, stop."""


class Journal:
    """What the event loop sees of the file. `write` and `forget` cost a queue's put; nothing here raises on disk trouble."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Bounded by the outbox: one letter and one number for each message that it takes.
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._opened: Future[list[Letter]] = _future()
        self._closed: Future[int] = _future()

    async def open(self) -> list[Letter]:
        """Start the thread, open the file; returns the letters left in it. Raises OutboxRefused."""
        # With the logger's bound fields. A daemon, because a process that fails to start must be able to end.
        run = partial(contextvars.copy_context().run, self._run)
        Thread(target=run, name="outbox", daemon=True).start()
        return await asyncio.wrap_future(self._opened)

    def write(self, letter: Letter) -> None:
        """Have a letter written. A number may come again: the last one counts."""
        self._orders.put(letter)

    def forget(self, number: int) -> None:
        """Have a letter taken out, written or not."""
        self._orders.put(number)

    async def settled(self) -> bool:
        """Wait for everything ordered so far; True when the file holds it, False when the disk refuses."""
        told: Future[bool] = _future()
        self._orders.put(told)
        return await asyncio.wrap_future(told)

    async def close(self, *, within_s: float) -> int:
        """Write what is left, close the file; returns how many letters could not be written. Raises TimeoutError."""
        self._orders.put(_Stop())
        async with asyncio.timeout(within_s):
            return await asyncio.wrap_future(self._closed)

    def _run(self) -> None:
        try:
            file = OutboxFile.open(self._path)
        except BaseException as error:  # noqa: BLE001 - raised where the opening is awaited
            self._opened.set_exception(error)
            return
        self._opened.set_result(file.letters)
        unwritten = _Scribe(self._path, file).work(self._orders)
        try:
            file.close()
        except sqlite3.Error as error:
            log.critical("outbox_not_closed", file=str(self._path), reason=str(error))
        self._closed.set_result(unwritten)


class _Scribe:
    """The thread's own state: what is not on disk yet."""

    def __init__(self, path: Path, file: OutboxFile) -> None:
        self._path = path
        self._file = file
        self._letters: dict[int, Letter] = {}
        self._gone: set[int] = set()
        self._waiting: list[Future[bool]] = []
        self._in_trouble = False

    def work(self, orders: SimpleQueue[Order]) -> int:
        """Carry orders out until told to stop; returns how many letters could not be written."""
        is_over = False
        while not is_over:
            is_over = self._take(orders)
            self._write()
        return len(self._letters)

    def _take(self, orders: SimpleQueue[Order]) -> bool:
        """Wait for an order, then take all there are."""
        is_over = False
        try:
            order = orders.get(timeout=RETRY_S if self._in_trouble else None)
            while True:
                match order:
                    case Letter():
                        self._letters[order.number] = order
                    case int():
                        self._take_out(order)
                    case Future():
                        self._waiting.append(order)
                    case _Stop():
                        is_over = True
                order = orders.get_nowait()
        except Empty:
            return is_over

    def _take_out(self, number: int) -> None:
        was_unwritten = self._letters.pop(number, None) is not None
        # A transaction that failed may have left its mark all the same.
        if not was_unwritten or self._in_trouble:
            self._gone.add(number)

    def _write(self) -> None:
        if self._letters or self._gone:
            try:
                self._file.write(self._letters.values(), self._gone)
            except sqlite3.Error as error:
                self._trouble(error)
            else:
                self._letters.clear()
                self._gone.clear()
                self._well()
        for told in self._waiting:
            told.set_result(not self._letters and not self._gone)
        self._waiting.clear()

    def _trouble(self, error: sqlite3.Error) -> None:
        if not self._in_trouble:
            log.critical(
                "outbox_disk_trouble",
                file=str(self._path),
                reason=str(error),
                messages=len(self._letters),
                remedy="calls go on and messages are delivered from memory, but a crash would lose them: "
                "make room on the disk, or make it writable",
            )
        self._in_trouble = True

    def _well(self) -> None:
        if self._in_trouble:
            log.warning("outbox_disk_well", file=str(self._path))
        self._in_trouble = False


def _future() -> Future[Any]:
    """One that a cancelled waiter does not cancel: the thread will set it."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future
