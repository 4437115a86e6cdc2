"""Which letters a database holds, and whether these are all: one row each, checked whole.

SQLite checks the form of its pages, each row checks its letter, and a tally in the same transaction says which letters
there have to be: whatever befell the file or its journal, letters are either all there or known to be damaged.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from zlib import crc32

from media_gateway.outbox.letter import Letter

APPLICATION_ID = 0x43534F42
"""`CSOB` in the file's header: how an outbox is told from another program's database."""
SCHEMA_VERSION = 1
CREATE = f"""
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
CREATE TABLE tally (letters INTEGER NOT NULL, checksums INTEGER NOT NULL);
INSERT INTO tally VALUES (0, 0);
CREATE TRIGGER letter_came AFTER INSERT ON letter BEGIN
    UPDATE tally SET letters = letters + 1, checksums = checksums + new.checksum;
END;
CREATE TRIGGER letter_went AFTER DELETE ON letter BEGIN
    UPDATE tally SET letters = letters - 1, checksums = checksums - old.checksum;
END;
COMMIT
"""  # noqa: S608 - of our own numbers


class Corrupted(Exception):
    """The outbox is damaged. The message says how it was noticed and holds no word of a call."""


def read_whole(connection: sqlite3.Connection) -> list[Letter]:
    """All letters, or Corrupted."""
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise Corrupted(verdict)
        if _schema(connection) != _SCHEMA:
            raise Corrupted("its tables are not as they were made")
        letters = _read(connection)
        tally = connection.execute("SELECT letters, checksums FROM tally").fetchall()
    except sqlite3.DatabaseError as error:
        primary = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if primary not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        raise Corrupted(str(error)) from error
    except UnicodeDecodeError as error:
        raise Corrupted("SQLite's own words on it quote a damaged name") from error
    if tally != [(len(letters), sum(_checksum(letter) for letter in letters))]:
        raise Corrupted("letters are missing")
    return letters


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
        if _checksum(letter) != checksum:
            raise Corrupted(f"letter {number} is not what was written")
        letters.append(letter)
    return letters


def _row(letter: Letter) -> tuple[object, ...]:
    return (
        letter.number,
        letter.call_id,
        letter.kind,
        letter.request_id,
        letter.at_s,
        letter.body,
    )


def full_row(letter: Letter) -> tuple[object, ...]:
    """All columns in the table's order."""
    return (*_row(letter), _checksum(letter))


def _checksum(letter: Letter) -> int:
    """SQLite's own check sees a broken page, not a changed byte in a message."""
    return crc32(repr(_row(letter)).encode())


def _schema(connection: sqlite3.Connection) -> list[tuple[str]]:
    return connection.execute("SELECT sql FROM sqlite_master ORDER BY rowid").fetchall()


def _schema_as_made() -> list[tuple[str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(CREATE)
        return _schema(connection)


_SCHEMA = _schema_as_made()
