"""How the words' store opens the database. Apart from the CRM's, which a gateway may not import."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

BUSY_MS = 4000
"""Below the deadline of whoever waits for an answer."""


def open_engine(database_url: str) -> Engine:
    """An engine; a SQLite file's folder is made when it is missing. Its errors hold no value of a row."""
    if database_url.startswith("sqlite:///"):
        Path(database_url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(database_url, pool_pre_ping=True, hide_parameters=True)
    if engine.dialect.name == "sqlite":
        _share_sqlite(engine)
    return engine


def _share_sqlite(engine: Engine) -> None:
    """Let several processes read and write one file: a log beside it, and patience with a busy one."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        # Deleted words are overwritten, not only unlinked.
        connection.execute("PRAGMA secure_delete=ON")
        _write_ahead(connection)


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the log on. SQLite's own patience does not cover the switch, which two processes may want at once."""
    give_up_at_s = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > give_up_at_s:
                raise
            time.sleep(0.02)
        else:
            return
