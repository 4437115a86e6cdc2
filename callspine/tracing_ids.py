"""Which trace a call is: computed from its id, so that every process that touches the call knows it without being told.

A trace that had to be handed on would break where a call is started by Temporal's UI, or taken up by another gateway.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from workflows.contracts.payloads import call_workflow_id

_WORKFLOW = call_workflow_id("")
_BEFORE = b"callspine call "


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTrace:
    """A call's trace and its first span, which stands for the whole call."""

    trace_id: int
    """128 bits."""
    root_span_id: int
    """64 bits."""
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        """As W3C's Trace Context writes it: what a child of the root is given."""
        return f"00-{self.trace_id:032x}-{self.root_span_id:016x}-{int(self.is_sampled):02x}"


def trace_of(call_id: str, *, share: float = 1.0) -> CallTrace:
    """The same for every process. `share` of the calls are sampled, 0 to 1: whole calls or nothing of them."""
    digest = sha256(_BEFORE + call_id.encode()).digest()
    trace_id = int.from_bytes(digest[:16]) or 1
    return CallTrace(
        trace_id=trace_id,
        root_span_id=int.from_bytes(digest[16:24]) or 1,
        is_sampled=trace_id & (2**64 - 1) < share * 2**64,
    )


def call_of(workflow_id: str) -> str | None:
    """The call whose workflow this is; None for other workflows."""
    is_calls = workflow_id.startswith(_WORKFLOW) and len(workflow_id) > len(_WORKFLOW)
    return workflow_id.removeprefix(_WORKFLOW) if is_calls else None
