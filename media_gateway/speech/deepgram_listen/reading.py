"""PURE. What both of Deepgram's protocols have in common to a stream that outlives its connections."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from media_gateway.speech.ports import Transcript


class Oddity(Enum):
    """What was wrong with a message, in words that may be logged."""

    MALFORMED = "malformed"
    LATE = "late"
    """It speaks of audio that was finished before."""
    ERROR = "error"
    """The service complains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one message means."""

    transcripts: tuple[Transcript, ...] = ()
    is_about_audio: bool = False
    """The service has heard something, be it silence."""
    oddity: Oddity | None = None
    has_gap: bool = False
    """Words before these never came, and the connection will not say them again."""
    code: str = ""
    """The service's own name for its complaint; never words of the caller."""


NOTHING = Read()
MALFORMED = Read(oddity=Oddity.MALFORMED)


class Reading(Protocol):
    """One stream's state in a protocol. Positions are ms of all audio of the stream, across its connections."""

    @property
    def finished_ms(self) -> int:
        """Audio before this is never needed again."""

    def connected(self, at_ms: int) -> None:
        """A connection begins whose first audio is that at `at_ms`."""

    def read(self, message: str | bytes) -> Read:
        """Take the connection's next message. Never raises."""

    def lost(self, end_ms: int) -> tuple[Transcript, ...]:
        """The connection is gone, audio came up to `end_ms`: words that will not be recognised again. Go on at `finished_ms`."""

    def finish_at(self, at_ms: int) -> None:
        """The words of the audio before `at_ms` are wanted as final."""

    @property
    def wanted_ms(self) -> int | None:
        """The last `finish_at` while it is unanswered."""


def parsed(message: str | bytes) -> dict[str, Any] | None:
    """The message's object; None when it is none."""
    try:
        data = json.loads(message)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def complaint(data: dict[str, Any]) -> Read:
    """An `Error` or `Warning`: its code is told, its prose may quote what we sent."""
    code = data.get("code") or data.get("variant") or ""
    return Read(oddity=Oddity.ERROR, code=str(code)[:40])
