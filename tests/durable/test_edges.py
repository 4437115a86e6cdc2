"""CallWorkflow where things meet: orders, late words, lost streams and cancellations that come at the worst moment."""

from __future__ import annotations

import asyncio

import pytest
from temporalio import activity
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from tests.durable.house import (
    CALL_SID,
    DISCLOSED,
    Handle,
    House,
    attach,
    opening,
    start,
    tell,
    turn,
    until,
)
from tests.durable.test_call import after_stream, answered, snapshot, supervise
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.activities import (
    Callee,
    EndCarrierCall,
    EndedCall,
    LookUpCallee,
    ReadTranscript,
)
from workflows.contracts.payloads import (
    CallResult,
    CarrierStatus,
    Direction,
    MediaLost,
    NextStep,
    PostCall,
    TurnKind,
)
from workflows.script.events import Order
from workflows.script.model import Outcome

INBOUND = {"direction": Direction.INBOUND, "to": "+12125550100", "from_": "+12125550142"}


class Held(House):
    """One activity waits until a test lets it go."""

    def __init__(self, held: str) -> None:
        super().__init__()
        self.held, self.began, self.may_go = held, asyncio.Event(), asyncio.Event()

    async def hold(self, name: str) -> None:
        if name == self.held:
            self.began.set()
            await self.may_go.wait()

    @activity.defn(name=contract.READ_CALL)
    async def read_call(self, wanted: ReadTranscript) -> PostCall:
        await self.hold(contract.READ_CALL)
        return await super().read_call(wanted)

    @activity.defn(name=contract.END_CALL)
    async def end_call(self, wanted: EndCarrierCall) -> EndedCall:
        await self.hold(contract.END_CALL)
        return await super().end_call(wanted)

    @activity.defn(name=contract.LOOK_UP_CALLEE)
    async def look_up_callee(self, wanted: LookUpCallee) -> Callee:
        await self.hold(contract.LOOK_UP_CALLEE)
        return await super().look_up_callee(wanted)


async def hang_up(handle: Handle, epoch: int = 1) -> CallResult:
    """The caller hangs up, and the gateway tells of it."""
    await tell(handle, CarrierStatus.COMPLETED)
    lost = MediaLost(epoch=epoch, stream_sid="MZ1", clean=True)
    await handle.signal(CallWorkflow.media_lost, lost)
    return await handle.result()


# --- words and opt-outs that come late ------------------------------------------------------------


async def test_an_opt_out_while_the_call_is_wrapped_up_is_written(client: Client) -> None:
    house = Held(contract.READ_CALL)
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="permission_given")
        await tell(handle, CarrierStatus.COMPLETED)
        ending = asyncio.create_task(handle.result())
        await house.began.wait()
        await turn(handle, 3, move="opt_out", caller_words="take me off")
        house.may_go.set()
        await ending
    assert len(house.do_not_call) == 1


async def test_an_opt_out_while_a_cancelled_call_is_ended_is_written(client: Client) -> None:
    house = Held(contract.END_CALL)
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await handle.cancel()
        await house.began.wait()
        await turn(handle, 2, move="opt_out", caller_words="take me off your list")
        house.may_go.set()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert len(house.do_not_call) == 1
    assert len(house.rows) == 1


async def test_an_opt_out_told_by_a_fenced_stream_counts(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await attach(handle, nonce="n2")
        await turn(handle, 2, epoch=1, move="opt_out", caller_words="take me off your list")
        result = await hang_up(handle, epoch=2)
    assert [record.seq for record in result.turns] == [1], "it moves nothing"
    assert len(house.do_not_call) == 1


async def test_a_key_over_the_last_words_counts(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="goodbye")
        await turn(handle, 3, kind=TurnKind.DTMF, digit="9", caller_words="")
        result = await hang_up(handle)
    assert result.outcome is Outcome.GOODBYE
    assert len(house.do_not_call) == 1


async def test_a_turn_that_makes_no_sense_does_not_hold_up_those_after_it(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="permission_given", caller_words="x" * 30_000)
        await turn(handle, 3, move="permission_given", state_digest="of another state")
        await until(handle, contract.CARRY_OUT_DIRECTIVE)
        now = await snapshot(handle)
        result = await hang_up(handle)
    assert now.state.stage == "homeowner"
    assert [record.refusal for record in now.turns] == ["", "senseless", ""]
    assert result.needs_review


async def test_a_number_that_nobody_means_stops_no_workflow(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await turn(handle, 2, move="permission_given")
        await turn(handle, 3, move="owns", slots={"is_homeowner": "yes"})
        age = {"roof_type": "metal", "roof_age_years": "9" * 400}
        await turn(handle, 4, move="roof_known", slots=age)
        now = await snapshot(handle)
        await hang_up(handle)
    assert "nobody means" in now.turns[3].rejected_slots["roof_age_years"]


async def test_what_was_heard_on_a_fenced_stream_is_still_known(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await attach(handle, nonce="n2")
        lost = MediaLost(epoch=1, stream_sid="MZ1", clean=False, heard=DISCLOSED)
        await handle.signal(CallWorkflow.media_lost, lost)
        now = await snapshot(handle)
        result = await hang_up(handle, epoch=2)
    assert now.state.lines_heard == ["disclosure.opening"]
    assert result.outcome is Outcome.HUNG_UP, "the end of an older stream is not the call's"


# --- streams ----------------------------------------------------------------------------------------


async def test_the_day_is_known_however_the_call_begins(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await turn(handle, 1, kind=TurnKind.HANG_UP, caller_words="hello?")
        again = await attach(handle, nonce="n2")
        await hang_up(handle, epoch=2)
    assert again.state.today
    assert not again.resumed, "nothing was said to him yet"


async def test_an_attach_that_comes_after_its_stream_ended_is_refused(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        assert (await after_stream(handle, "n2")).step is NextStep.RECONNECT
        live = await attach(handle, nonce="n3")
        with pytest.raises(WorkflowUpdateFailedError):
            await attach(handle, nonce="n2")
        assert (await snapshot(handle)).epoch == live.epoch
        await hang_up(handle, epoch=live.epoch)


async def test_nobody_attaches_to_a_script_that_is_over(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        assert (await after_stream(handle, "n1")).step is NextStep.RECONNECT
        await turn(handle, 2, move="goodbye")  # of a gateway that came back
        with pytest.raises(WorkflowUpdateFailedError):
            await attach(handle, nonce="n2")
        assert (await after_stream(handle, "n2")).step is NextStep.HANG_UP
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert result.outcome is Outcome.GOODBYE


async def test_a_call_that_came_in_is_taken_up_though_its_first_stream_never_was(
    client: Client,
) -> None:
    house = Held(contract.LOOK_UP_CALLEE)
    async with house.open(client):
        handle = await start(client, call_sid=CALL_SID, **INBOUND)
        await house.began.wait()
        asking = asyncio.create_task(after_stream(handle, "n1"))
        house.may_go.set()
        step = await asking
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.result()
    assert step.step is NextStep.RECONNECT


async def test_streams_that_no_gateway_takes_cost_no_resumes_but_are_not_tried_for_ever(
    environment: WorkflowEnvironment, client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client, most_resumes=1)
        await opening(handle)
        assert (await after_stream(handle, "n1")).step is NextStep.RECONNECT
        steps = [await after_stream(handle, f"refused {number}") for number in range(6)]
        assert {step.step for step in steps} == {NextStep.RECONNECT}
        assert steps[-1].pause_s > 0
        assert (await snapshot(handle)).resumes == 1
        await environment.sleep(61)
        last = await after_stream(handle, "refused again")
        result = await handle.result()
    assert last.step is NextStep.APOLOGISE
    assert result.outcome is Outcome.CUT_OFF


async def test_a_stream_that_attaches_again_is_not_hung_up_by_the_last_ones_end(
    environment: WorkflowEnvironment, client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client, most_resumes=0)
        await opening(handle)
        assert (await after_stream(handle, "n1")).step is NextStep.APOLOGISE
        await attach(handle, nonce="n2")  # the carrier had begun it before it asked
        await environment.sleep(60)
        assert house.ended == []
        await hang_up(handle, epoch=2)


# --- orders -----------------------------------------------------------------------------------------


async def test_an_order_that_the_gateway_refuses_is_answered_so_and_costs_nothing(
    client: Client, house: House
) -> None:
    house.gateway = "refuses"
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        answer = await supervise(handle, Order.FORCE_STAGE, stage="appointment")
        assert (answer.by, answer.reason) == ("nobody", "refuses")
        await turn(handle, 2, move="goodbye", caller_words="bye")
        now = await snapshot(handle)
        assert (await after_stream(handle, "n1")).step is NextStep.HANG_UP
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.result()
    assert (now.epoch, now.state.outcome, now.ignored) == (1, Outcome.GOODBYE, {})


async def test_a_gateway_that_is_cut_off_from_us_loses_its_stream_to_an_order(
    client: Client, house: House
) -> None:
    house.gateway = "gone"
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        answer = await supervise(handle, Order.FORCE_STAGE, stage="appointment")
        assert (answer.by, house.reconnected) == ("next stream", [CALL_SID])
        assert (await after_stream(handle, "n1")).step is NextStep.RECONNECT
        again = await attach(handle, nonce="n2")
        await hang_up(handle, epoch=again.epoch)
    assert (again.state.stage, again.resumed) == ("appointment", True)


async def test_an_order_that_died_with_its_gateway_is_given_to_the_next(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await supervise(handle, Order.FORCE_STAGE, stage="appointment")
        await attach(handle, nonce="n2")
        await until_directives(house, 2)
        order = {"order": Order.FORCE_STAGE, "order_target": "appointment"}
        await turn(handle, 2, epoch=2, kind=TurnKind.ORDER, **order)
        await attach(handle, nonce="n3")
        result = await hang_up(handle, epoch=3)
    assert [directive.epoch for directive in house.directives] == [1, 2], "told once, done once"
    assert result.stage == "appointment"


async def test_the_newest_order_is_the_one_that_the_next_stream_is_given(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await supervise(handle, Order.FORCE_STAGE, stage="pitch")
        house.directs = asyncio.Event()  # the next one is held
        second = asyncio.create_task(supervise(handle, Order.FORCE_STAGE, stage="roof"))
        await until_directives(house, 2)
        await attach(handle, nonce="n2")
        house.directs.set()
        assert (await second).by == "gateway"
        await hang_up(handle, epoch=2)
    given = [(directive.epoch, directive.target) for directive in house.directives]
    assert given == [(1, "pitch"), (1, "roof"), (2, "roof")]


async def until_directives(house: House, count: int) -> None:
    async with asyncio.timeout(10):
        while len(house.directives) < count:
            await asyncio.sleep(0.02)


async def test_people_who_were_connected_without_a_gateway_talk_as_long_as_they_like(
    environment: WorkflowEnvironment, client: Client, house: House
) -> None:
    house.gateway = "gone"
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        taken = await supervise(handle, Order.TAKE_OVER, number="+12125550111")
        await environment.sleep(300)
        assert (taken.by, house.ended) == ("carrier", [])
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert result.outcome is Outcome.HANDED_OVER


async def test_nobody_is_forced_anywhere_before_he_has_answered(
    client: Client, house: House
) -> None:
    house.ended_status = "canceled"
    async with house.open(client):
        handle = await start(client)
        await until(handle, contract.PLACE_CALL)
        await tell(handle, CarrierStatus.RINGING)
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await supervise(handle, Order.FORCE_STAGE, stage="appointment")
        assert "answered" in str(refused.value.cause)
        assert (await supervise(handle, Order.HANG_UP)).by == "carrier"
        result = await handle.result()
    assert (result.outcome, result.turns) == (Outcome.NO_ANSWER, [])


async def test_what_the_carrier_says_of_an_ordered_end_is_the_end(
    client: Client, house: House
) -> None:
    house.gateway = "gone"
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        await supervise(handle, Order.HANG_UP)
        result = await handle.result()  # no callback comes
    assert (result.carrier_status, house.ended) == ("completed", [CALL_SID])


# --- what must not stop or outlive a call -------------------------------------------------------------


async def test_a_script_that_only_the_workflow_refuses_fails_the_call_with_the_reason(
    client: Client,
) -> None:
    house = House(script_yaml="nonsense: [")
    async with house.open(client):
        handle = await start(client)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == contract.SCRIPT_REFUSED
    assert house.placed == []


async def test_a_call_is_not_given_up_while_the_carrier_cannot_be_told(
    environment: WorkflowEnvironment, client: Client
) -> None:
    class Away(House):
        is_away = True

        @activity.defn(name=contract.END_CALL)
        async def end_call(self, wanted: EndCarrierCall) -> EndedCall:
            if self.is_away:
                raise ApplicationError("HTTP 503")
            return await super().end_call(wanted)

    house = Away()
    async with house.open(client):
        handle = await answered(client, silence_timeout_s=60)
        await opening(handle)
        await environment.sleep(1800)
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
        house.is_away = False
        result = await handle.result()
    assert (result.carrier_status, house.ended) == ("completed", [CALL_SID])


@pytest.mark.parametrize("arguments", [[], [1, 2]])
async def test_a_signal_without_its_argument_stops_nothing(
    client: Client, house: House, arguments: list[object]
) -> None:
    async with house.open(client):
        handle = await answered(client)
        names = ("turn_completed", "carrier_status", "answered_by", "media_lost")
        for name in (*names, "recording_status"):
            await handle.signal(name, args=arguments)
        await opening(handle)
        result = await hang_up(handle)
    assert [record.seq for record in result.turns] == [1]


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("attach", "text"),
        ("attach", {"gateway_id": 1}),
        ("supervise", {"order": "nonsense"}),
        ("supervise", [1]),
        ("supervise", {"order": "hang_up", "stage": 5}),
        ("stream_ended", 7),
    ],
)
async def test_an_update_of_the_wrong_shape_is_refused_and_changes_nothing(
    client: Client, house: House, name: str, argument: object
) -> None:
    async with house.open(client):
        handle = await answered(client)
        await opening(handle)
        before = await snapshot(handle)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(name, argument)
        assert await snapshot(handle) == before
        await hang_up(handle)
