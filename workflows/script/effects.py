"""PURE. What a script asks for: the outputs of `workflows.script.machine.advance`. Imperatives, in order.

The gateway carries out what is heard (`SpeakReply`, `SpeakLine`, `EndCall`); the workflow what must last
(`OptOut`, `BookAppointment`, `BookCallBack`, `Transfer`, `StartRecording`, `StopRecording`, `RefuseMove`, `EndCall`).
"""

from __future__ import annotations

from dataclasses import dataclass

from workflows.script.model import Outcome, SlotValue


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakReply:
    """Speak the words that the model wrote for the move just taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakLine:
    """Speak authored words, placeholders already filled."""

    line_id: str
    text: str
    must_say: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterStage:
    """The call is at another stage from here on."""

    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSlot:
    """A slot has a new typed value."""

    name: str
    value: SlotValue


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectSlot:
    """The words given for a slot do not fit its type; the slot stays as it was."""

    name: str
    raw: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseMove:
    """A proposed move is not allowed. Nothing of it was done; the stage's fallback line is spoken instead."""

    stage: str
    move: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseObjection:
    """The caller objected."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """Never call this person again: to be written before the confirmation is spoken to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookAppointment:
    """The caller agreed to a time."""

    at: str
    """ISO 8601 local time, e.g. `2026-11-26T10:00`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookCallBack:
    """The caller asked to be called at another time."""

    when: str
    """ISO 8601 local time, or the caller's words where no time could be read; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Connect the caller to a person once the line before it was heard."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRecording:
    """Record the call from now on. Given at most once in a call, and never after a `StopRecording`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecording:
    """Record no more of this call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndCall:
    """The script is over; hang up once everything spoken was heard."""

    outcome: Outcome


Effect = (
    SpeakReply
    | SpeakLine
    | EnterStage
    | StoreSlot
    | RejectSlot
    | RefuseMove
    | RaiseObjection
    | OptOut
    | BookAppointment
    | BookCallBack
    | Transfer
    | StartRecording
    | StopRecording
    | EndCall
)
