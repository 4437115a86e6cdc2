"""Makes a store's tables, whoever else does it at the same moment."""

from __future__ import annotations

from sqlalchemy import Engine, MetaData
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

TRIES = 5


def make_tables(metadata: MetaData, engine: Engine) -> None:
    """Make what is missing. Two workers that start on an empty database both find it so: the second looks again."""
    for attempt in range(TRIES):
        try:
            metadata.create_all(engine)
        except (OperationalError, ProgrammingError, IntegrityError):
            # SQLite and Postgres each have their own error for a table that exists by now.
            if attempt == TRIES - 1:
                raise
        else:
            return
