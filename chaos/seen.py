"""PURE. One call as the wire and the history show it. All times are ms from the answer unless a name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field

from rehearsal.evidence.line import Span
from workflows.script.model import SlotValue


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLine:
    """Something of the agent's that the caller heard, to its end or to where it broke off."""

    phrase: str
    """All that the agent was saying; empty where it broke off before that was clear."""
    words: str
    """What of it was heard."""
    span: Span
    stalled_ms: int = 0
    """Silence within it that is no part of it."""

    @property
    def is_whole(self) -> bool:
        """Heard to its last word."""
        return self.words == self.phrase


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerUtterance:
    """Something that the caller said."""

    words: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStreamSeen:
    """A media stream at the carrier."""

    began_ms: float
    ended_ms: float
    """The call's end when it never ended by itself."""
    is_broken: bool
    """It ended without a proper close: the process or the net at its other end is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSignal:
    """A turn that a gateway told the workflow of, as the history keeps it."""

    at_ms: float
    epoch: int
    seq: int
    kind: str
    caller_words: str
    is_stale: bool
    """Another stream had taken the call over when it arrived."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedTurn:
    """A turn that the workflow accepted."""

    seq: int
    kind: str
    stage: str
    """After it."""
    caller_words: str
    at_ms: float | None
    """When the history got it; None when no signal with its number and words is there."""
    is_stale: bool


@dataclass(frozen=True, kw_only=True)
class CallSeen:
    """One call."""

    call_id: str
    answered_at_s: float | None = None
    """On the machine's monotonic clock; None for a call that was never answered."""
    ended_ms: float = 0.0
    is_over_at_carrier: bool = True
    statuses: tuple[str, ...] = ()
    lines: tuple[AgentLine, ...] = ()
    said: tuple[CallerUtterance, ...] = ()
    streams: tuple[MediaStreamSeen, ...] = ()
    agent_sounds: tuple[Span, ...] = ()
    latest_tick_ms: float = 0.0
    """How late the line's 20 ms clock was at worst: the machine was too small then."""
    troubles: tuple[str, ...] = ()
    """TwiML that could not be had, a caller that gave up."""
    signals: tuple[TurnSignal, ...] = ()
    turns: tuple[RecordedTurn, ...] = ()
    outcome: str = ""
    """Empty: the workflow has no result."""
    slots: dict[str, SlotValue] = field(default_factory=dict)
    workflow_status: str = ""
    carrier_calls: int = 1
    """Calls that the carrier placed for it."""

    def since_answer_ms(self, at_s: float) -> float:
        """A moment of the monotonic clock in this call's time."""
        if self.answered_at_s is None:
            raise ValueError("the call was never answered")
        return (at_s - self.answered_at_s) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A fault that was put in."""

    what: str
    at_s: float
    """On the machine's monotonic clock."""
    until_s: float | None = None
    """When what was taken away was back; None for what does not last."""

    def at_end(self) -> Strike:
        """The moment at which it was over."""
        return Strike(what=self.what, at_s=self.until_s or self.at_s)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Calls that ran at once, and what was done to them."""

    calls: tuple[CallSeen, ...]
    strikes: tuple[Strike, ...] = ()
    notes: dict[str, list[float]] = field(default_factory=dict)
    """Figures that the fault itself took, by name."""
    workflows_started: int = 0
    cpu_share: float = 0.0
    """Of all cores, by the system's own processes but Temporal."""
