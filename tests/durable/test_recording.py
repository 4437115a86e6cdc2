"""A call's recording in its workflow: asked for after consent, stopped for good, and on record."""

from __future__ import annotations

import asyncio

import pytest
from temporalio import activity
from temporalio.client import Client

from tests.core.scripts import RECORDED
from tests.durable.house import (
    CALL_SID,
    RECORDING_SID,
    Handle,
    House,
    attach,
    opening,
    start,
    tell,
    turn,
    until,
)
from workflows import policies
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import (
    CallRecording,
    CallResult,
    CarrierStatus,
    MediaLost,
    RecordingStatus,
    RecordingUpdate,
    TurnHeard,
    TurnKind,
)
from workflows.recording import NOT_BEGUN
from workflows.script.compiled import STOP_RECORDING_MOVE
from workflows.script.model import Outcome

URL = f"https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/{RECORDING_SID}"
ASKED = TurnHeard(seq=1, lines_heard=["disclosure.opening", "consent.opening"])


@pytest.fixture
def house() -> House:
    return House(script_yaml=RECORDED)


async def asked(client: Client) -> Handle:
    handle = await start(client)
    await until(handle, contract.PLACE_CALL)
    await tell(handle, CarrierStatus.IN_PROGRESS)
    await attach(handle)
    await opening(handle)
    return handle


async def agreed(client: Client) -> Handle:
    handle = await asked(client)
    await turn(handle, 2, move="agrees", before=ASKED)
    await until(handle, contract.START_RECORDING)
    return handle


async def recording(
    handle: Handle, status: RecordingStatus, sid: str = RECORDING_SID, **more: object
) -> None:
    update = RecordingUpdate(call_sid=CALL_SID, recording_sid=sid, status=status, **more)  # type: ignore[arg-type]
    await handle.signal(CallWorkflow.recording_status, update)


async def over(handle: Handle) -> CallResult:
    await handle.signal(CallWorkflow.media_lost, MediaLost(epoch=1, stream_sid="MZ1", clean=True))
    await tell(handle, CarrierStatus.COMPLETED, duration_s=60)
    return await handle.result()


async def told_by(handle: Handle) -> CallRecording | None:
    return (await handle.query(CallWorkflow.snapshot)).recording


async def test_a_yes_records_the_call_and_the_row_says_where(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await agreed(client)
        await recording(handle, RecordingStatus.IN_PROGRESS)
        assert await told_by(handle) == CallRecording(
            recording_sid=RECORDING_SID, status="in-progress"
        )
        await turn(handle, 3, move="done")
        await recording(handle, RecordingStatus.COMPLETED, duration_s=41, url=URL)
        result = await over(handle)
    assert [wanted.call_sid for wanted in house.recorded] == [CALL_SID]
    assert house.unrecorded == []
    assert result.recording == CallRecording(
        recording_sid=RECORDING_SID, status="completed", duration_s=41, url=URL
    )
    (row,) = house.rows
    assert (row.recording_sid, row.recording_url) == (RECORDING_SID, URL)


async def test_a_no_records_nothing(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await asked(client)
        await turn(handle, 2, move="refuses", before=ASKED)
        await turn(handle, 3, move="done")
        result = await over(handle)
    assert house.recorded == []
    assert result.recording is None
    assert (house.rows[0].recording_sid, house.rows[0].recording_url) == ("", "")


async def test_a_yes_to_half_a_question_records_nothing(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await asked(client)
        disclosed = TurnHeard(seq=1, lines_heard=["disclosure.opening"], interrupted=True)
        await turn(handle, 2, move="agrees", before=disclosed)
        result = await over(handle)
    assert house.recorded == []
    assert result.recording is None


@pytest.mark.parametrize("no", [STOP_RECORDING_MOVE, "opt_out"])
async def test_a_no_in_mid_call_stops_it(client: Client, house: House, no: str) -> None:
    async with house.open(client):
        handle = await agreed(client)
        await turn(handle, 3, move=no)
        await until(handle, contract.STOP_RECORDING)
        await recording(handle, RecordingStatus.COMPLETED, duration_s=5, url=URL)
        # Another yes begins nothing.
        await turn(handle, 4, move="agrees")
        result = await over(handle)
    assert [wanted.call_sid for wanted in house.unrecorded] == [CALL_SID]
    assert len(house.recorded) == 1
    assert result.recording is not None
    assert result.recording.withdrawn
    assert (result.outcome is Outcome.OPTED_OUT) == (no == "opt_out")


async def test_a_no_while_it_is_being_started_stops_it_all_the_same(client: Client) -> None:
    class Slow(House):
        may_start = asyncio.Event()

        @activity.defn(name=contract.START_RECORDING)
        async def start_recording(
            self, wanted: contract.StartRecording
        ) -> contract.StartedRecording:
            self.recorded.append(wanted)
            await self.may_start.wait()
            return contract.StartedRecording(recording_sid=RECORDING_SID)

    house = Slow(script_yaml=RECORDED)
    async with house.open(client):
        handle = await agreed(client)
        await turn(handle, 3, move=STOP_RECORDING_MOVE)
        house.may_start.set()
        await until(handle, contract.STOP_RECORDING)
        await recording(handle, RecordingStatus.COMPLETED, duration_s=1, url=URL)
        result = await over(handle)
    assert result.recording is not None
    assert result.recording.withdrawn


async def test_a_start_whose_answer_was_lost_is_stopped_too(client: Client, house: House) -> None:
    house.recording_fails = True
    async with house.open(client):
        handle = await agreed(client)
        await turn(handle, 3, move=STOP_RECORDING_MOVE)
        await until(handle, contract.STOP_RECORDING)
        result = await over(handle)
    assert result.recording == CallRecording(recording_sid="", failure=NOT_BEGUN)
    assert house.rows[0].recording_sid == ""


async def test_a_carrier_that_never_tells_of_the_end_does_not_hold_the_call(
    client: Client, house: House
) -> None:
    async with house.open(client):
        handle = await agreed(client)
        await turn(handle, 3, move="done")
        result = await over(handle)
        timers = [
            event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            async for event in handle.fetch_history_events()
            if event.HasField("timer_started_event_attributes")
        ]
    assert result.recording is not None
    assert (result.recording.recording_sid, result.recording.url) == (RECORDING_SID, "")
    assert timers[-1] == policies.RECORDING_TOLD_WITHIN


async def test_callbacks_come_twice_and_out_of_order(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await agreed(client)
        await recording(handle, RecordingStatus.COMPLETED, duration_s=41, url=URL)
        await recording(handle, RecordingStatus.IN_PROGRESS)
        await recording(handle, RecordingStatus.COMPLETED, duration_s=41, url=URL)
        await recording(handle, RecordingStatus.COMPLETED, sid="RE2", duration_s=1)
        result = await over(handle)
    assert result.recording == CallRecording(
        recording_sid=RECORDING_SID, status="completed", duration_s=41, url=URL
    )


async def test_a_gateway_change_does_not_start_it_again(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await agreed(client)
        await handle.signal(
            CallWorkflow.media_lost, MediaLost(epoch=1, stream_sid="MZ1", clean=False)
        )
        attached = await attach(handle, nonce="n2")
        assert attached.state.recording == "agreed"
        await turn(handle, 3, epoch=2, kind=TurnKind.RESUME, before=None)
        await recording(handle, RecordingStatus.ABSENT)
        await handle.signal(
            CallWorkflow.media_lost, MediaLost(epoch=2, stream_sid="MZ2", clean=True)
        )
        await tell(handle, CarrierStatus.COMPLETED)
        result = await handle.result()
    assert len(house.recorded) == 1
    assert result.recording is not None
    assert result.recording.status == "absent"
