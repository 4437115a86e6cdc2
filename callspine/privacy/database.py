"""How the words' store opens the database. Apart from the CRM's, which a gateway may not import."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine


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
    def _on_connect(connection: object, _: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA busy_timeout=5000")
        # Deleted words are overwritten, not only unlinked.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()
