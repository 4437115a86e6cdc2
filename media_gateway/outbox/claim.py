"""Whether a file may become this gateway's outbox: nobody else's at the same time, no stranger's, and not damaged.

A stranger's file is refused and not touched, not even opened by SQLite. A corrupted file is set aside, never emptied.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import structlog
from filelock import FileLock, Timeout

from media_gateway.errors import OutboxInUse, OutboxRefused
from media_gateway.outbox.table import APPLICATION_ID, SCHEMA_VERSION, Corrupted

log = structlog.get_logger(__name__)

JOURNAL = "-journal"
"""SQLite's name for what takes a broken transaction back; it lies beside the file, and is empty between transactions."""
_MAGIC = b"SQLite format 3\x00"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")
_HEADER_BYTES, _JOURNAL_MAGIC_BYTES = 100, 12
_FORMAT_AT, _USER_VERSION_AT, _APPLICATION_ID_AT = 18, 60, 68
"""SQLite's file format, section 1.3: the first is two bytes, the others are four each, big-endian."""
_NO_WAL = b"\x01\x01"


def take_lock(path: Path) -> FileLock:
    """Lock the file by the system, whose lock dies with its process. Raises OutboxInUse, or OSError."""
    lock = FileLock(f"{path}.lock", timeout=0, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise OutboxInUse(f"another process has the outbox {path} open") from None
    return lock


def is_there(path: Path) -> bool:
    """Whether there is an outbox, or what is left of one."""
    return path.exists() or Path(f"{path}{JOURNAL}").exists()


def examine(path: Path) -> None:
    """Look at an outbox from outside. Raises OutboxRefused for a stranger's, Corrupted for what SQLite would not notice."""
    header = _head(path, _HEADER_BYTES)
    # SQLite takes an empty file for a new database.
    if not header.startswith(_MAGIC):
        raise Corrupted("it is no SQLite database")
    _refuse_strangers(path, header)
    # In a newer format SQLite would read the file and refuse every letter.
    if header[_FORMAT_AT : _FORMAT_AT + 2] != _NO_WAL:
        raise Corrupted("its header is not as it was made")
    # A journal has zeros for its magic until it is complete, and the file is not touched before that.
    began = _head(Path(f"{path}{JOURNAL}"), _JOURNAL_MAGIC_BYTES)
    if began.strip(b"\x00") and not began.startswith(_JOURNAL_MAGIC):
        raise Corrupted("its journal is none of SQLite's")


def has_journal(path: Path) -> bool:
    """Whether a process died within a transaction, which may be half in the file."""
    journal = Path(f"{path}{JOURNAL}")
    return journal.exists() and journal.stat().st_size > 0


def _head(path: Path, count: int) -> bytes:
    if not path.exists():
        return b""
    with path.open("rb") as file:
        return file.read(count)


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
    """Keep a corrupted file and its journal under a name with the time, at which SQLite's tools find both."""
    stem = f"{path}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    aside, again = Path(stem), 1
    while is_there(aside):
        again += 1
        aside = Path(f"{stem}-{again}")
    for suffix in (JOURNAL, ""):
        part = Path(f"{path}{suffix}")
        if part.exists():
            part.rename(f"{aside}{suffix}")
    log.critical(
        "outbox_corrupted",
        file=str(path),
        set_aside_as=str(aside),
        reason=reason,
        remedy=f"a new outbox was begun; what can still be read of the old: sqlite3 {aside} .recover",
    )
