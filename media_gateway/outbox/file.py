"""How letters lie on disk: one row each in an SQLite file that is checked whole before it is used."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from zlib import crc32

from filelock import FileLock

from media_gateway.errors import OutboxRefused
from media_gateway.outbox.claim import (
    APPLICATION_ID,
    SCHEMA_VERSION,
    examine,
    set_aside,
    take_lock,
)
from media_gateway.outbox.letter import Letter

_CREATE = f"""
BEGIN IMMEDIATE;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
CREATE TABLE letter (
    number INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    request_id TEXT NOT NULL,
    at_s REAL NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
COMMIT
"""


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
        examine(path)
        try:
            return cls(path, lock)
        except sqlite3.DatabaseError as error:
            if not _is_corruption(error):
                raise
            set_aside(path, str(error))
        examine(path)
        return cls(path, lock)

    def write(self, letters: Collection[Letter], gone: Collection[int]) -> None:
        """Add these letters, then forget these numbers, all or nothing. Raises sqlite3.Error, and may be repeated then."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO letter VALUES (?, ?, ?, ?, ?, ?, ?)",
                [_row(letter) for letter in letters],
            )
            self._connection.executemany(
                "DELETE FROM letter WHERE number = ?", [(number,) for number in gone]
            )

    def close(self) -> None:
        """Close the file and let the next process have it."""
        try:
            self._connection.close()
        finally:
            self._lock.release()


def _connect(path: Path) -> tuple[sqlite3.Connection, list[Letter]]:
    connection = sqlite3.connect(path)
    # A text that is damaged fails its checksum; it must not fail the reading.
    connection.text_factory = lambda text: text.decode(errors="replace")
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise _corrupt(verdict)
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:
            # Before WAL: the main file itself then names its owner, whatever becomes of the log beside it.
            connection.executescript(_CREATE)
        letters = _read(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        # No fsync a commit: what a commit wrote is the kernel's, and outlives any death of this process. Only a power
        # cut can take the last turns, and NORMAL syncs at checkpoints, so that even then the file stays whole.
        connection.execute("PRAGMA synchronous = NORMAL")
        # Delivered words are overwritten with zeros, not left in free pages.
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection, letters


def _read(connection: sqlite3.Connection) -> list[Letter]:
    letters = []
    for number, call_id, kind, request_id, at_s, body, checksum in connection.execute(
        "SELECT number, call_id, kind, request_id, at_s, body, checksum FROM letter ORDER BY number"
    ):
        letter = Letter(
            number=number,
            call_id=call_id,
            kind=kind,
            request_id=request_id,
            at_s=at_s,
            body=body,
        )
        if _row(letter)[-1] != checksum:
            raise _corrupt(f"letter {number} is not what was written")
        letters.append(letter)
    return letters


def _row(letter: Letter) -> tuple[object, ...]:
    fields = (
        letter.number,
        letter.call_id,
        letter.kind,
        letter.request_id,
        letter.at_s,
        letter.body,
    )
    # SQLite's own check sees a broken page, not a changed byte in a message.
    return (*fields, crc32(repr(fields).encode()))


def _corrupt(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _is_corruption(error: sqlite3.DatabaseError) -> bool:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
