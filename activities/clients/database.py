"""How the workers' stores share a database that other processes open at the same moment."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import Column, MetaData, Table, event, inspect, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

BUSY_MS = 5000


def share_sqlite(engine: Engine) -> None:
    """Let several processes read and write one file: a log beside it, and patience with a busy one."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
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


def make_tables(metadata: MetaData, engine: Engine) -> None:
    """Make what is not there. `create_all` looks first and makes then: another process may be in between."""
    for table in metadata.sorted_tables:
        _make(CreateTable(table, if_not_exists=True), engine)
        _add_columns(table, engine)
        for index in table.indexes:
            _make(CreateIndex(index, if_not_exists=True), engine)


def _add_columns(table: Table, engine: Engine) -> None:
    """A table of an older release gets what is new: only columns that may be empty can be."""
    for column in _missing(table, engine):
        kind = column.type.compile(dialect=engine.dialect)
        try:
            with engine.begin() as connection:
                connection.execute(
                    text(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")
                )
        except DatabaseError:
            # Another process was there first, or it cannot be added at all.
            if any(column.name == other.name for other in _missing(table, engine)):
                raise


def _missing(table: Table, engine: Engine) -> list[Column[Any]]:
    there = {column["name"] for column in inspect(engine).get_columns(table.name)}
    return [column for column in table.columns if column.name not in there and column.nullable]


def _make(statement: ExecutableDDLElement, engine: Engine) -> None:
    try:
        with engine.begin() as connection:
            connection.execute(statement)
    except IntegrityError:
        # Postgres, too, looks and makes in two steps: now it is there.
        with engine.begin() as connection:
            connection.execute(statement)
