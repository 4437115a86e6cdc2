"""Errors of the gateway.

GatewayError
├── VendorUnavailable   a vendor cannot be reached, or broke off (vendor's fault; another try may help)
├── NoUsableReply       the model gave nothing that may be spoken (vendor's fault; the authored line is spoken)
├── WorkflowAway        Temporal or its workers do not answer (nobody's fault here; ask again)
├── CallGone            there is no such call to ask about (its workflow is over, or never was)
├── AttachRefused       the workflow does not give this stream the call (ours or a stranger's fault; close the stream)
└── OutboxRefused       the outbox on disk cannot be used (the operator's to settle; the gateway does not start)
    └── OutboxInUse     another process has it
"""

from __future__ import annotations


class GatewayError(Exception):
    """Root of the gateway's errors."""


class VendorUnavailable(GatewayError):
    """A vendor cannot be reached or broke off in the middle.

    `vendor` is its name in settings; the message never holds words spoken, prompts or keys. `is_lasting`: another try
    soon is of no use (a key that is refused). `retry_after_s`: what the vendor asked us to wait.
    """

    def __init__(
        self,
        vendor: str,
        reason: str,
        *,
        is_lasting: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{vendor}: {reason}")
        self.vendor = vendor
        self.reason = reason
        self.is_lasting = is_lasting
        self.retry_after_s = retry_after_s


class NoUsableReply(GatewayError):
    """The model gave no reply that may be spoken. `reason` is one of timeout, http, malformed, move, aborted."""

    def __init__(self, reason: str, *, proposed_move: str = "") -> None:
        super().__init__(f"no usable reply: {reason}")
        self.reason = reason
        self.proposed_move = proposed_move


class WorkflowAway(GatewayError):
    """The call's workflow cannot be asked now."""


class CallGone(GatewayError):
    """The call's workflow is over, was ended from outside, or never was."""


class AttachRefused(GatewayError):
    """The workflow refused the stream, or could not be asked in time."""


class OutboxRefused(GatewayError):
    """The outbox on disk cannot be used. The message names the file and says what is wrong with it."""


class OutboxInUse(OutboxRefused):
    """Another process has this outbox: two gateways run under one id."""
