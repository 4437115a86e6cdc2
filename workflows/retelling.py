"""PURE. What a call decided, told again from the messages that it got: with the script that it ran, or with another.

The rules are `TurnBook`'s and `advance`'s; here they are only watched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from workflows.contracts.payloads import MediaLost, TurnCompleted, TurnKind, TurnRecord
from workflows.script.events import CallEnded, SupervisorOrdered
from workflows.script.machine import advance, initial_state
from workflows.script.model import Outcome, Script
from workflows.script.state import ScriptState
from workflows.turn_book import TurnBook


@dataclass(frozen=True, kw_only=True)
class StreamAttached:
    """A media stream was given the call."""


@dataclass(frozen=True, kw_only=True)
class OrderCarriedOut:
    """A supervisor's order that no gateway could be given: the workflow carried it out."""

    event: SupervisorOrdered


@dataclass(frozen=True, kw_only=True)
class LineGone:
    """The workflow saw that the call is over, and closed the script."""


SENSELESS = "senseless"
"""A turn book's refusal of a message that cannot be a turn."""
Message = StreamAttached | TurnCompleted | MediaLost | OrderCarriedOut | LineGone


@dataclass(frozen=True, kw_only=True)
class CallStory:
    """All that decided a call, beside its script."""

    today: str
    """ISO date at the callee's place."""
    facts: Mapping[str, str] = field(default_factory=dict)
    messages: Sequence[Message] = ()
    """In the order in which the workflow took them."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What one turn made of the call."""

    told: TurnCompleted
    record: TurnRecord
    """As it is at the end of the story, with what was heard."""
    before: ScriptState
    after: ScriptState
    lasting: tuple[str, ...] = ()
    """What outlives the call: do-not-call, appointment, call-back, transfer, recording."""

    @property
    def opened_by(self) -> str:
        """What the caller said or did; where it was not the caller, what it was."""
        match self.told.kind:
            case TurnKind.REPLY | TurnKind.HANG_UP:
                return self.told.caller_words
            case TurnKind.DTMF:
                return f"[key {self.told.digit}]"
            case TurnKind.ORDER:
                target = f" {self.told.order_target}" if self.told.order_target else ""
                return f"[order {self.told.order}{target}]"
            case TurnKind.OPENING | TurnKind.RESUME | TurnKind.SILENCE:
                return f"[{self.told.kind}]"
            case _:
                assert_never(self.told.kind)

    def points(self) -> dict[str, str]:
        """The decision in words, by what it is about; only what there is. Equal points: the same decision."""
        stored = {
            name: value
            for name, value in sorted(self.after.slots.items())
            if self.before.slots.get(name) != value
        }
        is_closing = self.after.outcome is not None and self.before.outcome is None
        points = {
            "stage": f"{self.before.stage} → {self.after.stage}",
            "stored": ", ".join(f"{name} = {value}" for name, value in stored.items()),
            "rejected": _listed(self.record.rejected_slots),
            "refused": self._refused(),
            "model": "" if self._is_refused or self._is_emptied else self.told.refusal,
            "message": "made no sense: its place was taken, and nothing of it used"
            if self._is_emptied
            else "",
            "objection": self.record.objection,
            "lasting": ", ".join(self.lasting),
            "outcome": str(self.after.outcome) if is_closing else "",
        }
        return {what: text for what, text in points.items() if text}

    @property
    def _is_refused(self) -> bool:
        return self.after.refused > self.before.refused

    @property
    def _is_emptied(self) -> bool:
        return self.told.kind is TurnKind.HANG_UP and self.told.refusal == SENSELESS

    def _refused(self) -> str:
        if not self._is_refused:
            return ""
        proposed = self.told.move or "no move"
        if self.told.slots:
            proposed += f" with {_listed(self.told.slots, ' = ')}"
        return f"{proposed}: {self.record.refusal}"


@dataclass(frozen=True, kw_only=True)
class Retelling:
    """A call, told again to its end or to where it stands."""

    script_hash: str
    decisions: list[Decision]
    state: ScriptState
    decided: Outcome | None
    """The outcome that the script itself came to, before the line was gone."""
    epoch: int
    ignored: dict[str, int]
    """Messages that changed nothing, by reason."""
    appointment_at: str
    wants_no_calls: bool = False
    is_opt_out_late: bool = False
    """It was told in a message that became no turn: of an older stream, or a second time. It counts all the same."""


def retell(story: CallStory, script: Script) -> Retelling:
    """Run the story's messages through a script."""
    state = replace(initial_state(script, story.facts), today=story.today)
    book = _WatchedBook(script, state, story.today)
    decided: Outcome | None = None
    is_line_gone = False
    for message in story.messages:
        match message:
            case StreamAttached():
                book.new_epoch()
            case TurnCompleted():
                book.take(message)
            case MediaLost():
                if message.heard is not None:
                    book.hear(message.heard, message.epoch)
            case OrderCarriedOut():
                book.order(message.event)
            case LineGone():
                is_line_gone, decided = True, book.state.outcome
                book.state, _ = advance(script, book.state, CallEnded())
            case _:
                assert_never(message)
    return Retelling(
        script_hash=script.content_hash,
        decisions=book.decisions_with_what_was_heard(),
        state=book.state,
        decided=decided if is_line_gone else book.state.outcome,
        epoch=book.epoch,
        ignored=dict(book.ignored),
        appointment_at=book.appointment_at,
        wants_no_calls=book.wants_no_calls,
        is_opt_out_late=book.is_opt_out_late,
    )


class _WatchedBook(TurnBook):
    """A turn book that keeps the state before and after each turn."""

    def __init__(self, script: Script, state: ScriptState, today: str) -> None:
        super().__init__(script, state, today)
        self._decisions: list[Decision] = []
        self._opting_out: tuple[int, int] | None = None
        """Epoch and number of the newest message before which more calls were welcome."""
        self._is_opt_out_told = False
        self._is_recording_told = False
        """The newest turn left the call recorded."""

    @property
    def is_opt_out_late(self) -> bool:
        """No turn of the call tells of it."""
        return self.wants_no_calls and not self._is_opt_out_told

    def decisions_with_what_was_heard(self) -> list[Decision]:
        """What was heard of a turn is told after it."""
        pairs = zip(self._decisions, self.turns, strict=True)
        return [replace(decision, record=record) for decision, record in pairs]

    def take(self, turn: TurnCompleted) -> list[TurnRecord]:
        """See TurnBook."""
        if not self.wants_no_calls:
            self._opting_out = _place(turn)
        return super().take(turn)

    def _record(self, turn: TurnCompleted) -> TurnRecord:
        before, appointment_at = self.state, self.appointment_at
        wanted_none = self.wants_no_calls
        record = super()._record(turn)
        lasting = []
        if self.is_opt_out_late and (not wanted_none or self._opting_out == _place(turn)):
            self._is_opt_out_told = True
            lasting.append("do not call again")
        if self.appointment_at != appointment_at:
            lasting.append(f"appointment at {self.appointment_at}")
        if self.state.outcome is Outcome.CALL_BACK and before.outcome is None:
            lasting.append(f"call back {self.state.call_back_when or 'at a time not given'}")
        if self.state.transfer_to != before.transfer_to:
            lasting.append(f"transfer to {self.state.transfer_to}")
        if self.is_recorded != self._is_recording_told:
            self._is_recording_told = self.is_recorded
            lasting.append("recording begins" if self.is_recorded else "recording ends")
        self._decisions.append(
            Decision(
                told=turn, record=record, before=before, after=self.state, lasting=tuple(lasting)
            )
        )
        return record


def _place(turn: TurnCompleted) -> tuple[int, int]:
    return turn.epoch, turn.seq


def _listed(values: Mapping[str, str], between: str = ": ") -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in sorted(values.items()))
