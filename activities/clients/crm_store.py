"""The CRM on SQLAlchemy: contacts, calls and the do-not-call list. SQLite as it comes, Postgres by its URL.

Every write is keyed by what it is about (`call_id`, number), so that a repeated one changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import JSON, DateTime, String, create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from activities.clients.database import make_tables, share_sqlite
from workflows.contracts.activities import WriteOutcome
from workflows.script.model import SlotValue


class _Base(DeclarativeBase):
    pass


class Contact(_Base):
    """A person who may be called."""

    __tablename__ = "contacts"
    phone: Mapped[str] = mapped_column(String(20), primary_key=True)
    first_name: Mapped[str] = mapped_column(default="")
    company: Mapped[str] = mapped_column(default="")


class Call(_Base):
    """A call that is over."""

    __tablename__ = "calls"
    call_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    call_sid: Mapped[str]
    phone: Mapped[str] = mapped_column(String(20), index=True)
    direction: Mapped[str]
    script_id: Mapped[str]
    script_hash: Mapped[str]
    outcome: Mapped[str] = mapped_column(index=True)
    stage: Mapped[str]
    slots: Mapped[dict[str, SlotValue]] = mapped_column(JSON)
    objections: Mapped[dict[str, int]] = mapped_column(JSON)
    turns: Mapped[int]
    appointment_at: Mapped[str | None]
    """ISO 8601, local time of the callee."""
    call_back_when: Mapped[str | None]
    summary: Mapped[str]
    next_step: Mapped[str]
    duration_s: Mapped[int | None]
    lead_id: Mapped[str]
    campaign_id: Mapped[str]
    recording_sid: Mapped[str | None] = mapped_column(String(64))
    recording_url: Mapped[str | None]
    """The carrier's address of it, without credentials: who fetches it needs the account's."""
    written_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class DoNotCallEntry(_Base):
    """A number that is never called again."""

    __tablename__ = "do_not_call"
    phone: Mapped[str] = mapped_column(String(20), primary_key=True)
    call_id: Mapped[str]
    source: Mapped[str]
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class CrmStore:
    """Blocking: call it from a thread."""

    def __init__(self, database_url: str) -> None:
        self._engine = create_engine(database_url, pool_pre_ping=True)
        if self._engine.dialect.name == "sqlite":
            share_sqlite(self._engine)
        make_tables(_Base.metadata, self._engine)

    @property
    def engine(self) -> Engine:
        """For the worker's other stores: one pool of connections."""
        return self._engine

    def contact(self, phone: str) -> Contact | None:
        """Who is at this number."""
        with Session(self._engine) as session:
            return session.get(Contact, phone)

    def add_contact(self, *, phone: str, first_name: str, company: str) -> None:
        """Add or replace a contact."""
        with Session(self._engine) as session, session.begin():
            session.merge(Contact(phone=phone, first_name=first_name, company=company))

    def call(self, call_id: str) -> Call | None:
        """A call's row, once it is over."""
        with Session(self._engine) as session:
            return session.get(Call, call_id)

    def write_call(self, outcome: WriteOutcome) -> None:
        """The call's row."""
        row = Call(
            call_id=outcome.call_id,
            call_sid=outcome.call_sid,
            phone=outcome.phone,
            direction=outcome.direction,
            script_id=outcome.script_id,
            script_hash=outcome.script_hash,
            outcome=outcome.outcome,
            stage=outcome.stage,
            slots=dict(outcome.slots),
            objections=outcome.objections,
            turns=outcome.turns,
            appointment_at=outcome.appointment_at or None,
            call_back_when=outcome.call_back_when or None,
            summary=outcome.summary,
            next_step=outcome.next_step,
            duration_s=outcome.duration_s,
            lead_id=outcome.lead_id,
            campaign_id=outcome.campaign_id,
            recording_sid=outcome.recording_sid or None,
            recording_url=outcome.recording_url or None,
            written_at=datetime.now(UTC),
        )
        with Session(self._engine) as session, session.begin():
            session.merge(row)

    def is_do_not_call(self, phone: str) -> bool:
        """Whether this number must not be called."""
        with Session(self._engine) as session:
            return session.get(DoNotCallEntry, phone) is not None

    def add_do_not_call(self, *, phone: str, call_id: str, source: str) -> None:
        """Never call this number again. The first entry stands."""
        with Session(self._engine) as session, session.begin():
            if session.get(DoNotCallEntry, phone) is None:
                entry = DoNotCallEntry(
                    phone=phone, call_id=call_id, source=source, since=datetime.now(UTC)
                )
                session.add(entry)

    def close(self) -> None:
        """Release the connections."""
        self._engine.dispose()
