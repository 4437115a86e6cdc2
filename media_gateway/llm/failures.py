"""PURE. What went wrong with a model's client, and what follows: how long it comes last, and whether to ask it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

from media_gateway.errors import NoUsableReply

LONGEST_REST_S = 60.0
SHORTEST_PAUSE_S = 0.1
"""Before a client is asked a second time in one turn."""


class FailureKind(StrEnum):
    """What a client did."""

    UNREACHABLE = "unreachable"
    """Refused the connection, or cut it."""
    KEY = "key"
    """Refused our key."""
    RATE = "rate"
    """Asked too often."""
    SERVER = "server"
    """Its own trouble."""
    REQUEST = "request"
    """Refused what was asked."""
    SILENT = "silent"
    MALFORMED = "malformed"
    """Sent what its protocol does not know, or no reply of the wanted form."""


_RESTS_S = {
    FailureKind.UNREACHABLE: 5.0,
    FailureKind.KEY: LONGEST_REST_S,
    FailureKind.RATE: 5.0,
    FailureKind.SERVER: 5.0,
    FailureKind.REQUEST: LONGEST_REST_S,
    FailureKind.SILENT: 10.0,
    FailureKind.MALFORMED: 0.0,
}
"""How long other clients go first. One bad reply tells nothing of the next."""
_REASONS = {FailureKind.SILENT: "timeout", FailureKind.MALFORMED: "malformed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One client's failure in one turn."""

    kind: FailureKind
    retry_after_s: float | None = None
    """What the vendor asks for."""

    @property
    def rest_s(self) -> float:
        """How long the other clients go before this one."""
        if self.retry_after_s is not None:
            return min(self.retry_after_s, LONGEST_REST_S)
        return _RESTS_S[self.kind]

    def pause_s(self) -> float | None:
        """Before the same client is asked again in this turn, where nobody else is left; None: it is of no use."""
        if self.kind in (FailureKind.UNREACHABLE, FailureKind.SERVER, FailureKind.RATE):
            return max(SHORTEST_PAUSE_S, self.retry_after_s or 0.0)
        return None


class CompletionFailed(NoUsableReply):
    """A client gave no answer, or not all of it. The message holds no words and no key."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(_REASONS.get(failure.kind, "http"))
        self.failure = failure


def failed(kind: FailureKind) -> CompletionFailed:
    """The error for a failure of which nothing else is known."""
    return CompletionFailed(Failure(kind=kind))


def refusal(status: int, headers: Mapping[str, str]) -> Failure:
    """What an HTTP status that is not 200 means. `headers` by lower-case name."""
    if status in (401, 403):
        kind = FailureKind.KEY
    elif status == 429:
        kind = FailureKind.RATE
    elif status >= 500 or status == 408:
        kind = FailureKind.SERVER
    else:
        kind = FailureKind.REQUEST
    return Failure(kind=kind, retry_after_s=_retry_after_s(headers))


def named(error: str) -> Failure:
    """What a vendor's own word for an error within a stream means: `overloaded_error`, `throttlingException`."""
    plain = error.lower()
    if "rate" in plain or "throttl" in plain or "quota" in plain:
        return Failure(kind=FailureKind.RATE)
    if "auth" in plain or "permission" in plain or "accessdenied" in plain:
        return Failure(kind=FailureKind.KEY)
    if "invalid" in plain or "validation" in plain:
        return Failure(kind=FailureKind.REQUEST)
    return Failure(kind=FailureKind.SERVER)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds, or a date: read against the answer's own, so that a wrong clock here does no harm."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        asked = headers.get("retry-after")
        if not asked:
            return None
        if asked.replace(".", "", 1).isdigit():
            return float(asked)
        until, since = parsedate_to_datetime(asked), parsedate_to_datetime(headers["date"])
        return max(0.0, (until - since).total_seconds())
    except (ValueError, KeyError, TypeError):
        return None
