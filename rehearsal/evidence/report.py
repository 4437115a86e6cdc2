"""What a call's evidence consists of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.evidence.line import Utterance
from rehearsal.evidence.wire import Wire
from workflows.contracts.payloads import CallResult, TurnRecord
from workflows.script.model import Script, SlotValue


@dataclass(frozen=True, kw_only=True)
class CrmEvidence:
    """What the engine and the CRM say when asked after the call."""

    workflow_status: str
    outcome: str
    slots: dict[str, SlotValue]
    appointment_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that the call had to show."""

    name: str
    ok: bool
    saw: str
    """What was seen, whether good or bad."""


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """An utterance on the line and what an independent recogniser understood of it."""

    utterance: Utterance
    words: str


@dataclass(frozen=True, kw_only=True)
class TurnEvidence:
    """A turn of the workflow beside what was on the line."""

    record: TurnRecord
    caller: Spoken | None
    agent: Spoken | None

    @property
    def gap_ms(self) -> int | None:
        """From the caller's last sound to the agent's first one, on the line."""
        if self.caller is None or self.agent is None:
            return None
        return self.agent.utterance.span.start_ms - self.caller.utterance.span.end_ms


@dataclass(frozen=True, kw_only=True)
class Case:
    """Everything that the checks look at."""

    wire: Wire
    spoken: tuple[Spoken, ...]
    """By their beginning; without the murmurs."""
    murmurs: tuple[Spoken, ...]
    """What the caller said over the agent without wanting the floor."""
    last_words: str
    """What the recogniser understands of the agent's last two seconds of sound, heard alone."""
    turns: tuple[TurnEvidence, ...]
    result: CallResult
    signals: int
    """`turn_completed` signals in the workflow's history."""
    crm: CrmEvidence
    script: Script
    passages: dict[str, str]
    """Text by source, of the whole knowledge folder."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence of a call."""

    folder: Path
    checks: list[Check] = field(default_factory=list)
    turns: tuple[TurnEvidence, ...] = ()
