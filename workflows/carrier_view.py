"""PURE. What the carrier says of a call. Callbacks come twice and out of order: a status never goes back."""

from __future__ import annotations

from workflows.contracts.payloads import CarrierStatus, CarrierUpdate
from workflows.script.model import Outcome

_RANK = {
    CarrierStatus.QUEUED: 0,
    CarrierStatus.INITIATED: 1,
    CarrierStatus.RINGING: 2,
    CarrierStatus.IN_PROGRESS: 3,
}
_UNANSWERED = {
    CarrierStatus.BUSY: Outcome.BUSY,
    CarrierStatus.NO_ANSWER: Outcome.NO_ANSWER,
    CarrierStatus.CANCELED: Outcome.NO_ANSWER,
    CarrierStatus.FAILED: Outcome.FAILED,
}


class CarrierView:
    """One call as the carrier tells it."""

    def __init__(self) -> None:
        self.call_sid = ""
        self.status: CarrierStatus | None = None
        self.duration_s: int | None = None
        self.sip_code = 0
        """Of the status that ended the call; 0 where the carrier gave none."""

    @property
    def is_over(self) -> bool:
        """No other status follows."""
        return self.status is not None and self.status.is_final

    @property
    def was_answered(self) -> bool:
        """Somebody or something took the call."""
        return self.status in (CarrierStatus.IN_PROGRESS, CarrierStatus.COMPLETED)

    def adopt(self, call_sid: str) -> bool:
        """The first call id wins; False for another one."""
        self.call_sid = self.call_sid or call_sid
        return self.call_sid == call_sid

    def take(self, update: CarrierUpdate) -> bool:
        """Take a status; False for one that says nothing new, or is of another call."""
        if not self.adopt(update.call_sid):
            return False
        if self.duration_s is None:
            self.duration_s = update.duration_s
        if self.is_over or _rank(update.status) <= _rank(self.status):
            return False
        self.status = update.status
        if update.status.is_final:
            self.sip_code = update.sip_code or 0
        return True

    def outcome(self) -> Outcome | None:
        """The outcome of a call that nobody answered; None for any other."""
        return _UNANSWERED.get(self.status) if self.status is not None else None


def _rank(status: CarrierStatus | None) -> int:
    return -1 if status is None else _RANK.get(status, 4)
