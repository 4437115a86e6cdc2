"""PURE. The book of a call's turns: which are taken, in which order, and what the script says to each.

Runs the same `advance` as the gateway. A turn of an older stream is ignored and counted; one that comes early waits
for those before it; one that comes twice is counted once.
"""

from __future__ import annotations

from workflows.contracts.payloads import TurnCompleted, TurnRecord
from workflows.script.effects import (
    BookAppointment,
    BookCallBack,
    Effect,
    OptOut,
    RaiseObjection,
    RefuseMove,
    RejectSlot,
)
from workflows.script.machine import advance
from workflows.script.model import Script
from workflows.script.state import ScriptState
from workflows.script.turn_events import events_of_turn

MOST_EARLY = 100
"""Turns that wait for an earlier one; more are ignored."""


class TurnBook:
    """One call's turns. `take` is the only thing that moves its script."""

    def __init__(self, script: Script, state: ScriptState, today: str) -> None:
        self._script = script
        self._today = today
        self._early: dict[int, TurnCompleted] = {}
        self.state = state
        self.turns: list[TurnRecord] = []
        self.next_seq = 1
        self.epoch = 0
        """The stream that owns the call's media; older ones are fenced off."""
        self.ignored = 0
        self.appointment_at = ""
        self.wants_no_calls = False

    def take(self, turn: TurnCompleted) -> list[TurnRecord]:
        """Take a turn, and those that waited for it. Returns the records made, oldest first."""
        if turn.epoch != self.epoch or turn.seq < self.next_seq or turn.seq in self._early:
            self.ignored += 1
            return []
        if turn.seq > self.next_seq and len(self._early) >= MOST_EARLY:
            self.ignored += 1
            return []
        self._early[turn.seq] = turn
        made = []
        while (due := self._early.pop(self.next_seq, None)) is not None:
            made.append(self._record(due))
            self.next_seq += 1
        self.turns += made
        return made

    def new_epoch(self) -> None:
        """Another stream has the media. What came early from the one before will never be complete."""
        self.epoch += 1
        self.ignored += len(self._early)
        self._early.clear()

    def _record(self, turn: TurnCompleted) -> TurnRecord:
        effects: list[Effect] = []
        for event in events_of_turn(turn, self._today):
            self.state, more = advance(self._script, self.state, event)
            effects += more
        refusal, objection = turn.refusal, ""
        rejected: dict[str, str] = {}
        for effect in effects:
            match effect:
                case RefuseMove():
                    refusal = refusal or effect.reason
                case RejectSlot():
                    rejected[effect.name] = effect.reason
                case RaiseObjection():
                    objection = effect.name
                case OptOut():
                    self.wants_no_calls = True
                case BookAppointment():
                    self.appointment_at = effect.at
                case BookCallBack():
                    pass  # in the state
                case _:
                    pass  # spoken by the gateway
        return TurnRecord(
            seq=turn.seq,
            kind=turn.kind,
            stage=self.state.stage,
            caller_words=turn.caller_words,
            heard_words=turn.heard_words,
            move=turn.move,
            interrupted=turn.interrupted,
            refusal=refusal,
            rejected_slots=rejected,
            objection=objection,
            passages=turn.passages,
            timings=turn.timings,
        )
