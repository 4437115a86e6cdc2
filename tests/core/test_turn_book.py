"""TurnBook and CarrierView: what comes late, early, twice or from elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.scripts import SAMPLE, TODAY
from workflows.carrier_view import CarrierView
from workflows.contracts.payloads import (
    CarrierStatus,
    CarrierUpdate,
    TurnCompleted,
    TurnHeard,
    TurnKind,
)
from workflows.script.events import Order, SupervisorOrdered
from workflows.script.machine import initial_state
from workflows.script.model import Outcome
from workflows.script.state import digest
from workflows.turn_book import MOST_EARLY, TurnBook

OPENING = TurnCompleted(epoch=1, seq=1, kind=TurnKind.OPENING, saying="Hi there")
OPENING_HEARD = TurnHeard(seq=1, lines_heard=["disclosure.opening"], heard_words="Hi")
CALL = (
    OPENING,
    TurnCompleted(
        epoch=1, seq=2, kind=TurnKind.REPLY, move="permission_given", before=OPENING_HEARD
    ),
    TurnCompleted(epoch=1, seq=3, kind=TurnKind.REPLY, move="owns", slots={"is_homeowner": "yes"}),
    TurnCompleted(epoch=1, seq=4, kind=TurnKind.REPLY, move="no_such_move"),
    TurnCompleted(
        epoch=1,
        seq=5,
        kind=TurnKind.REPLY,
        move="roof_known",
        slots={"roof_type": "metal", "roof_age_years": "six hundred"},
    ),
)


def book() -> TurnBook:
    made = TurnBook(SAMPLE, initial_state(SAMPLE), TODAY)
    made.new_epoch()
    return made


def in_order() -> TurnBook:
    straight = book()
    for turn in CALL:
        straight.take(turn)
    return straight


def test_a_turn_is_recorded_with_what_the_script_said_to_it() -> None:
    whole = in_order()
    assert whole.state.stage == "bill"
    assert [bool(record.refusal) for record in whole.turns] == [False, False, False, True, False]
    assert "roof_age_years" in whole.turns[4].rejected_slots
    assert whole.ignored.total() == 0
    assert whole.turns[3].move == "no_such_move"
    assert (whole.turns[0].heard_words, whole.turns[0].is_over) == ("Hi", True)
    assert not whole.turns[4].is_over


def test_what_was_proposed_with_a_refused_move_is_on_record() -> None:
    refused = in_order()
    refused.take(
        TurnCompleted(
            epoch=1, seq=6, kind=TurnKind.REPLY, move="confirmed", slots={"roof_type": "tile"}
        )
    )
    assert (refused.turns[5].stage, refused.turns[5].refused_slots) == (
        "bill",
        {"roof_type": "tile"},
    )
    assert refused.state.slots["roof_type"] == "metal"


def test_what_was_heard_of_the_last_turn_comes_with_the_end_of_the_stream() -> None:
    ended = book()
    heard = TurnHeard(seq=1, lines_heard=["disclosure.opening"], heard_words="Hi", interrupted=True)
    ended.hear(heard, 1)
    assert ended.turns == []
    ended.take(OPENING)
    assert (ended.turns[0].heard_words, ended.turns[0].interrupted) == ("Hi", True)
    assert ended.state.lines_heard == ["disclosure.opening"]
    ended.hear(replace(heard, heard_words="something else"), 1)
    assert ended.turns[0].heard_words == "Hi"


def test_a_gateway_that_differs_is_noticed_and_one_that_agrees_is_not() -> None:
    compared = book()
    compared.take(replace(OPENING, state_digest=digest(in_order().state)))
    assert compared.is_out_of_step
    straight = book()
    straight.take(OPENING)
    agreeing = book()
    agreeing.take(replace(OPENING, state_digest=digest(straight.state)))
    assert not agreeing.is_out_of_step


@pytest.mark.parametrize(
    "nonsense",
    [
        replace(OPENING, seq=0),
        replace(OPENING, caller_words="x" * 30_000),
        replace(OPENING, kind=TurnKind.ORDER),
        replace(OPENING, kind=TurnKind.DTMF, digit=""),
        replace(OPENING, before=TurnHeard(seq=1)),
    ],
)
def test_what_cannot_be_a_turn_changes_nothing(nonsense: TurnCompleted) -> None:
    asked = book()
    before = asked.state
    records = asked.take(nonsense)
    assert (asked.state, asked.ignored["senseless"]) == (before, 1)
    # It takes its place, emptied, so that those after it need not wait.
    assert [(record.refusal, record.move) for record in records] == [("senseless", "")] * (
        nonsense.seq == 1
    )


def test_an_order_without_a_gateway_moves_the_script_and_fences_the_old_stream() -> None:
    ordered = in_order()
    record = ordered.order(SupervisorOrdered(order=Order.FORCE_STAGE, target="appointment"))
    assert (record.kind, record.stage, record.seq) == (TurnKind.ORDER, "appointment", 6)
    assert ordered.take(TurnCompleted(epoch=1, seq=6, kind=TurnKind.SILENCE)) == []
    assert ordered.ignored["stale"] == 1


@given(
    st.lists(st.sampled_from(CALL), max_size=20).flatmap(
        lambda more: st.permutations([*CALL, *more])
    )
)
def test_no_order_and_no_repetition_changes_the_call(deliveries: list[TurnCompleted]) -> None:
    shuffled, straight = book(), in_order()
    for turn in deliveries:
        shuffled.take(turn)
    assert shuffled.state == straight.state
    assert shuffled.turns == straight.turns
    assert shuffled.ignored.total() == len(deliveries) - len(CALL)


@given(st.permutations(CALL), st.integers(min_value=2, max_value=9))
def test_a_stream_that_does_not_own_the_call_moves_nothing(
    turns: list[TurnCompleted], epoch: int
) -> None:
    fenced = book()
    for turn in turns:
        assert fenced.take(replace(turn, epoch=epoch)) == []
    assert fenced.turns == []
    assert fenced.ignored["stale"] == len(CALL)


def test_what_came_early_on_a_lost_stream_is_given_up() -> None:
    resumed = book()
    resumed.take(CALL[0])
    resumed.take(CALL[2])
    resumed.new_epoch()
    assert resumed.ignored["stale"] == 1
    resumed.take(TurnCompleted(epoch=2, seq=2, kind=TurnKind.RESUME))
    assert [record.kind for record in resumed.turns] == [TurnKind.OPENING, TurnKind.RESUME]
    assert resumed.next_seq == 3


def test_a_flood_of_early_turns_is_bounded_and_does_not_block_the_one_that_is_due() -> None:
    flooded = book()
    for seq in range(2, MOST_EARLY + 50):
        flooded.take(TurnCompleted(epoch=1, seq=seq, kind=TurnKind.SILENCE))
    assert flooded.ignored["too early"] == 48
    assert len(flooded.take(OPENING)) == MOST_EARLY + 1


def update(status: CarrierStatus, call_sid: str = "CA1") -> CarrierUpdate:
    return CarrierUpdate(call_sid=call_sid, status=status)


@given(st.lists(st.sampled_from(CarrierStatus), min_size=1))
def test_a_status_never_goes_back_and_a_final_one_stands(statuses: list[CarrierStatus]) -> None:
    view = CarrierView()
    final = next((status for status in statuses if status.is_final), None)
    for status in statuses:
        view.take(update(status))
    assert view.status == (final or max(statuses, key=list(CarrierStatus).index))


def test_another_calls_status_is_not_taken() -> None:
    view = CarrierView()
    assert view.take(update(CarrierStatus.RINGING))
    assert not view.take(update(CarrierStatus.COMPLETED, "CA2"))
    assert view.call_sid == "CA1"
    assert not view.is_over


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (CarrierStatus.BUSY, Outcome.BUSY),
        (CarrierStatus.NO_ANSWER, Outcome.NO_ANSWER),
        (CarrierStatus.CANCELED, Outcome.NO_ANSWER),
        (CarrierStatus.FAILED, Outcome.FAILED),
        (CarrierStatus.COMPLETED, None),
        (CarrierStatus.RINGING, None),
    ],
)
def test_what_the_status_says_of_the_outcome(
    status: CarrierStatus, outcome: Outcome | None
) -> None:
    view = CarrierView()
    view.take(update(status))
    assert view.outcome() is outcome
