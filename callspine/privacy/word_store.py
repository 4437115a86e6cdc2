"""Callers' words in the database, by the call that they were spoken in, so that a call can be forgotten."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import DateTime, LargeBinary, String, Table, UniqueConstraint, delete, func, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateTable

from callspine.privacy.database import open_engine


class _Base(DeclarativeBase):
    pass


class _Words(_Base):
    """One payload of a call's workflow."""

    __tablename__ = "call_words"
    __table_args__ = (UniqueConstraint("workflow_id", "fingerprint"),)
    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    workflow_id: Mapped[str] = mapped_column(String(255))
    fingerprint: Mapped[str] = mapped_column(String(64))
    """Tells equal payloads: a workflow that is replayed hands over again what it handed over before."""
    body: Mapped[bytes] = mapped_column(LargeBinary)
    kept_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class _ForgottenCall(_Base):
    """A call whose words were deleted: nothing more of it is kept."""

    __tablename__ = "forgotten_calls"
    workflow_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    forgotten_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class IsForgotten(Exception):
    """Words of a call whose words were deleted may not be kept."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """A payload to keep."""

    fingerprint: str
    body: bytes


class WordStore:
    """Blocking: call it from a thread. The database is opened at the first use."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._opening = threading.Lock()
        self._opened: Engine | None = None

    def keep(self, workflow_id: str, words: Sequence[Words]) -> list[str]:
        """One key for each. What is there already keeps its key. Raises IsForgotten."""
        try:
            return self._keep(workflow_id, words)
        except IntegrityError:
            return self._keep(workflow_id, words)  # another process was first: now it is there

    def _keep(self, workflow_id: str, words: Sequence[Words]) -> list[str]:
        with Session(self._engine()) as session, session.begin():
            if session.get(_ForgottenCall, workflow_id) is not None:
                raise IsForgotten(workflow_id)
            wanted = {each.fingerprint: each.body for each in words}
            there = select(_Words.fingerprint, _Words.key).where(
                _Words.workflow_id == workflow_id, _Words.fingerprint.in_(wanted)
            )
            keys = {row.fingerprint: row.key for row in session.execute(there)}
            for fingerprint in wanted.keys() - keys.keys():
                keys[fingerprint] = uuid.uuid4().hex
                row = _Words(
                    key=keys[fingerprint],
                    workflow_id=workflow_id,
                    fingerprint=fingerprint,
                    body=wanted[fingerprint],
                    kept_at=datetime.now(UTC),
                )
                session.add(row)
            return [keys[each.fingerprint] for each in words]

    def read(self, keys: Iterable[str]) -> dict[str, bytes]:
        """What is there under these keys."""
        with Session(self._engine()) as session:
            found = session.execute(select(_Words.key, _Words.body).where(_Words.key.in_(keys)))
            return {row.key: row.body for row in found}

    def count(self, workflow_id: str) -> int:
        """How many payloads of this call are kept."""
        with Session(self._engine()) as session:
            rows = select(func.count()).where(_Words.workflow_id == workflow_id)
            return session.scalar(rows) or 0

    def forget(self, workflow_id: str) -> None:
        """Delete a call's words and let none in again. Repeating it changes nothing but what came late."""
        with Session(self._engine()) as session, session.begin():
            if session.get(_ForgottenCall, workflow_id) is None:
                row = _ForgottenCall(workflow_id=workflow_id, forgotten_at=datetime.now(UTC))
                session.add(row)
            session.execute(delete(_Words).where(_Words.workflow_id == workflow_id))

    def forgotten_at(self, workflow_id: str) -> datetime | None:
        """When this call's words were deleted."""
        with Session(self._engine()) as session:
            row = session.get(_ForgottenCall, workflow_id)
            return None if row is None else row.forgotten_at

    def close(self) -> None:
        """Release the connections."""
        if self._opened is not None:
            self._opened.dispose()

    def _engine(self) -> Engine:
        with self._opening:
            if self._opened is None:
                engine = open_engine(self._database_url)
                for table in _Base.metadata.sorted_tables:
                    _make(table, engine)
                self._opened = engine
            return self._opened


def _make(table: Table, engine: Engine) -> None:
    """Make a table that is not there. Other processes may be at it, too."""
    statement = CreateTable(table, if_not_exists=True)
    try:
        with engine.begin() as connection:
            connection.execute(statement)
    except IntegrityError:
        # Postgres looks and makes in two steps: another process was in between, and now the table is there.
        with engine.begin() as connection:
            connection.execute(statement)
