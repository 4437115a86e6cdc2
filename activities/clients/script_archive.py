"""Every script that was ever loaded, by its content: a file that changes takes nothing from a call that is pinned to it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, String, Text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from activities.clients.database import make_tables


class _Base(DeclarativeBase):
    pass


class ScriptVersion(_Base):
    """A script as it once was."""

    __tablename__ = "script_versions"
    hash: Mapped[str] = mapped_column(String(80), primary_key=True)
    """`sha256:` and the digest of the text."""
    script_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    """Its file's name: two files may have the same text."""
    yaml: Mapped[str] = mapped_column(Text)
    first_seen_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class ScriptArchive:
    """Blocking: call it from a thread. Raises SQLAlchemyError when the database is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        make_tables(_Base.metadata, engine)

    def add(self, *, script_id: str, script_hash: str, yaml: str) -> None:
        """Keep a version. The first entry stands."""
        version = ScriptVersion(
            hash=script_hash, script_id=script_id, yaml=yaml, first_seen_at=datetime.now(UTC)
        )
        with Session(self._engine) as session:
            if session.get(ScriptVersion, (script_hash, script_id)) is not None:
                return
            session.add(version)
            try:
                session.commit()
            except IntegrityError:
                session.rollback()  # somebody else was faster: it is the same text

    def get(self, *, script_id: str, script_hash: str) -> ScriptVersion | None:
        """The version with this content, if it was ever seen."""
        with Session(self._engine) as session:
            return session.get(ScriptVersion, (script_hash, script_id))
