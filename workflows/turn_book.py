"""PURE. The book of a call's turns: which are taken, in which order, and what the script says to each.

Runs the same `advance` as the gateway. A turn of an older stream is ignored and counted; one that comes early waits
for those before it; one that comes twice is counted once. What was heard of a turn comes with the message after it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind, TurnRecord
from workflows.script.compiled import OPT_OUT_DIGIT, OPT_OUT_MOVE, STOP_RECORDING_MOVE
from workflows.script.effects import (
    BookAppointment,
    Effect,
    OptOut,
    RaiseObjection,
    RefuseMove,
    RejectSlot,
    StartRecording,
    StopRecording,
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
        self._spoken_in: list[int] = []
        """The epoch of each turn in `turns`."""
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
        self._may_record = False
        self._recording_is_withdrawn = False

    @property
    def is_recorded(self) -> bool:
        """The call is to be recorded as it stands. Once it was and no longer is, it never is again."""
        return self._may_record and not self._recording_is_withdrawn and not self.wants_no_calls

    def take(self, turn: TurnCompleted) -> list[TurnRecord]:
        """Take a turn, and those that waited for it. Returns the records made, oldest first."""
        if _is_opt_out(turn):
            # Whoever tells it, however late, and whatever the script has come to: this one is the law.
            self.wants_no_calls = True
        if turn.kind is TurnKind.REPLY and turn.move == STOP_RECORDING_MOVE:
            self._recording_is_withdrawn = True
        if (reason := self._why_not(turn)) is not None:
            self.ignored[reason] += 1
            if reason != "senseless" or not self._is_awaited(turn.seq):
                return []
            # It takes its place all the same: every turn after it would wait for it for ever.
            turn = _emptied(turn)
        self._early[turn.seq] = turn
        made = []
        while (due := self._early.pop(self.next_seq, None)) is not None:
            if due.before is not None:
                self.hear(due.before, self.epoch)
            made.append(self._record_safely(due))
            self.next_seq += 1
            if (heard := self._heard_early.pop(due.seq, None)) is not None:
                self.hear(heard, self.epoch)
        return made

    @property
    def has_gap(self) -> bool:
        """Turns wait for one that has not come."""
        return bool(self._early)

    def hear(self, heard: TurnHeard, epoch: int) -> None:
        """What the caller heard of a turn, told by the stream that spoke it. A second time changes nothing."""
        if heard.seq >= self.next_seq:
            if epoch == self.epoch and len(self._heard_early) < MOST_EARLY:
                self._heard_early[heard.seq] = heard
            return
        record = self.turns[heard.seq - 1] if 1 <= heard.seq <= len(self.turns) else None
        if record is None or record.is_over or self._spoken_in[heard.seq - 1] != epoch:
            return
        self.state, effects = advance(self._script, self.state, heard_event(heard))
        for effect in effects:
            self._record_or_not(effect)
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

    def _is_awaited(self, seq: int) -> bool:
        return self.next_seq <= seq <= self.next_seq + MOST_EARLY and seq not in self._early

    def _why_not(self, turn: TurnCompleted) -> str | None:
        if turn.epoch != self.epoch:
            return "stale"
        if not _makes_sense(turn):
            return "senseless"
        if self._is_awaited(turn.seq):
            return None
        return "too early" if turn.seq > self.next_seq + MOST_EARLY else "repeated"

    def _record_safely(self, turn: TurnCompleted) -> TurnRecord:
        try:
            return self._record(turn)
        except Exception:  # noqa: BLE001 - a bug of ours must cost one turn, not stop the call's workflow for ever
            self.ignored["failed"] += 1
            return self._record(_emptied(turn))

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
                    self._record_or_not(effect)
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
        self._spoken_in.append(turn.epoch)
        return record

    def _record_or_not(self, effect: Effect) -> None:
        match effect:
            case StartRecording():
                self._may_record = True
            case StopRecording():
                self._recording_is_withdrawn = True
            case _:
                pass  # in the state, or spoken by the gateway


def _is_opt_out(turn: TurnCompleted) -> bool:
    match turn.kind:
        case TurnKind.DTMF:
            return turn.digit == OPT_OUT_DIGIT
        case TurnKind.REPLY:
            return turn.move == OPT_OUT_MOVE
        case _:
            return False


def _emptied(turn: TurnCompleted) -> TurnCompleted:
    """The turn without what is wrong with it: words, as far as they can be kept, and what was heard before it."""
    return TurnCompleted(
        epoch=turn.epoch,
        seq=turn.seq,
        kind=TurnKind.HANG_UP,
        before=turn.before if _can_be_heard(turn) else None,
        caller_words=turn.caller_words[:LONGEST_TEXT],
        state_digest=turn.state_digest or "unknown",
        refusal="senseless",
    )


def _makes_sense(turn: TurnCompleted) -> bool:
    """Whether a message can be a turn at all; it comes from outside, whoever is there."""
    texts = [turn.caller_words, turn.saying, turn.move, turn.order_target, *turn.slots.values()]
    is_short = all(len(text) <= LONGEST_TEXT for text in texts)
    return turn.seq >= 1 and is_short and _is_whole(turn) and _can_be_heard(turn)


def _can_be_heard(turn: TurnCompleted) -> bool:
    """Whether what it says of the turn before it makes sense."""
    before = turn.before
    return before is None or (
        before.seq < turn.seq
        and len(before.heard_words) <= LONGEST_TEXT
        and len(before.reply_words) <= LONGEST_TEXT
    )


def _is_whole(turn: TurnCompleted) -> bool:
    """Whether a turn's kind has what it needs."""
    match turn.kind:
        case TurnKind.DTMF:
            return len(turn.digit) == 1
        case TurnKind.ORDER:
            return turn.order is not None
        case _:
            return True
