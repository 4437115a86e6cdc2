"""What may be said next: moves, guards, globals and refusals of the script machine."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.scripts import HEARD_DISCLOSURE, SAMPLE, TODAY, move, run
from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind
from workflows.script.effects import (
    BookAppointment,
    EndCall,
    OptOut,
    RefuseMove,
    RejectSlot,
    SpeakLine,
    SpeakReply,
    Transfer,
)
from workflows.script.events import (
    CallAnswered,
    CallEnded,
    CallerSilent,
    DtmfPressed,
    Order,
    ReplyHeard,
    SupervisorOrdered,
)
from workflows.script.machine import advance, initial_state, next_question
from workflows.script.model import Outcome
from workflows.script.moves import allowed_moves, why_not_forced
from workflows.script.turn_events import event_of_turn, heard_event

TO_APPOINTMENT = (
    move("permission_given"),
    move("owns", is_homeowner="yes"),
    move("roof_known", roof_type="metal", roof_age_years="12"),
    move("worth_it", monthly_bill_usd="$180"),
    move("interest_known", wants_battery="yes"),
    move("agrees_to_visit"),
)


def test_a_call_opens_with_the_disclosure_and_the_first_question() -> None:
    state, effects = advance(SAMPLE, initial_state(SAMPLE), CallAnswered(today=TODAY))

    lines = [effect for effect in effects if isinstance(effect, SpeakLine)]
    assert [line.must_say for line in lines] == [True, False]
    assert "AI assistant" in lines[0].text
    assert "Brightfield Solar" in lines[0].text
    assert state.today == TODAY


def test_nothing_is_sold_before_the_disclosure_was_heard() -> None:
    state, _ = advance(SAMPLE, initial_state(SAMPLE), CallAnswered(today=TODAY))

    after, effects = advance(SAMPLE, state, move("permission_given"))

    assert after.stage == "permission"
    assert any(isinstance(e, SpeakLine) and e.must_say for e in effects)


def test_a_caller_may_opt_out_before_the_disclosure_was_heard() -> None:
    state, _ = advance(SAMPLE, initial_state(SAMPLE), CallAnswered(today=TODAY))

    after, effects = advance(SAMPLE, state, move("opt_out"))

    assert after.outcome is Outcome.OPTED_OUT
    assert OptOut() in effects


def test_the_whole_sample_ends_with_an_appointment() -> None:
    state = run(
        SAMPLE,
        *TO_APPOINTMENT,
        move("time_known", appointment_at="Thursday at ten in the morning"),
    )
    assert state.stage == "confirm"

    state, effects = advance(SAMPLE, state, move("confirmed"))

    assert state.outcome is Outcome.APPOINTMENT
    assert BookAppointment(at="2026-11-26T10:00") in effects
    assert isinstance(effects[-1], EndCall)
    assert state.slots == {
        "is_homeowner": True,
        "roof_type": "metal",
        "roof_age_years": 12,
        "monthly_bill_usd": 180.0,
        "wants_battery": True,
        "appointment_at": "2026-11-26T10:00",
    }


def test_the_models_words_are_followed_by_an_authored_question() -> None:
    state = run(SAMPLE, move("permission_given"))

    state, effects = advance(SAMPLE, state, move("answer_question"))

    assert [type(effect) for effect in effects] == [SpeakReply, SpeakLine]
    assert effects[-1] == SpeakLine(
        line_id="homeowner.ask.is_homeowner",
        text="Do you own the house you live in?",
        must_say=False,
    )
    assert state.stage == "homeowner"


@pytest.mark.parametrize("name", ["booked", "agrees_to_visit", "confirmed", "", "DROP TABLE"])
def test_a_move_of_another_stage_is_refused_and_changes_nothing(name: str) -> None:
    before = run(SAMPLE, move("permission_given"))

    after, effects = advance(SAMPLE, before, move(name, is_homeowner="yes"))

    assert isinstance(effects[0], RefuseMove)
    assert effects[1] == SpeakLine(
        line_id="homeowner.fallback",
        text="Sorry, I did not catch that. Do you own your house?",
        must_say=False,
    )
    assert after == replace(before, turns=before.turns + 1, refused=before.refused + 1)


def test_a_guard_that_does_not_hold_refuses_the_move_with_its_slots() -> None:
    before = run(SAMPLE, move("permission_given"))

    after, effects = advance(SAMPLE, before, move("owns", is_homeowner="no"))

    assert isinstance(effects[0], RefuseMove)
    assert after.slots == {}


def test_a_stage_completes_itself_when_its_slots_are_filled() -> None:
    state = run(SAMPLE, move("permission_given"), move("continue_stage", is_homeowner="no"))

    assert state.stage == "not_a_fit"
    assert state.outcome is Outcome.QUALIFIED_OUT


def test_a_slot_that_does_not_fit_is_rejected_and_the_question_asked_again() -> None:
    state = run(SAMPLE, *TO_APPOINTMENT[:3])

    state, effects = advance(SAMPLE, state, move("continue_stage", monthly_bill_usd="a lot"))

    assert [e.name for e in effects if isinstance(e, RejectSlot)] == ["monthly_bill_usd"]
    assert "monthly_bill_usd" not in state.slots
    assert next_question(SAMPLE, state) == "About how much do you pay for electricity a month?"


def test_a_slot_of_another_stage_is_not_taken() -> None:
    state = run(SAMPLE, move("permission_given", monthly_bill_usd="180"))

    assert state.slots == {}


def test_an_objection_is_answered_twice_and_then_no_longer_offered() -> None:
    state = run(SAMPLE, *TO_APPOINTMENT[:5])
    for _ in range(2):
        state, effects = advance(SAMPLE, state, move("objection_too_expensive"))
        assert SpeakReply() in effects

    assert state.objections == {"too_expensive": 2}
    assert "objection_too_expensive" not in {m.name for m in allowed_moves(SAMPLE, state)}


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("opt_out", Outcome.OPTED_OUT),
        ("human", Outcome.HANDED_OVER),
        ("call_back", Outcome.CALL_BACK),
        ("wrong_person", Outcome.WRONG_PERSON),
        ("goodbye", Outcome.GOODBYE),
    ],
)
@pytest.mark.parametrize("depth", range(7))
def test_every_stage_has_the_ways_out_that_no_author_can_leave_away(
    name: str, outcome: Outcome, depth: int
) -> None:
    state = run(SAMPLE, *TO_APPOINTMENT[:depth])

    state, effects = advance(SAMPLE, state, move(name))

    assert state.outcome is outcome
    assert SpeakReply() not in effects  # its words are authored
    assert any(isinstance(effect, SpeakLine) for effect in effects)


def test_a_human_is_reached_by_a_transfer() -> None:
    state, effects = advance(SAMPLE, run(SAMPLE), move("human"))

    assert Transfer(to="+12125550199") in effects
    assert state.transfer_to == "+12125550199"


def test_a_robot_says_that_it_is_one_and_goes_on() -> None:
    state, effects = advance(SAMPLE, run(SAMPLE), move("robot_question"))

    assert state.stage == "permission"
    spoken = [effect.text for effect in effects if isinstance(effect, SpeakLine)]
    assert "AI assistant" in spoken[0]
    assert SpeakReply() not in effects


def test_nine_opts_out_and_another_key_asks_again() -> None:
    state, effects = advance(SAMPLE, run(SAMPLE), DtmfPressed(digit="9"))
    assert state.outcome is Outcome.OPTED_OUT
    assert OptOut() in effects

    state, effects = advance(SAMPLE, run(SAMPLE), DtmfPressed(digit="4"))
    assert state.outcome is None
    assert len(effects) == 1


def test_silence_is_asked_about_and_then_ends_the_call() -> None:
    state = run(SAMPLE)
    texts = []
    for _ in range(3):
        state, effects = advance(SAMPLE, state, CallerSilent())
        texts += [effect.text for effect in effects if isinstance(effect, SpeakLine)]

    assert texts[:2] == ["Are you still there?", "Hello? I can not hear you."]
    assert state.outcome is Outcome.SILENT


def test_words_end_a_silence() -> None:
    state = run(SAMPLE, CallerSilent(), CallerSilent(), move("continue_stage"), CallerSilent())

    assert state.outcome is None
    assert state.silences == 1


def test_nothing_is_said_after_the_end() -> None:
    over = run(SAMPLE, move("goodbye"))

    for event in (move("permission_given"), CallerSilent(), DtmfPressed(digit="9")):
        after, effects = advance(SAMPLE, over, event)
        assert after.outcome is Outcome.GOODBYE
        assert not [e for e in effects if isinstance(e, SpeakLine | SpeakReply)]


def test_a_line_that_is_lost_ends_a_call_once() -> None:
    state, _ = advance(SAMPLE, run(SAMPLE), CallEnded())
    assert state.outcome is Outcome.HUNG_UP

    state, _ = advance(SAMPLE, run(SAMPLE, move("goodbye")), CallEnded())
    assert state.outcome is Outcome.GOODBYE


def test_only_must_say_lines_are_kept_as_heard() -> None:
    state, _ = advance(
        SAMPLE, run(SAMPLE), ReplyHeard(heard_words="x", lines_heard=("roof.opening",))
    )

    assert state.lines_heard == ["disclosure.opening"]


def test_the_workflow_runs_what_the_gateway_ran() -> None:
    turn = TurnCompleted(
        epoch=1,
        seq=2,
        kind=TurnKind.REPLY,
        caller_words="yes",
        move="permission_given",
    )
    told = TurnHeard(seq=2, heard_words="Thank you.", lines_heard=["disclosure.opening"])

    assert event_of_turn(turn, TODAY) == move("permission_given", "yes")
    heard = heard_event(told)
    assert heard == ReplyHeard(heard_words="Thank you.", lines_heard=HEARD_DISCLOSURE.lines_heard)


def ordered(order: Order, target: str = "") -> SupervisorOrdered:
    return SupervisorOrdered(order=order, target=target)


def test_a_supervisor_may_force_any_stage_whatever_its_guards() -> None:
    state, effects = advance(SAMPLE, run(SAMPLE), ordered(Order.FORCE_STAGE, "appointment"))
    assert state.stage == "appointment"
    assert [e.line_id for e in effects if isinstance(e, SpeakLine)] == ["appointment.opening"]


def test_a_forced_stage_still_begins_with_an_unheard_disclosure() -> None:
    state, _ = advance(SAMPLE, initial_state(SAMPLE), CallAnswered(today=TODAY))
    _, effects = advance(SAMPLE, state, ordered(Order.FORCE_STAGE, "appointment"))
    spoken = [e.line_id for e in effects if isinstance(e, SpeakLine)]
    assert spoken == ["disclosure.opening", "appointment.opening"]


@pytest.mark.parametrize("order", [Order.TRANSFER, Order.TAKE_OVER])
def test_a_supervisor_may_have_the_caller_connected_to_any_number(order: Order) -> None:
    state, effects = advance(SAMPLE, run(SAMPLE), ordered(order, "+12125550111"))
    assert (state.transfer_to, state.outcome) == ("+12125550111", Outcome.HANDED_OVER)
    assert effects[-1] == EndCall(outcome=Outcome.HANDED_OVER)


def test_a_supervisor_may_end_the_call_with_a_goodbye() -> None:
    state, effects = advance(SAMPLE, run(SAMPLE), ordered(Order.HANG_UP))
    assert state.outcome is Outcome.GOODBYE
    assert any(isinstance(e, SpeakLine) and e.line_id == "goodbye.opening" for e in effects)


def test_an_order_that_makes_no_sense_asks_the_stages_question_again() -> None:
    state, effects = advance(SAMPLE, run(SAMPLE), ordered(Order.FORCE_STAGE, "no_such_stage"))
    assert state == run(SAMPLE)
    assert [type(e) for e in effects] == [SpeakLine]


def test_nobody_can_force_an_appointment_that_has_no_time() -> None:
    state = run(SAMPLE)
    assert advance(SAMPLE, state, ordered(Order.FORCE_STAGE, "booked"))[0] == state
    assert "appointment_at" in why_not_forced(SAMPLE, state, "booked")
    assert why_not_forced(SAMPLE, state, "confirm") == ""


def test_orders_do_not_wake_a_script_that_is_over() -> None:
    over, _ = advance(SAMPLE, run(SAMPLE), ordered(Order.HANG_UP))
    assert advance(SAMPLE, over, ordered(Order.FORCE_STAGE, "appointment")) == (over, ())
