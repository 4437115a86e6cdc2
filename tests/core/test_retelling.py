"""A call told again from its messages, with its own script and with others; and what is said where tellings differ."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.scripts import SAMPLE, SAMPLE_TEXT, TODAY
from tests.core.test_turn_book import CALL, in_order
from workflows import turn_book
from workflows.contracts.payloads import (
    CallResult,
    CallSnapshot,
    MediaLost,
    PostCall,
    TurnCompleted,
    TurnHeard,
    TurnKind,
)
from workflows.retelling import (
    CallStory,
    LineGone,
    Message,
    OrderCarriedOut,
    Retelling,
    StreamAttached,
    retell,
)
from workflows.script.events import Order, ScriptEvent, SupervisorOrdered
from workflows.script.model import Outcome
from workflows.script.parse import parse_script
from workflows.script.turn_events import event_of_turn
from workflows.telling_apart import differences, side_by_side

HEARD = TurnHeard(seq=5, heard_words="And your bill", interrupted=True)
ROOF_MAY_BE_OLD = parse_script(
    SAMPLE_TEXT.replace("    max: 150", "    max: 1000"), name="solar_consult.yaml"
)


def told(*messages: Message) -> Retelling:
    story = CallStory(today=TODAY, messages=(StreamAttached(), *messages))
    return retell(story, SAMPLE)


def reply(seq: int, move: str, **slots: str) -> TurnCompleted:
    words = f"words before {move}"
    return TurnCompleted(
        epoch=1, seq=seq, kind=TurnKind.REPLY, move=move, slots=slots, caller_words=words
    )


def result_of(retelling: Retelling, **changes: object) -> CallResult:
    """What the workflow would have recorded."""
    result = CallResult(
        call_id="c1",
        call_sid="CA1",
        outcome=retelling.decided or Outcome.HUNG_UP,
        carrier_status="completed",
        stage=retelling.state.stage,
        slots=retelling.state.slots,
        objections=retelling.state.objections,
        turns=[decision.record for decision in retelling.decisions],
        appointment_at=retelling.appointment_at,
        call_back_when=retelling.state.call_back_when,
        script_hash=retelling.script_hash,
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def snapshot_of(retelling: Retelling, **changes: object) -> CallSnapshot:
    snapshot = CallSnapshot(
        call_id="c1",
        script_id="solar_consult",
        script_hash=retelling.script_hash,
        call_sid="CA1",
        carrier_status="in-progress",
        answered_by="",
        epoch=retelling.epoch,
        state=retelling.state,
        turns=[decision.record for decision in retelling.decisions],
        ignored_signals=sum(retelling.ignored.values()),
        ignored=retelling.ignored,
        appointment_at=retelling.appointment_at,
    )
    return replace(snapshot, **changes)  # type: ignore[arg-type]


def test_every_turn_is_told_with_its_stages_slots_refusals_and_rejections() -> None:
    again = told(*CALL, MediaLost(epoch=1, stream_sid="MZ1", clean=True, heard=HEARD))
    assert [decision.points() for decision in again.decisions] == [
        {"stage": "permission → permission"},
        {"stage": "permission → homeowner"},
        {"stage": "homeowner → roof", "stored": "is_homeowner = True"},
        {
            "stage": "roof → roof",
            "refused": "no_such_move: not allowed in this stage",
        },
        {
            "stage": "roof → bill",
            "stored": "roof_type = metal",
            "rejected": "roof_age_years: above 150",
        },
    ]
    straight = in_order()
    straight.hear(HEARD, 1)
    assert [decision.record for decision in again.decisions] == straight.turns
    assert again.state == straight.state


def test_what_was_proposed_with_a_refused_move_and_why_no_answer_was_used() -> None:
    missing = replace(reply(7, ""), refusal="timeout")
    again = told(*CALL, reply(6, "confirmed", roof_type="tile"), missing)
    assert [decision.points()["refused"] for decision in again.decisions[5:]] == [
        "confirmed with roof_type = tile: not allowed in this stage",
        "no move: timeout",
    ]


@pytest.mark.parametrize(
    ("last", "points"),
    [
        (
            TurnCompleted(epoch=1, seq=6, kind=TurnKind.DTMF, digit="9"),
            {
                "stage": "bill → opted_out",
                "lasting": "do not call again",
                "outcome": "opted_out",
            },
        ),
        (
            reply(6, "call_back", call_back_when="2026-11-26T10:00"),
            {
                "stage": "bill → call_back",
                "stored": "call_back_when = 2026-11-26T10:00",
                "lasting": "call back 2026-11-26T10:00",
                "outcome": "call_back",
            },
        ),
        (
            reply(6, "call_back"),
            {
                "stage": "bill → call_back",
                "lasting": "call back at a time not given",
                "outcome": "call_back",
            },
        ),
        (
            OrderCarriedOut(event=SupervisorOrdered(order=Order.TAKE_OVER, target="+12125550111")),
            {
                "stage": "bill → handed_over",
                "lasting": "transfer to +12125550111",
                "outcome": "handed_over",
            },
        ),
    ],
)
def test_what_lasts_is_told_where_it_was_decided(last: Message, points: dict[str, str]) -> None:
    again = told(*CALL, last)
    assert again.decisions[-1].points() == points
    assert str(again.decided) == points["outcome"]


def test_an_appointment_lasts() -> None:
    moves: tuple[tuple[str, dict[str, str]], ...] = (
        ("roof_known", {"roof_type": "metal", "roof_age_years": "6"}),
        ("worth_it", {"monthly_bill_usd": "$180"}),
        ("interest_known", {"wants_battery": "yes"}),
        ("objection_too_expensive", {}),
        ("agrees_to_visit", {}),
        ("time_known", {"appointment_at": "2026-11-26T15:00"}),
        ("confirmed", {}),
    )
    turns = [reply(seq, move, **slots) for seq, (move, slots) in enumerate(moves, start=4)]
    again = told(*CALL[:3], *turns)
    assert again.decisions[6].points()["objection"] == "too_expensive"
    assert again.decisions[-1].points() == {
        "stage": "confirm → booked",
        "lasting": "appointment at 2026-11-26T15:00",
        "outcome": "appointment",
    }


def test_what_opened_a_turn_can_be_read() -> None:
    order = TurnCompleted(
        epoch=1, seq=4, kind=TurnKind.ORDER, order=Order.FORCE_STAGE, order_target="pitch"
    )
    again = told(
        CALL[0],
        replace(CALL[1], caller_words="Yes, go on."),
        TurnCompleted(epoch=1, seq=3, kind=TurnKind.SILENCE),
        order,
        TurnCompleted(epoch=1, seq=5, kind=TurnKind.DTMF, digit="9"),
        TurnCompleted(epoch=1, seq=6, kind=TurnKind.HANG_UP, caller_words="bye"),
    )
    assert [decision.opened_by for decision in again.decisions] == [
        "[opening]",
        "Yes, go on.",
        "[silence]",
        "[order force_stage pitch]",
        "[key 9]",
        "bye",
    ]


def test_an_older_stream_tells_no_turns_but_what_was_heard_of_those_that_it_spoke() -> None:
    lost = MediaLost(epoch=1, stream_sid="M", clean=False, heard=TurnHeard(seq=1, heard_words="Hi"))
    again = told(CALL[0], StreamAttached(), CALL[1], lost)
    assert [decision.record.seq for decision in again.decisions] == [1]
    assert again.decisions[0].record.heard_words == "Hi"
    assert (again.epoch, again.ignored) == (2, {"stale": 1})
    other = told(
        CALL[0],
        StreamAttached(),
        replace(CALL[1], epoch=2, before=None),
        replace(lost, heard=TurnHeard(seq=2, heard_words="not spoken there")),
    )
    assert other.decisions[1].record.heard_words == ""


def opt_out(seq: int, epoch: int = 1) -> TurnCompleted:
    return replace(reply(seq, "opt_out"), epoch=epoch)


def lasting(again: Retelling) -> dict[int, str]:
    """What lasts, by the turn that decided it."""
    points = ((each.record.seq, each.points()) for each in again.decisions)
    return {seq: told["lasting"] for seq, told in points if "lasting" in told}


def test_an_opt_out_that_an_older_stream_tells_lasts_and_is_no_later_turns() -> None:
    order = OrderCarriedOut(event=SupervisorOrdered(order=Order.FORCE_STAGE, target="pitch"))
    again = told(CALL[0], StreamAttached(), opt_out(2), order, replace(CALL[1], epoch=3, seq=3))
    assert again.wants_no_calls
    assert again.is_opt_out_late
    assert lasting(again) == {}
    assert again.decided is None
    assert not told(*CALL).wants_no_calls


def test_an_opt_out_that_came_early_is_told_where_it_belongs() -> None:
    again = told(*CALL[:3], opt_out(5), reply(4, "roof_known", roof_type="metal"))
    assert lasting(again) == {5: "do not call again"}
    assert not again.is_opt_out_late


def test_an_order_to_opt_out_lasts() -> None:
    order = SupervisorOrdered(order=Order.FORCE_STAGE, target="opted_out")
    assert lasting(told(CALL[0], OrderCarriedOut(event=order))) == {2: "do not call again"}


def test_key_9_after_the_scripts_end_lasts() -> None:
    key = TurnCompleted(epoch=1, seq=7, kind=TurnKind.DTMF, digit="9")
    again = told(*CALL, reply(6, "goodbye"), key)
    assert (again.decided, lasting(again)) == (Outcome.GOODBYE, {7: "do not call again"})


def test_a_message_that_made_no_sense_takes_its_place_and_says_so() -> None:
    senseless = TurnCompleted(epoch=1, seq=2, kind=TurnKind.DTMF, digit="", caller_words="hm")
    again = told(CALL[0], senseless, replace(CALL[1], seq=3))
    assert [decision.record.refusal for decision in again.decisions] == ["", "senseless", ""]
    assert again.decisions[1].points() == {
        "stage": "permission → permission",
        "message": "made no sense: its place was taken, and nothing of it used",
    }
    assert again.decisions[1].opened_by == "hm"
    assert again.ignored == {"senseless": 1}


def test_a_turn_that_fails_costs_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_in_turn_3(turn: TurnCompleted, today: str) -> ScriptEvent | None:
        if turn.kind is not TurnKind.HANG_UP and turn.seq == 3:
            raise RuntimeError("a bug")
        return event_of_turn(turn, today)

    monkeypatch.setattr(turn_book, "event_of_turn", fails_in_turn_3)
    again = told(*CALL)
    assert again.ignored == {"failed": 1}
    assert [decision.record.seq for decision in again.decisions] == [1, 2, 3, 4, 5]
    assert again.decisions[2].record.refusal == "senseless"


def test_a_turn_after_the_end_is_refused_as_it_was() -> None:
    again = told(*CALL, LineGone(), reply(6, "worth_it", monthly_bill_usd="180"))
    assert again.decisions[5].record.refusal == "the script is over"
    assert again.decided is None
    assert differences(again, result_of(again, outcome=Outcome.CUT_OFF)) == []


# --- beside the record ----------------------------------------------------------------------------


def test_a_telling_is_equal_to_its_record() -> None:
    again = told(*CALL)
    assert differences(again, result_of(again)) == []
    assert differences(again, snapshot_of(again)) == []


def test_each_difference_is_named() -> None:
    again = told(*CALL)
    turns = [decision.record for decision in again.decisions]
    turns[1] = replace(turns[1], stage="roof", objection="too_expensive")
    other = result_of(again, turns=turns[:4], appointment_at="2026-11-26T15:00", slots={})
    assert differences(again, other) == [
        "turn 2, stage: told again 'homeowner', on record 'roof'",
        "turn 2, objection: told again '', on record 'too_expensive'",
        "turn 5: not on record",
        "slots: told again {'is_homeowner': True, 'roof_type': 'metal'}, on record {}",
        "appointment_at: told again '', on record '2026-11-26T15:00'",
    ]
    further = replace(again.state, silences=2)
    assert differences(again, snapshot_of(again, state=further, epoch=2, ignored={})) == [
        "silences: told again 0, on record 2",
        "epoch: told again 1, on record 2",
    ]


@pytest.mark.parametrize(
    ("outcome", "fits"),
    [(Outcome.HUNG_UP, True), (Outcome.CUT_OFF, True), (Outcome.APPOINTMENT, False)],
)
def test_how_a_call_ended_that_the_script_did_not_end(outcome: Outcome, fits: bool) -> None:
    again = told(*CALL, LineGone())
    assert (differences(again, result_of(again, outcome=outcome)) == []) is fits
    ended = snapshot_of(again, state=replace(again.state, outcome=outcome), is_over=True)
    assert (differences(again, ended) == []) is fits


def test_an_outcome_that_nothing_explains_is_a_difference() -> None:
    again = told(*CALL, TurnCompleted(epoch=1, seq=6, kind=TurnKind.DTMF, digit="9"))
    assert differences(again, result_of(again, outcome=Outcome.HUNG_UP)) == [
        "outcome: told again opted_out, on record hung_up"
    ]
    running = told(*CALL)
    gone = replace(running.state, outcome=Outcome.HUNG_UP)
    assert differences(running, snapshot_of(running, state=gone)) == [
        "outcome: told again None, on record hung_up"
    ]


def test_an_opt_out_that_the_report_found_is_the_outcome() -> None:
    again = told(*CALL, LineGone())
    report = PostCall(outcome="opted_out", summary="", objections=[], next_step="")
    opted_out = result_of(again, outcome=Outcome.OPTED_OUT, post_call=report)
    assert differences(again, opted_out) == []
    assert differences(again, replace(opted_out, post_call=None)) != []
    assert differences(again, replace(opted_out, outcome=Outcome.HUNG_UP)) == [
        "outcome: told again None, on record hung_up"
    ]


def test_a_report_changes_no_outcome_when_somebody_told_of_the_opt_out() -> None:
    again = told(*CALL, StreamAttached(), opt_out(6), LineGone())
    report = PostCall(outcome="opted_out", summary="", objections=[], next_step="")
    assert again.wants_no_calls
    assert differences(again, result_of(again, post_call=report)) == []
    # The message may have come after the report.
    later = result_of(again, outcome=Outcome.OPTED_OUT, post_call=report)
    assert differences(again, later) == []
    wrong = result_of(again, outcome=Outcome.APPOINTMENT, post_call=report)
    assert differences(again, wrong) != []


# --- with another script --------------------------------------------------------------------------


def test_another_script_parts_where_it_decides_otherwise() -> None:
    story = CallStory(today=TODAY, messages=(StreamAttached(), *CALL))
    turns = side_by_side(retell(story, SAMPLE), retell(story, ROOF_MAY_BE_OLD))
    assert [turn.unlike for turn in turns] == [(), (), (), (), ("stored", "rejected")]
    assert turns[4].would.points()["stored"] == "roof_age_years = 600, roof_type = metal"


@given(
    st.lists(
        st.sampled_from([StreamAttached(), LineGone(), *CALL]) | st.integers(0, 3), max_size=30
    )
)
def test_both_tellings_have_the_same_turns_whatever_came(drawn: list[Message | int]) -> None:
    messages: list[Message] = [
        replace(CALL[2], epoch=each) if isinstance(each, int) else each for each in drawn
    ]
    story = CallStory(today=TODAY, messages=messages)
    was, would = retell(story, SAMPLE), retell(story, ROOF_MAY_BE_OLD)
    turns = side_by_side(was, would)
    assert [turn.was.told for turn in turns] == [turn.would.told for turn in turns]
    assert (was.epoch, was.ignored) == (would.epoch, would.ignored)
