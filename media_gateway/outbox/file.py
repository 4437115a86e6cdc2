"""How letters lie on disk: one file that is made whole, checked whole before it is used, and set aside when damaged."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Collection, Iterable
from contextlib import closing
from pathlib import Path

from filelock import FileLock

from media_gateway.errors import OutboxRefused
from media_gateway.outbox.claim import (
    JOURNAL,
    examine,
    has_journal,
    is_there,
    set_aside,
    take_lock,
)
from media_gateway.outbox.letter import Letter
from media_gateway.outbox.table import CREATE, Corrupted, full_row, read_whole


class OutboxFile:
    """An open outbox. Made, used and closed by one thread; `letters` are those that an earlier process left, in order."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self._lock = lock
        self._connection, self.letters = _connect(path)

    @classmethod
    def open(cls, path: Path) -> OutboxFile:
        """Open or create the file. Raises OutboxInUse, or OutboxRefused for a stranger's file and for a disk in trouble."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = take_lock(path)
            try:
                return cls._open(path, lock)
            except BaseException:
                lock.release()
                raise
        except (OSError, sqlite3.Error) as error:
            raise OutboxRefused(f"the outbox {path} cannot be opened: {error}") from error

    @classmethod
    def _open(cls, path: Path, lock: FileLock) -> OutboxFile:
        if not is_there(path):
            _create(path)
        try:
            examine(path)
            if has_journal(path):
                _rehearse(path)
            return cls(path, lock)
        except Corrupted as error:
            set_aside(path, str(error))
        _create(path)
        return cls(path, lock)

    def write(self, letters: Collection[Letter], gone: Collection[int]) -> None:
        """Add these letters, then forget these numbers, all or nothing. Raises sqlite3.Error, and may be repeated then."""
        with self._connection:
            # A letter that comes again is taken out first, or its trigger would not count it down.
            self._take_out(letter.number for letter in letters)
            self._connection.executemany(
                "INSERT INTO letter VALUES (?, ?, ?, ?, ?, ?, ?)",
                [full_row(letter) for letter in letters],
            )
            self._take_out(gone)

    def _take_out(self, numbers: Iterable[int]) -> None:
        self._connection.executemany(
            "DELETE FROM letter WHERE number = ?", [(number,) for number in numbers]
        )

    def close(self) -> None:
        """Close the file and let the next process have it."""
        try:
            # Takes the journal, empty by now, away.
            self._connection.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._connection.close()
            self._lock.release()


def _create(path: Path) -> None:
    """An empty outbox, whole from the moment at which it has its name: an empty file there is then a damaged one."""
    unnamed = Path(f"{path}.new")
    unnamed.unlink(missing_ok=True)
    # For our user's eyes only: it holds words spoken.
    os.close(os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(unnamed)) as connection:
        connection.executescript(CREATE)
    unnamed.rename(path)


def _rehearse(path: Path) -> None:
    """Take a dead process's transaction back in a copy first: a damaged journal would spoil what is still in the file."""
    copy = Path(f"{path}.copy")
    try:
        for suffix in (JOURNAL, ""):
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
        connection, _ = _connect(copy)
        connection.close()
    finally:
        for suffix in ("", JOURNAL):
            Path(f"{copy}{suffix}").unlink(missing_ok=True)


def _connect(path: Path) -> tuple[sqlite3.Connection, list[Letter]]:
    connection = sqlite3.connect(path)
    # A text that is damaged fails its checksum; it must not fail the reading.
    connection.text_factory = lambda text: text.decode(errors="replace")
    try:
        letters = read_whole(connection)
        # Not WAL, which drops damaged parts of its log without a word: here every commit is in the checked file itself.
        # It is synced there, too, by the thread that nobody waits for: a power cut takes at most what was just put.
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Delivered words are overwritten with zeros, not left in free pages.
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection, letters
