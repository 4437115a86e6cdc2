"""The same machine on both sides: a gateway and a workflow, with a line between them that loses, repeats and reorders."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.scripts import SAMPLE, TODAY
from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind
from workflows.script.events import Order
from workflows.script.machine import advance, initial_state
from workflows.script.moves import allowed_moves
from workflows.script.state import ScriptState, digest
from workflows.script.turn_events import event_of_turn, heard_event
from workflows.turn_book import TurnBook

ANY_MOVE = ["", "nonsense", "opt_out", "goodbye", "continue_stage", "booked"]
RAW = {
    "is_homeowner": ["yes", "no"],
    "roof_type": ["metal", "straw"],
    "roof_age_years": ["12", "old"],
    "monthly_bill_usd": ["$180", "?"],
    "wants_battery": ["yes"],
    "appointment_at": ["2026-11-26T10:00"],
    "email": ["dana@example.com"],
}


@dataclass
class Gateway:
    """One stream's end: runs the machine at once and tells of it afterwards, as a session does."""

    epoch: int
    state: ScriptState
    seq: int
    heard: TurnHeard | None = None
    told: list[TurnCompleted] = field(default_factory=list)

    def turn(self, turn: TurnCompleted, *, is_heard: bool, lines: list[str]) -> None:
        turn = replace(turn, epoch=self.epoch, seq=self.seq, before=self.heard)
        event = event_of_turn(turn, TODAY)
        if event is not None:
            self.state, _ = advance(SAMPLE, self.state, event)
        self.told.append(replace(turn, state_digest=digest(self.state)))
        self.heard = TurnHeard(seq=self.seq, lines_heard=lines, interrupted=not is_heard)
        self.state, _ = advance(SAMPLE, self.state, heard_event(self.heard))
        self.seq += 1


@st.composite
def turns(draw: st.DrawFn, state: ScriptState) -> TurnCompleted:
    kind = draw(
        st.sampled_from([TurnKind.REPLY] * 6 + [k for k in TurnKind if k != TurnKind.OPENING])
    )
    base = TurnCompleted(epoch=0, seq=0, kind=kind)
    match kind:
        case TurnKind.REPLY:
            names = [move.name for move in allowed_moves(SAMPLE, state)]
            move = draw(st.sampled_from(names * 3 + ANY_MOVE))
            slots = draw(
                st.fixed_dictionaries(
                    {}, optional={name: st.sampled_from(raw) for name, raw in RAW.items()}
                )
            )
            return replace(base, move=move, slots=slots, caller_words=draw(st.text(max_size=8)))
        case TurnKind.DTMF:
            return replace(base, digit=draw(st.sampled_from("0123456789*#")))
        case TurnKind.ORDER:
            target = draw(st.sampled_from([*SAMPLE.stages, "", "+12125550111"]))
            return replace(base, order=draw(st.sampled_from(Order)), order_target=target)
        case _:
            return base


def _delivered(draw: st.DrawFn, told: list[TurnCompleted]) -> list[TurnCompleted]:
    """At least once, in any order."""
    more = draw(st.lists(st.sampled_from(told), max_size=6)) if told else []
    return draw(st.permutations([*told, *more]))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_both_sides_end_equal_however_the_messages_come(data: st.DataObject) -> None:
    book = TurnBook(SAMPLE, initial_state(SAMPLE), TODAY)
    for stream in range(data.draw(st.integers(min_value=1, max_value=3))):
        book.new_epoch()
        gateway = Gateway(epoch=book.epoch, state=book.state, seq=book.next_seq)
        first = TurnKind.OPENING if stream == 0 else TurnKind.RESUME
        opening = TurnCompleted(epoch=0, seq=0, kind=first)
        gateway.turn(opening, is_heard=True, lines=["disclosure.opening"])
        for _ in range(data.draw(st.integers(min_value=0, max_value=8))):
            turn = data.draw(turns(gateway.state))
            lines = data.draw(st.sampled_from([[], ["disclosure.opening"], ["confirm.opening"]]))
            gateway.turn(turn, is_heard=data.draw(st.booleans()), lines=lines)

        late = data.draw(st.integers(min_value=0, max_value=len(gateway.told)))
        for told in data.draw(st.composite(_delivered)(gateway.told)):
            book.take(told)
            assert not (book.is_out_of_step and told.seq == book.next_seq - 1)
        if gateway.heard is not None:
            book.hear(gateway.heard, gateway.epoch)

        assert book.state == gateway.state
        assert digest(book.state) == digest(gateway.state)
        assert [record.seq for record in book.turns] == list(range(1, book.next_seq))
        # What an older stream says afterwards moves nothing.
        book.new_epoch()
        before = book.state, list(book.turns)
        for told in gateway.told[:late]:
            assert book.take(replace(told, seq=told.seq + len(gateway.told))) == []
        assert (book.state, book.turns) == before


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_stream_that_dies_leaves_a_state_that_the_next_one_can_go_on_from(
    data: st.DataObject,
) -> None:
    """The last messages are lost with their gateway: the book stands at the last one that came through."""
    book = TurnBook(SAMPLE, initial_state(SAMPLE), TODAY)
    book.new_epoch()
    gateway = Gateway(epoch=1, state=book.state, seq=1)
    opening = TurnCompleted(epoch=0, seq=0, kind=TurnKind.OPENING)
    gateway.turn(opening, is_heard=True, lines=["disclosure.opening"])
    states = [gateway.state]
    for _ in range(data.draw(st.integers(min_value=0, max_value=8))):
        gateway.turn(data.draw(turns(gateway.state)), is_heard=True, lines=[])
        states.append(gateway.state)
    arrived = data.draw(st.integers(min_value=0, max_value=len(gateway.told)))
    for told in gateway.told[:arrived]:
        book.take(told)

    book.new_epoch()

    assert book.next_seq == arrived + 1
    assert not book.is_out_of_step
    if arrived:
        assert book.state.stage == states[arrived - 1].stage
        assert book.state.slots == states[arrived - 1].slots
