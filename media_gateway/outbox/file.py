"""Whether a file on disk may be this gateway's outbox: its own, whole, and nobody else's at the same time.

A corrupted file is set aside, never emptied. A stranger's file is refused and not touched, not even opened by SQLite.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import structlog
from filelock import FileLock, Timeout

from media_gateway.errors import OutboxInUse, OutboxRefused
from media_gateway.outbox.letter import Letter

log = structlog.get_logger(__name__)

APPLICATION_ID = 0x43534F42
"""`CSOB` in the file's header: how an outbox is told from another program's database."""
SCHEMA_VERSION = 1
_MAGIC = b"SQLite format 3\x00"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS letter (
    number INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    request_id TEXT NOT NULL,
    at_s REAL NOT NULL,
    body BLOB NOT NULL
)
"""


class OutboxFile:
    """An open outbox. Made, used and closed by one thread; its letters are those that an earlier process left."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self._lock = lock
        self._connection, self.letters = _connect(path)

    @classmethod
    def open(cls, path: Path) -> OutboxFile:
        """Open or create the file. Raises OutboxInUse, or OutboxRefused for a stranger's file and for a disk in trouble."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _lock(path)
            try:
                return cls._open(path, lock)
            except BaseException:
                lock.release()
                raise
        except (OSError, sqlite3.Error) as error:
            raise OutboxRefused(f"the outbox {path} cannot be opened: {error}") from error

    @classmethod
    def _open(cls, path: Path, lock: FileLock) -> OutboxFile:
        header = _header(path)
        if header and not header.startswith(_MAGIC):
            _set_aside(path, "it is no SQLite database")
        elif header:
            _refuse_strangers(path, header)
        try:
            return cls(path, lock)
        except sqlite3.DatabaseError as error:
            if not _is_corruption(error):
                raise
            _set_aside(path, str(error))
            return cls(path, lock)

    def write(self, letters: Collection[Letter], gone: Collection[int]) -> None:
        """Add these letters, then forget these numbers, all or nothing. Raises sqlite3.Error, and may be repeated then."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO letter VALUES (?, ?, ?, ?, ?, ?)",
                [(x.number, x.call_id, x.kind, x.request_id, x.at_s, x.body) for x in letters],
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


def _lock(path: Path) -> FileLock:
    """The system's own lock, which dies with the process that holds it: a lock file that only exists would outlive a crash."""
    lock = FileLock(f"{path}.lock", timeout=0, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise OutboxInUse(f"another process has the outbox {path} open") from None
    return lock


def _header(path: Path) -> bytes:
    """SQLite's first 100 bytes; empty for a file that is new. Creates the file, for our user's eyes only."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600), "rb") as file:
        return file.read(100)


def _refuse_strangers(path: Path, header: bytes) -> None:
    # Read from the bytes (SQLite's file format, 1.3): opening a stranger's file would already change it.
    version, application_id = (int.from_bytes(header[at : at + 4], "big") for at in (60, 68))
    if application_id != APPLICATION_ID:
        raise OutboxRefused(f"{path} is another program's database; it was left as it is")
    if version > SCHEMA_VERSION:
        raise OutboxRefused(
            f"{path} was written by a newer Callspine (outbox schema {version}, this one knows "
            f"{SCHEMA_VERSION}); it was left as it is"
        )


def _connect(path: Path) -> tuple[sqlite3.Connection, list[Letter]]:
    connection = sqlite3.connect(path)
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise _corrupt(verdict)
        _prepare(connection)
        rows = connection.execute(
            "SELECT number, call_id, kind, request_id, at_s, body FROM letter ORDER BY number"
        )
        letters = [
            Letter(
                number=n, call_id=call_id, kind=kind, request_id=request_id, at_s=at_s, body=body
            )
            for n, call_id, kind, request_id, at_s, body in rows
        ]
    except BaseException:
        connection.close()
        raise
    return connection, letters


def _prepare(connection: sqlite3.Connection) -> None:
    # Before WAL: the main file itself then names its owner, whatever becomes of the log beside it.
    connection.executescript(
        f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID}; "
        f"PRAGMA user_version = {SCHEMA_VERSION}; {_SCHEMA}; COMMIT"
    )
    connection.execute("PRAGMA journal_mode = WAL")
    # No fsync a commit: what a commit wrote is the kernel's, and outlives any death of this process. Only a power cut
    # can take the last turns, and NORMAL syncs at checkpoints, so that even then the file stays whole.
    connection.execute("PRAGMA synchronous = NORMAL")
    # Delivered words are overwritten with zeros, not left in free pages.
    connection.execute("PRAGMA secure_delete = ON")


def _corrupt(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _is_corruption(error: sqlite3.DatabaseError) -> bool:
    primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _set_aside(path: Path, reason: str) -> None:
    """Keep a corrupted file and its log under a name with the time; the name stays a database's, for SQLite's tools."""
    stem = f"{path}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    aside, again = Path(stem), 1
    while aside.exists():
        again += 1
        aside = Path(f"{stem}-{again}")
    for suffix in ("-wal", ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    Path(f"{path}-shm").unlink(missing_ok=True)
    log.critical(
        "outbox_corrupted",
        file=str(path),
        set_aside_as=str(aside),
        reason=reason,
        remedy=f"a new outbox was begun; messages that can still be read: sqlite3 {aside} .recover",
    )
