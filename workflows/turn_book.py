"""PURE. The book of a call's turns: which are taken, in which order, and what the script says to each.

Runs the same `advance` as the gateway. A turn of an older stream is ignored and counted; one that comes early waits
for those before it; one that comes twice is counted once. What was heard of a turn comes with the message after it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind, TurnRecord
from workflows.script.effects import (
    BookAppointment,
    Effect,
    OptOut,
    RaiseObjection,
    RefuseMove,
    RejectSlot,
)
from workflows.script.events import SupervisorOrdered
from workflows.script.machine import advance
from workflows.script.model import Script
from workflows.script.state import ScriptState, digest
from workflows.script.turn_events import event_of_turn, heard_event

MOST_EARLY = 100
"""Turns that wait for an earlier one; more are ignored."""
LONGEST_TEXT = 20_000
"""Characters of anything said in one turn: a quarter of an hour of speech. More is no turn of a call."""


class TurnBook:
    """One call's turns. Nothing else moves its script."""

    def __init__(self, script: Script, state: ScriptState, today: str) -> None:
        self._script = script
        self._today = today
        self._early: dict[int, TurnCompleted] = {}
        self._heard_early: dict[int, TurnHeard] = {}
        self.state = state
        self.turns: list[TurnRecord] = []
        self.next_seq = 1
        self.epoch = 0
        """The stream that owns the call's media; older ones are fenced off."""
        self.ignored: Counter[str] = Counter()
        """Messages that changed nothing, by reason: stale, repeated, senseless, too early."""
        self.is_out_of_step = False
        """The gateway's state after its last turn was not ours: it has to be corrected."""
        self.appointment_at = ""
        self.wants_no_calls = False

    def take(self, turn: TurnCompleted) -> list[TurnRecord]:
        """Take a turn, and those that waited for it. Returns the records made, oldest first."""
        if (reason := self._why_not(turn)) is not None:
            self.ignored[reason] += 1
            return []
        self._early[turn.seq] = turn
        made = []
        while (due := self._early.pop(self.next_seq, None)) is not None:
            if due.before is not None:
                self.hear(due.before)
            made.append(self._record(due))
            self.next_seq += 1
            if (heard := self._heard_early.pop(due.seq, None)) is not None:
                self.hear(heard)
        return made

    def hear(self, heard: TurnHeard) -> None:
        """What the caller heard of a turn. Told once; a second time changes nothing."""
        if heard.seq >= self.next_seq:
            if len(self._heard_early) < MOST_EARLY:
                self._heard_early[heard.seq] = heard
            return
        record = self.turns[heard.seq - 1] if 1 <= heard.seq <= len(self.turns) else None
        if record is None or record.is_over:
            return
        self.state, _ = advance(self._script, self.state, heard_event(heard))
        self.turns[heard.seq - 1] = replace(
            record,
            heard_words=heard.heard_words,
            interrupted=heard.interrupted,
            is_over=True,
            refusal=record.refusal or heard.refusal,
        )

    def order(self, event: SupervisorOrdered) -> TurnRecord:
        """Carry an order out when no gateway can: its stream, should it live after all, is fenced off."""
        self.new_epoch()
        record = self._record(
            TurnCompleted(
                epoch=self.epoch,
                seq=self.next_seq,
                kind=TurnKind.ORDER,
                order=event.order,
                order_target=event.target,
            )
        )
        self.next_seq += 1
        return record

    def new_epoch(self) -> None:
        """Another stream has the media. What came early from the one before will never be complete."""
        self.epoch += 1
        if self._early:
            self.ignored["stale"] += len(self._early)
        self._early.clear()
        self._heard_early.clear()
        self.is_out_of_step = False

    def _why_not(self, turn: TurnCompleted) -> str | None:
        if turn.epoch != self.epoch:
            return "stale"
        if not _makes_sense(turn):
            return "senseless"
        if turn.seq < self.next_seq or turn.seq in self._early:
            return "repeated"
        if turn.seq > self.next_seq + MOST_EARLY:
            return "too early"
        return None

    def _record(self, turn: TurnCompleted) -> TurnRecord:
        effects: tuple[Effect, ...] = ()
        event = event_of_turn(turn, self._today)
        if event is not None:
            self.state, effects = advance(self._script, self.state, event)
        refusal, objection = turn.refusal, ""
        is_refused = False
        rejected: dict[str, str] = {}
        for effect in effects:
            match effect:
                case RefuseMove():
                    refusal, is_refused = refusal or effect.reason, True
                case RejectSlot():
                    rejected[effect.name] = effect.reason
                case RaiseObjection():
                    objection = effect.name
                case OptOut():
                    self.wants_no_calls = True
                case BookAppointment():
                    self.appointment_at = effect.at
                case _:
                    pass  # in the state, or spoken by the gateway
        self.is_out_of_step = bool(turn.state_digest) and turn.state_digest != digest(self.state)
        record = TurnRecord(
            seq=turn.seq,
            kind=turn.kind,
            stage=self.state.stage,
            caller_words=turn.caller_words,
            move=turn.move,
            saying=turn.saying,
            refusal=refusal,
            refused_slots=dict(turn.slots) if is_refused else {},
            rejected_slots=rejected,
            objection=objection,
            passages=turn.passages,
            timings=turn.timings,
        )
        self.turns.append(record)
        return record


def _makes_sense(turn: TurnCompleted) -> bool:
    """Whether a message can be a turn at all; it comes from outside, whoever is there."""
    texts = [turn.caller_words, turn.saying, turn.move, turn.order_target, *turn.slots.values()]
    if turn.before is not None:
        texts += [turn.before.heard_words, turn.before.reply_words]
        if turn.before.seq >= turn.seq:
            return False
    is_whole = _is_whole(turn)
    return turn.seq >= 1 and is_whole and all(len(text) <= LONGEST_TEXT for text in texts)


def _is_whole(turn: TurnCompleted) -> bool:
    """Whether a turn's kind has what it needs."""
    match turn.kind:
        case TurnKind.DTMF:
            return len(turn.digit) == 1
        case TurnKind.ORDER:
            return turn.order is not None
        case _:
            return True
