"""Calls told again from what Temporal kept of them are the calls that their workflows recorded, however these went."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter

from callspine.call_history import RecordedCall, read_call
from tests.core.scripts import SAMPLE
from tests.durable.house import (
    Handle,
    House,
    attach,
    opening,
    start,
    tell,
    turn,
    until,
)
from tests.replay import record
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import (
    CarrierStatus,
    MediaLost,
    SuperviseAnswer,
    SuperviseRequest,
    TurnHeard,
    TurnKind,
)
from workflows.retelling import OrderCarriedOut, Retelling, retell
from workflows.script.events import Order
from workflows.script.model import Outcome
from workflows.script.parse import parse_script
from workflows.telling_apart import differences

FILES = sorted(record.HISTORIES.glob("*.json"))


async def read(history: WorkflowHistory) -> RecordedCall:
    return await read_call(history, DataConverter.default)


def again(call: RecordedCall) -> Retelling:
    return retell(call.story, parse_script(call.script_yaml, name=call.call.script_id))


async def retold(handle: Handle) -> Retelling:
    """Told again, and found equal to both records of a finished call."""
    call = await read(await handle.fetch_history())
    telling = again(call)
    assert call.result is not None
    assert differences(telling, call.result) == []
    assert differences(telling, await handle.query(CallWorkflow.snapshot)) == []
    return telling


async def answered(client: Client) -> Handle:
    handle = await start(client)
    await until(handle, contract.PLACE_CALL)
    await tell(handle, CarrierStatus.IN_PROGRESS)
    await attach(handle)
    await opening(handle)
    return handle


async def ended(handle: Handle) -> None:
    await tell(handle, CarrierStatus.COMPLETED)
    await handle.result()


async def order(handle: Handle, kind: Order, **more: str) -> SuperviseAnswer:
    request = SuperviseRequest(order=kind, by="u1", **more)
    return await handle.execute_update(CallWorkflow.supervise, request)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_every_recorded_call_is_told_again_as_it_was(path: Path) -> None:
    text = await asyncio.to_thread(path.read_text, encoding="utf-8")
    call = await read(WorkflowHistory.from_json("call/recorded", text))
    assert call.result is not None
    telling = again(call)
    assert len(telling.decisions) == len(call.result.turns)
    assert differences(telling, call.result) == []


async def test_a_record_that_was_changed_is_found_out() -> None:
    """The witness that the test above can fail."""
    text = record.file_of("0.1.0", "appointment").read_text(encoding="utf-8")
    call = await read(WorkflowHistory.from_json("call/recorded", text))
    assert call.result is not None
    fewer = replace(call, story=replace(call.story, messages=call.story.messages[:-3]))
    assert differences(again(fewer), call.result)


@pytest.mark.parametrize(
    ("gateway", "carried_out_by", "stages"),
    [
        ("alive", ["gateway", "gateway"], ["permission", "pitch"]),
        ("refuses", ["nobody", "nobody"], ["permission"]),
        ("elsewhere", ["next stream", "carrier"], ["permission", "pitch", "handed_over"]),
        ("gone", ["next stream", "carrier"], ["permission", "pitch", "handed_over"]),
    ],
)
async def test_orders_are_told_again_whoever_carried_them_out(
    client: Client, house: House, gateway: str, carried_out_by: list[str], stages: list[str]
) -> None:
    house.gateway = gateway
    async with house.open(client):
        handle = await answered(client)
        first = await order(handle, Order.FORCE_STAGE, stage="pitch")
        if first.by == "gateway":
            await turn(
                handle, 2, kind=TurnKind.ORDER, order=Order.FORCE_STAGE, order_target="pitch"
            )
        second = await order(handle, Order.TAKE_OVER, number="+12125550111")
        await ended(handle)
        telling = await retold(handle)
    assert [first.by, second.by] == carried_out_by
    assert [decision.record.stage for decision in telling.decisions] == stages


@pytest.mark.parametrize("gateway", ["refuses", "elsewhere"])
async def test_orders_that_waited_for_each_other_are_told_in_their_order(
    client: Client, house: House, gateway: str
) -> None:
    house.gateway = gateway
    async with house.open(client):
        handle = await answered(client)
        # The server may take them in any order; those behind the hang-up meet the end of the call.
        answers = await asyncio.gather(
            order(handle, Order.FORCE_STAGE, stage="pitch"),
            order(handle, Order.FORCE_STAGE, stage="roof"),
            order(handle, Order.HANG_UP),
        )
        await ended(handle)
        telling = await retold(handle)
    done = [answer for answer in answers if answer.by != "nobody"]
    assert bool(done) == (gateway == "elsewhere")
    assert len(telling.decisions) == 1 + len(done)


@pytest.mark.parametrize("second", ["alive", "elsewhere"])
async def test_an_order_that_was_taken_and_not_told_of_before_another_stream_attached(
    client: Client, house: House, second: str
) -> None:
    async with house.open(client):
        handle = await answered(client)
        assert (await order(handle, Order.FORCE_STAGE, stage="pitch")).by == "gateway"
        house.gateway = second
        await attach(handle, nonce="n2")
        fields = {"kind": TurnKind.ORDER, "order": Order.FORCE_STAGE, "order_target": "pitch"}
        await turn(handle, 2, **fields)  # of the stream that is no more
        if second == "alive":
            await until_directives(house, 2)
            await turn(handle, 2, epoch=2, **fields)
        else:
            await until(handle, contract.RECONNECT_CALL)
            await turn(handle, 2, epoch=2, **fields)  # fenced off by the order itself
            attached = await attach(handle, nonce="n3")
            assert (attached.epoch, attached.state.stage) == (4, "pitch")
            await turn(handle, 3, epoch=4, kind=TurnKind.RESUME, before=None)
        await ended(handle)
        telling = await retold(handle)
        call = await read(await handle.fetch_history())
    by_the_book = [each for each in call.story.messages if isinstance(each, OrderCarriedOut)]
    assert len(by_the_book) == (second == "elsewhere")
    assert [decision.record.stage for decision in telling.decisions][:2] == ["permission", "pitch"]
    assert telling.ignored == {"stale": 1 + len(by_the_book)}


async def until_directives(house: House, count: int) -> None:
    async with asyncio.timeout(10):
        while len(house.directives) < count:
            await asyncio.sleep(0.02)


async def test_an_order_that_the_end_of_the_call_overtakes_is_none(
    client: Client, house: House
) -> None:
    house.gateway = "gone"
    async with house.open(client):
        handle = await answered(client)
        waiting = asyncio.create_task(order(handle, Order.HANG_UP))
        await until(handle, contract.CARRY_OUT_DIRECTIVE)
        lost = MediaLost(epoch=1, stream_sid="MZ1", clean=False)
        await handle.signal(CallWorkflow.media_lost, lost)
        await ended(handle)
        answer = await waiting
        telling = await retold(handle)
    assert (answer.by, answer.reason) == ("nobody", "the call is over")
    assert [decision.record.stage for decision in telling.decisions] == ["permission"]


async def test_a_telephone_that_was_made_to_stop_ringing_moved_no_script(
    client: Client, house: House
) -> None:
    house.ended_status = "canceled"
    async with house.open(client):
        handle = await start(client)
        await until(handle, contract.PLACE_CALL)
        await tell(handle, CarrierStatus.RINGING)
        assert (await order(handle, Order.HANG_UP)).by == "carrier"
        await handle.result()
        telling = await retold(handle)
    assert (telling.decisions, telling.epoch) == ([], 0)


async def test_an_order_after_the_stream_was_lost_and_before_the_next_one(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await answered(client)
        heard = TurnHeard(seq=1, heard_words="Hi", interrupted=True)
        await handle.signal(
            CallWorkflow.media_lost,
            MediaLost(epoch=1, stream_sid="MZ1", clean=False, heard=heard),
        )
        assert (await order(handle, Order.FORCE_STAGE, stage="roof")).by == "next stream"
        attached = await attach(handle, nonce="n2")
        await turn(handle, 2, move="permission_given")  # of the stream that was lost
        await turn(handle, 3, epoch=attached.epoch, kind=TurnKind.RESUME, before=None)
        await ended(handle)
        telling = await retold(handle)
    assert [decision.record.stage for decision in telling.decisions] == [
        "permission",
        "roof",
        "roof",
    ]
    assert telling.ignored == {"stale": 1}
    assert telling.decisions[0].record.heard_words == "Hi"


@pytest.mark.parametrize(("gateway", "turns"), [("refuses", 2), ("elsewhere", 3)])
async def test_a_directive_that_corrects_is_no_order(
    client: Client, house: House, gateway: str, turns: int
) -> None:
    house.gateway = gateway
    async with house.open(client):
        handle = await answered(client)
        await turn(handle, 2, move="permission_given", state_digest="another state")
        await until(handle, contract.CARRY_OUT_DIRECTIVE)
        await order(handle, Order.TRANSFER, number="+12125550111")
        await ended(handle)
        telling = await retold(handle)
        call = await read(await handle.fetch_history())
    assert len(telling.decisions) == turns
    by_the_book = [each for each in call.story.messages if isinstance(each, OrderCarriedOut)]
    assert len(by_the_book) == turns - 2


async def test_what_made_no_sense_or_came_late_is_told_again_too(
    client: Client, house: House
) -> None:
    house.model_fails = True
    async with house.open(client):
        handle = await start(client)
        await turn(handle, 1)  # before there is a script
        await until(handle, contract.PLACE_CALL)
        await attach(handle)
        await handle.signal("turn_completed", {"epoch": "one"})
        await handle.signal("turn_completed", ["a list"])
        await turn(handle, 3, move="owns", slots={"is_homeowner": "yes"})
        await opening(handle)
        await turn(handle, 2, move="permission_given")
        await turn(handle, 2, move="permission_given")
        lost = MediaLost(epoch=1, stream_sid="MZ1", clean=True)
        await handle.signal(CallWorkflow.media_lost, lost)
        await tell(handle, CarrierStatus.COMPLETED)
        await until(handle, contract.READ_CALL)
        await turn(handle, 4, move="roof_known", slots={"roof_type": "metal"})
        await handle.result()
        telling = await retold(handle)
    assert [decision.record.refusal for decision in telling.decisions] == [
        "",
        "",
        "",
        "the script is over",
    ]
    assert telling.ignored == {"repeated": 1}


async def test_a_call_that_was_looked_up_in_vain_and_one_that_nobody_took(
    client: Client, house: House
) -> None:
    house.look_up_fails = True
    async with house.open(client):
        handle = await answered(client)
        await ended(handle)
        telling = await retold(handle)
        assert telling.state.today
        unanswered = await start(client)
        await until(unanswered, contract.PLACE_CALL)
        await tell(unanswered, CarrierStatus.BUSY)
        await unanswered.result()
        nobody = await retold(unanswered)
    assert nobody.decisions == []
    assert nobody.state.today


async def test_opt_outs_that_no_turn_tells_of_are_told_again(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await attach(handle, nonce="n2")
        await turn(handle, 2, move="opt_out", before=None)  # of the stream that is no more
        await until(handle, contract.RECORD_DO_NOT_CALL)
        lost = MediaLost(
            epoch=1, stream_sid="MZ1", clean=False, heard=TurnHeard(seq=1, heard_words="Hi")
        )
        await handle.signal(CallWorkflow.media_lost, lost)
        await turn(handle, 2, epoch=2, kind=TurnKind.DTMF, digit="", before=None)
        await ended(handle)
        telling = await retold(handle)
    assert (telling.wants_no_calls, telling.is_opt_out_late) == (True, True)
    assert telling.ignored == {"stale": 1, "senseless": 1}
    assert [decision.record.heard_words for decision in telling.decisions] == ["Hi", ""]


async def test_an_opt_out_that_the_report_found_is_explained_by_it(
    client: Client, house: House
) -> None:
    house.post_call_outcome = "opted_out"
    async with house.open(client):
        handle = await answered(client)
        await turn(handle, 2, move="permission_given")
        await ended(handle)
        telling = await retold(handle)
        result = await handle.result()
    assert (result.outcome, telling.decided) == (Outcome.OPTED_OUT, None)


async def test_a_running_call_is_told_to_where_it_stands(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await answered(client)
        await turn(handle, 2, move="permission_given")
        while len((now := await handle.query(CallWorkflow.snapshot)).turns) < 2:
            pass  # the server keeps a signal back while a task is under way
        call = await read(await handle.fetch_history())
        telling = again(call)
        assert call.result is None
        assert differences(telling, now) == []
        await turn(handle, 3, move="owns", slots={"is_homeowner": "yes"})
        assert differences(telling, await handle.query(CallWorkflow.snapshot)) != []
        await ended(handle)
    assert telling.script_hash == SAMPLE.content_hash
