"""Whether a file may become this gateway's outbox: nobody else's at the same time, and no stranger's.

A stranger's file is refused and not touched, not even opened by SQLite. A corrupted file is set aside, never emptied.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import structlog
from filelock import FileLock, Timeout

from media_gateway.errors import OutboxInUse, OutboxRefused

log = structlog.get_logger(__name__)

APPLICATION_ID = 0x43534F42
"""`CSOB` in the file's header: how an outbox is told from another program's database."""
SCHEMA_VERSION = 1
_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_USER_VERSION_AT, _APPLICATION_ID_AT = 60, 68
"""SQLite's file format, section 1.3: four bytes each, big-endian."""


def take_lock(path: Path) -> FileLock:
    """Lock the file by the system, whose lock dies with its process. Raises OutboxInUse, or OSError."""
    lock = FileLock(f"{path}.lock", timeout=0, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise OutboxInUse(f"another process has the outbox {path} open") from None
    return lock


def examine(path: Path) -> None:
    """Create the file where there is none, set aside what is no database. Raises OutboxRefused for a stranger's."""
    # For our user's eyes only: it holds words spoken.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_CREAT, 0o600), "rb") as file:
        header = file.read(_HEADER_BYTES)
    if header and not header.startswith(_MAGIC):
        set_aside(path, "it is no SQLite database")
        examine(path)
    elif header:
        _refuse_strangers(path, header)


def _refuse_strangers(path: Path, header: bytes) -> None:
    if _number(header, _APPLICATION_ID_AT) != APPLICATION_ID:
        raise OutboxRefused(f"{path} is another program's database; it was left as it is")
    if (version := _number(header, _USER_VERSION_AT)) > SCHEMA_VERSION:
        raise OutboxRefused(
            f"{path} was written by a newer Callspine (outbox schema {version}, this one knows "
            f"{SCHEMA_VERSION}); it was left as it is"
        )


def _number(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 4], "big")


def set_aside(path: Path, reason: str) -> None:
    """Keep a corrupted file and its log under a name with the time, at which SQLite's tools find both."""
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
        remedy=f"a new outbox was begun; what can still be read of the old: sqlite3 {aside} .recover",
    )
