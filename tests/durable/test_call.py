"""CallWorkflow on the time-skipping server: what a call leaves behind, however it goes."""

from __future__ import annotations

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.testing import WorkflowEnvironment

from tests.durable.house import (
    CALL_SID,
    Handle,
    House,
    attach,
    opening,
    start,
    talk_to_an_appointment,
    tell,
    turn,
    until,
)
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.activities import FoundCall
from workflows.contracts.payloads import (
    AfterStream,
    AnsweredBy,
    CallSnapshot,
    CarrierStatus,
    Direction,
    MediaLost,
    NextStep,
    StreamEnded,
    SuperviseAnswer,
    SuperviseRequest,
    TurnHeard,
    TurnKind,
)
from workflows.script.events import Order
from workflows.script.model import Outcome


async def answered(client: Client, **changes: object) -> Handle:
    handle = await start(client, **changes)
    await until(handle, contract.PLACE_CALL)
    await tell(handle, CarrierStatus.IN_PROGRESS)
    await attach(handle)
    return handle


async def after_stream(handle: Handle, nonce: str = "") -> AfterStream:
    ended = StreamEnded(call_sid=CALL_SID, nonce=nonce)
    return await handle.execute_update(CallWorkflow.stream_ended, ended)


async def snapshot(handle: Handle) -> CallSnapshot:
    return await handle.query(CallWorkflow.snapshot)


async def reason_of_refusal(handle: Handle, **request: str) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await attach(handle, **request)
    cause = refused.value.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == "AttachRefused"
    return str(cause.message)


async def test_a_call_that_sells(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await talk_to_an_appointment(handle)
        assert (await after_stream(handle)).step is NextStep.HANG_UP
        await tell(handle, CarrierStatus.COMPLETED, duration_s=81)
        result = await handle.result()
    assert result.outcome is Outcome.APPOINTMENT
    assert result.slots == {
        "is_homeowner": True,
        "roof_type": "metal",
        "roof_age_years": 6,
        "monthly_bill_usd": 180,
        "wants_battery": True,
        "appointment_at": "2026-11-26T15:00",
    }
    assert [record.seq for record in result.turns] == list(range(1, 11))
    assert result.appointment_at == "2026-11-26T15:00"
    assert result.duration_s == 81
    (row,) = house.rows
    assert (row.outcome, row.appointment_at, row.turns) == ("appointment", "2026-11-26T15:00", 10)
    assert row.objections == {"too_expensive": 1}
    assert row.summary == "a call"
    assert "caller: words before owns" in house.read[0].transcript
    assert len(house.placed) == 1
    assert house.ended == []


async def test_it_can_be_read_while_it_runs_and_afterwards(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="permission_given")
        now = await snapshot(handle)
        assert (now.state.stage, now.carrier_status, now.epoch) == ("homeowner", "in-progress", 1)
        assert now.state.facts["first_name"] == "Ada"
        assert not now.is_over
        await handle.signal(
            CallWorkflow.answered_by, AnsweredBy(call_sid=CALL_SID, answered_by="human")
        )
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.signal(
            CallWorkflow.media_lost, MediaLost(epoch=1, stream_sid="MZ1", clean=True)
        )
        await handle.result()
        later = await snapshot(handle)
    assert later.is_over
    assert later.answered_by == "human"
    assert [record.kind for record in later.turns] == [TurnKind.OPENING, TurnKind.REPLY]


async def test_a_refused_script_fails_the_call_before_it_rings(
    client: Client, house: House
) -> None:
    house.script_refusal = "solar.yaml:3: stage 'pitch' leads nowhere; add a move"
    async with house.open(client):
        handle = await start(client)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    activity = failed.value.cause
    assert isinstance(activity, ActivityError)
    assert "solar.yaml:3" in str(activity.cause)
    assert house.placed == []
    assert house.rows == []


async def test_a_crm_that_is_away_does_not_stop_the_call(client: Client, house: House) -> None:
    house.look_up_fails = True
    async with house.open(client):
        handle = await answered(client)
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert 2 <= len(house.looked_up) <= 3
    assert result.failure == ""


async def test_a_number_that_the_carrier_refuses(client: Client, house: House) -> None:
    house.dial = "refused"
    async with house.open(client):
        result = await (await start(client)).result()
    assert result.outcome is Outcome.FAILED
    assert "21211" in result.failure
    assert [row.outcome for row in house.rows] == ["failed"]
    assert len(house.placed) == 1


async def test_a_lost_answer_is_settled_by_the_carriers_first_callback(
    client: Client, house: House
) -> None:
    house.dial = "lost"
    async with house.open(client):
        handle = await start(client)
        await until(handle, contract.PLACE_CALL)
        await tell(handle, CarrierStatus.RINGING)
        await tell(handle, CarrierStatus.NO_ANSWER)
        result = await handle.result()
    assert (result.call_sid, result.outcome) == (CALL_SID, Outcome.NO_ANSWER)
    assert len(house.placed) == 1, "a call whose answer was lost must not be placed again"
    assert house.searched == []


async def test_a_lost_answer_is_settled_by_the_carriers_list(client: Client, house: House) -> None:
    house.dial = "lost"
    house.found = FoundCall(call_sid=CALL_SID, status="ringing")
    house.ended_status = "canceled"
    async with house.open(client):
        result = await (await start(client)).result()
    assert (result.call_sid, result.outcome) == (CALL_SID, Outcome.NO_ANSWER)
    assert len(house.placed) == 1
    assert house.ended == [CALL_SID], "nobody told how it went on, so it is made sure of"


@pytest.mark.parametrize("dial", ["lost", "crashed"])
async def test_a_lost_answer_and_no_call(client: Client, house: House, dial: str) -> None:
    house.dial = dial
    async with house.open(client):
        result = await (await start(client)).result()
    assert result.outcome is Outcome.FAILED
    assert "answer was lost" in result.failure
    assert (len(house.placed), len(house.searched)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (CarrierStatus.BUSY, Outcome.BUSY),
        (CarrierStatus.NO_ANSWER, Outcome.NO_ANSWER),
        (CarrierStatus.CANCELED, Outcome.NO_ANSWER),
        (CarrierStatus.FAILED, Outcome.FAILED),
    ],
)
async def test_nobody_takes_the_call(
    client: Client, house: House, status: CarrierStatus, outcome: Outcome
) -> None:
    async with house.open(client):
        handle = await start(client)
        await until(handle, contract.PLACE_CALL)
        await tell(handle, status)
        result = await handle.result()
    assert result.outcome is outcome
    assert house.read == [], "there is nothing to read in a call without words"
    assert [row.outcome for row in house.rows] == [outcome.value]


async def test_the_caller_hangs_up_in_mid_sentence(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="permission_given")
        await tell(handle, CarrierStatus.COMPLETED)
        # The gateway's last turn comes after the carrier's last word, and still counts.
        cut = TurnHeard(seq=2, heard_words="Do you", interrupted=True)
        await turn(handle, 3, kind=TurnKind.HANG_UP, caller_words="well I", before=cut)
        await handle.signal(
            CallWorkflow.media_lost, MediaLost(epoch=1, stream_sid="MZ1", clean=True)
        )
        result = await handle.result()
    assert result.outcome is Outcome.HUNG_UP
    assert result.turns[-1].caller_words == "well I"
    assert (result.turns[1].heard_words, result.turns[1].interrupted) == ("Do you", True)
    assert result.stage == "homeowner"
    assert house.rows[0].outcome == "hung_up"


async def test_turns_that_come_late_early_or_twice(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await turn(handle, 3, move="owns", slots={"is_homeowner": "yes"})
        await turn(handle, 2, move="permission_given")
        assert (await snapshot(handle)).turns == []
        await opening(handle)
        await opening(handle)
        await turn(handle, 3, move="rents", slots={"is_homeowner": "no"})
        await turn(handle, 4, epoch=9, move="goodbye")
        now = await snapshot(handle)
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert [record.seq for record in result.turns] == [1, 2, 3]
    assert now.state.stage == "roof"
    assert now.state.slots == {"is_homeowner": True}
    assert now.ignored_signals == 3


async def test_statuses_never_go_back(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await tell(handle, CarrierStatus.RINGING)
        assert (await snapshot(handle)).carrier_status == "in-progress"
        await tell(handle, CarrierStatus.COMPLETED, duration_s=5)
        await tell(handle, CarrierStatus.IN_PROGRESS)
        await tell(handle, CarrierStatus.BUSY)
        result = await handle.result()
    assert (result.carrier_status, result.duration_s) == ("completed", 5)


async def test_a_move_that_is_not_allowed_moves_nothing_and_is_on_record(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="time_known", slots={"appointment_at": "2026-11-26T15:00"})
        await turn(handle, 3, move="permission_given")
        now = await snapshot(handle)
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert result.turns[1].refusal
    assert result.turns[1].move == "time_known"
    assert now.state.refused == 1
    assert now.state.stage == "homeowner"
    assert now.state.slots == {}


async def test_a_stream_token_works_once(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        assert "used before" in await reason_of_refusal(handle, nonce="n1")
        assert "another call" in await reason_of_refusal(handle, nonce="n2", call_sid="CA666")
        assert (await snapshot(handle)).epoch == 1
        await tell(handle, CarrierStatus.COMPLETED)
        assert "over" in await reason_of_refusal(handle, nonce="n3")
        await handle.result()


async def test_a_stream_that_was_lost_is_taken_up_by_the_next_one(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="permission_given")
        await handle.signal(
            CallWorkflow.media_lost, MediaLost(epoch=1, stream_sid="MZ1", clean=False)
        )
        assert (await after_stream(handle)).step is NextStep.RECONNECT
        again = await attach(handle, nonce="n2")
        assert (again.epoch, again.next_seq, again.resumed) == (2, 3, True)
        assert again.state.stage == "homeowner"
        assert again.history[-1].caller_words == "hello"
        # The old stream's gateway is not dead after all: nobody listens to it.
        await turn(handle, 3, epoch=1, move="goodbye")
        await turn(handle, 3, epoch=2, kind=TurnKind.RESUME, caller_words="")
        await turn(handle, 4, epoch=2, move="owns", slots={"is_homeowner": "yes"})
        now = await snapshot(handle)
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.result()
    assert now.state.stage == "roof"
    assert [record.kind for record in now.turns][2] is TurnKind.RESUME
    assert now.ignored_signals == 1


async def test_after_too_many_lost_streams_there_is_an_apology(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client, most_resumes=2)
        for number in range(2):
            assert (await after_stream(handle)).step is NextStep.RECONNECT
            await attach(handle, nonce=f"again {number}")
        step = await after_stream(handle)
        assert step.step is NextStep.APOLOGISE
        assert step.text
        result = await handle.result()
    assert house.ended == [CALL_SID], "the carrier is told, should its own hang-up be lost"
    assert (result.outcome, result.resumes) == (Outcome.CUT_OFF, 3)
    assert result.needs_review


async def test_streams_that_no_gateway_takes_are_not_tried_for_ever(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client, most_resumes=2)
        steps = [(await after_stream(handle)).step for _ in range(3)]
        await handle.result()
    assert steps == [NextStep.RECONNECT, NextStep.RECONNECT, NextStep.APOLOGISE]


async def test_the_same_question_twice_gets_the_same_answer(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        for _ in range(6):
            assert (await after_stream(handle, "n1")).step is NextStep.RECONNECT
        await attach(handle, nonce="n2")
        # A repeated webhook of the first stream says nothing of the second.
        assert (await after_stream(handle, "n1")).step is NextStep.RECONNECT
        assert (await snapshot(handle)).resumes == 1
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.signal(CallWorkflow.media_lost, MediaLost(epoch=2, stream_sid="M", clean=True))
        result = await handle.result()
    assert result.outcome is Outcome.HUNG_UP


async def test_a_caller_whose_gateway_died_did_not_hang_up(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert result.outcome is Outcome.CUT_OFF
    assert result.turns[0].saying == ""
    assert not result.turns[0].is_over


async def test_an_opt_out_is_on_record_before_the_line_is_given_up(
    client: Client, house: House
) -> None:
    house.do_not_call_failures = 1
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="opt_out", caller_words="take me off your list")
        assert (await after_stream(handle)).step is NextStep.HANG_UP
        assert [entry.phone for entry in house.do_not_call] == ["+12125550142"]
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert result.outcome is Outcome.OPTED_OUT
    assert len(house.do_not_call) == 1


async def test_an_opt_out_outlives_a_crm_that_is_away(client: Client, house: House) -> None:
    house.do_not_call_failures = 8
    house.write_failures = 5
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, kind=TurnKind.DTMF, digit="9", caller_words="")
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert result.outcome is Outcome.OPTED_OUT
    assert len(house.do_not_call) == 1
    assert len(house.rows) == 1


async def test_a_transfer_is_what_comes_after_the_stream(
    environment: WorkflowEnvironment, client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="human", caller_words="let me talk to a person")
        step = await after_stream(handle)
        # People talk for longer than any silence of ours, and nothing of it is told to us.
        await environment.sleep(600)
        assert house.ended == []
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert (step.step, step.number) == (NextStep.DIAL, "+12125550199")
    assert result.outcome is Outcome.HANDED_OVER
    assert house.ended == []


async def test_a_model_that_is_away_costs_the_report_and_nothing_else(
    client: Client, house: House
) -> None:
    house.model_fails = True
    async with house.open(client):
        handle = await answered(client)
        await talk_to_an_appointment(handle)
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert result.outcome is Outcome.APPOINTMENT
    assert result.post_call is None
    assert len(house.read) > 3
    assert house.rows[0].summary == ""


@pytest.mark.parametrize(
    ("last_word", "longest"),
    [
        (None, {"ring_timeout_s": 30}),
        (CarrierStatus.IN_PROGRESS, {"silence_timeout_s": 60}),
        (CarrierStatus.IN_PROGRESS, {"longest_call_s": 40}),
    ],
)
async def test_no_call_lives_on_when_nobody_speaks_of_it(
    client: Client, house: House, last_word: CarrierStatus | None, longest: dict[str, int]
) -> None:
    async with house.open(client):
        handle = await start(client, **longest)
        await until(handle, contract.PLACE_CALL)
        if last_word is not None:
            await tell(handle, last_word)
            await attach(handle)
        result = await handle.result()
    assert house.ended == [CALL_SID]
    assert result.carrier_status == "completed"
    assert result.duration_s == 42


async def test_a_call_that_came_in_is_not_dialled(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await start(
            client, direction=Direction.INBOUND, to="+12125550100", from_="+12125550142"
        )
        await attach(handle)
        await opening(handle)
        await turn(handle, 2, move="opt_out")
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert house.placed == []
    assert [entry.phone for entry in house.do_not_call] == ["+12125550142"]
    assert result.call_sid == CALL_SID
    assert house.looked_up[0].phone == "+12125550142"


async def test_the_same_call_is_started_once(client: Client, house: House) -> None:
    async with house.open(client):
        first = await start(client, call_id="same")
        second = await start(client, call_id="same")
        assert first.id == second.id
        await until(first, contract.PLACE_CALL)
        await tell(first, CarrierStatus.BUSY)
        await first.result()
    assert len(house.placed) == 1


# --- a person takes the call in hand --------------------------------------------------------------


async def supervise(handle: Handle, order: Order, **more: str) -> SuperviseAnswer:
    request = SuperviseRequest(order=order, by="u1", **more)
    return await handle.execute_update(CallWorkflow.supervise, request)


async def test_an_order_goes_to_the_gateway_and_comes_back_as_a_turn(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        answer = await supervise(handle, Order.FORCE_STAGE, stage="appointment")
        assert answer.by == "gateway"
        (directive,) = house.directives
        assert (directive.epoch, directive.target) == (1, "appointment")
        assert (await snapshot(handle)).state.stage == "permission", "until it was said"
        await turn(
            handle, 2, kind=TurnKind.ORDER, order=Order.FORCE_STAGE, order_target="appointment"
        )
        now = await snapshot(handle)
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert (now.state.stage, now.needs_review) == ("appointment", True)
    assert result.turns[1].kind is TurnKind.ORDER


@pytest.mark.parametrize("gateway", ["gone", "elsewhere"])
async def test_orders_are_carried_out_without_a_gateway_too(
    client: Client, house: House, gateway: str
) -> None:
    house.gateway = gateway
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        forced = await supervise(handle, Order.FORCE_STAGE, stage="appointment")
        assert forced.by == "next stream"
        assert (await snapshot(handle)).state.stage == "appointment"
        taken = await supervise(handle, Order.TAKE_OVER, number="+12125550111")
        assert taken.by == "carrier"
        (wanted,) = house.connected
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert (wanted.call_sid, wanted.number) == (CALL_SID, "+12125550111")
    assert result.outcome is Outcome.HANDED_OVER


async def test_a_call_without_a_gateway_is_hung_up_through_the_carrier(
    client: Client, house: House
) -> None:
    house.gateway = "gone"
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        assert (await supervise(handle, Order.HANG_UP)).by == "carrier"
        assert house.ended == [CALL_SID]
        result = await handle.result()
    assert result.outcome is Outcome.GOODBYE


@pytest.mark.parametrize(
    ("order", "more", "reason"),
    [
        (Order.FORCE_STAGE, {"stage": "nowhere"}, "there are permission"),
        (Order.TAKE_OVER, {}, "supervisor's number"),
        (Order.TRANSFER, {"number": "0800-CALL-ME"}, "E.164"),
    ],
)
async def test_an_order_that_cannot_be_is_refused_with_the_remedy(
    client: Client, house: House, order: Order, more: dict[str, str], reason: str
) -> None:
    async with house.open(client):
        handle = await answered(client)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await supervise(handle, order, **more)
        cause = refused.value.cause
        assert isinstance(cause, ApplicationError)
        assert cause.type == "OrderRefused"
        assert reason in str(cause.message)
        assert not (await snapshot(handle)).needs_review
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.result()
    assert house.directives == []


async def test_a_gateway_whose_state_differs_is_corrected(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="permission_given", state_digest="another state")
        await until(handle, contract.CARRY_OUT_DIRECTIVE)
        now = await snapshot(handle)
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.result()
    (directive,) = house.directives
    assert directive.order is None
    assert (directive.after_seq, directive.state) == (2, now.state)
    assert now.needs_review


# --- however it ends --------------------------------------------------------------------------------


async def test_a_cancelled_call_is_hung_up_and_written_down(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    assert house.ended == [CALL_SID]
    assert [row.outcome for row in house.rows] == ["cut_off"]


async def test_an_opt_out_with_the_last_words_is_found_by_the_report(
    client: Client, house: House
) -> None:
    house.post_call_outcome = "opted_out"
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, kind=TurnKind.HANG_UP, caller_words="take me off your list")
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.signal(CallWorkflow.media_lost, MediaLost(epoch=1, stream_sid="M", clean=True))
        result = await handle.result()
    assert result.outcome is Outcome.OPTED_OUT
    assert [entry.phone for entry in house.do_not_call] == ["+12125550142"]
    assert [row.outcome for row in house.rows] == ["opted_out"]


async def test_messages_that_make_no_sense_change_nothing(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        for nonsense in ({"epoch": "one"}, ["a list"], "text", {"epoch": 1, "seq": 2}):
            await handle.signal("turn_completed", nonsense)
        whole = {"epoch": 1, "seq": 2, "kind": "reply", "move": "permission_given"}
        await handle.signal("turn_completed", whole | {"caller_words": "x" * 30_000})
        await handle.signal("turn_completed", whole | {"a_field_of_tomorrow": 1})
        now = await snapshot(handle)
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.result()
    assert [record.seq for record in now.turns] == [1, 2]
    assert now.ignored == {"senseless": 1, "repeated": 1}
