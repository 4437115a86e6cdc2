"""PURE. Where a call stands in its script: one JSON-ready value, the same in the gateway and in the workflow."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from workflows.script.model import Outcome, SlotValue


@dataclass(frozen=True, kw_only=True)
class ScriptState:
    """Everything that `advance` knows of a call. Plain JSON types only: it crosses process edges."""

    stage: str
    today: str = ""
    """ISO date at the callee's place; empty until the call is answered."""
    slots: dict[str, SlotValue] = field(default_factory=dict)
    objections: dict[str, int] = field(default_factory=dict)
    """How often each objection was raised."""
    lines_heard: list[str] = field(default_factory=list)
    """Must-say lines heard in full."""
    facts: dict[str, str] = field(default_factory=dict)
    """Values for placeholders that are known of this person, e.g. `first_name`."""
    turns: int = 0
    """Moves proposed so far."""
    refused: int = 0
    """Proposed moves that were refused."""
    silences: int = 0
    """Silence prompts in a row."""
    outcome: Outcome | None = None
    """Set once the script is over."""
    transfer_to: str = ""
    call_back_when: str = ""
    recording: str = ""
    """`agreed` or `withdrawn`; see `workflows.script.recording`."""


_LATER = ("recording",)
"""Fields that releases before did not have: without a value they are not part of the digest, so that a gateway and a
worker of two releases agree on calls that do not use them."""


def digest(state: ScriptState) -> str:
    """16 hex digits that are equal for equal states, in the gateway and in the workflow."""
    fields = asdict(state)
    known = {name: value for name, value in fields.items() if value or name not in _LATER}
    text = json.dumps(known, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
