"""The gateway's door to Temporal, on a real server: in order, once, and never in the way of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from media_gateway.errors import AttachRefused, CallGone
from media_gateway.outbox import outbox
from media_gateway.signals import LONGEST_BODY_BYTES
from media_gateway.workflow_link import TemporalLink
from tests.durable.house import CALL_SID, House, start, until
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import (
    AfterStream,
    AnsweredBy,
    AttachRequest,
    CallInput,
    CarrierStatus,
    CarrierUpdate,
    Direction,
    MediaLost,
    NextStep,
    StreamEnded,
    TurnCompleted,
    TurnKind,
    call_workflow_id,
)

REQUEST = AttachRequest(gateway_id="g1", call_sid=CALL_SID, stream_sid="MZ1", nonce="n1")
OPENING = TurnCompleted(epoch=1, seq=1, kind=TurnKind.OPENING)


@pytest.fixture
def outbox_file(tmp_path: Path) -> Path:
    return tmp_path / "gateway-1.db"


@pytest.fixture
async def link(client: Client, outbox_file: Path) -> AsyncIterator[TemporalLink]:
    link = await TemporalLink.open(client, outbox_file)
    yield link
    await link.close()


async def test_a_call_through_the_link(client: Client, link: TemporalLink, house: House) -> None:
    async with house.open(client):
        handle = await start(client, call_id="c1")
        await until(handle, contract.PLACE_CALL)
        link.carrier_status(
            "c1", CarrierUpdate(call_sid=CALL_SID, status=CarrierStatus.IN_PROGRESS)
        )
        attached = await link.attach("c1", REQUEST)
        link.answered_by("c1", AnsweredBy(call_sid=CALL_SID, answered_by="human"))
        link.turn_completed("c1", OPENING)
        for seq in range(2, 22):  # a burst: all at once, delivered one after the other
            silence = TurnCompleted(epoch=attached.epoch, seq=seq, kind=TurnKind.DTMF, digit="5")
            link.turn_completed("c1", silence)
        assert await link.flush("c1", within_s=10)
        now = await handle.query(CallWorkflow.snapshot)
        assert [turn.seq for turn in now.turns] == list(range(1, 22))
        assert now.ignored_signals == 0
        assert now.answered_by == "human"
        for _ in range(2):  # the carrier may ask twice
            assert await link.stream_ended(
                "c1", StreamEnded(call_sid=CALL_SID, nonce="n1")
            ) == AfterStream(step=NextStep.RECONNECT)
        assert (await handle.query(CallWorkflow.snapshot)).resumes == 1
        after = await link.stream_ended("c1", StreamEnded(call_sid=CALL_SID, nonce="n1"))
        link.media_lost("c1", MediaLost(epoch=1, stream_sid="MZ1", clean=True))
        link.carrier_status("c1", CarrierUpdate(call_sid=CALL_SID, status=CarrierStatus.COMPLETED))
        assert await link.flush("c1", within_s=10)
        await handle.result()
    assert after.step is NextStep.RECONNECT


async def test_a_stream_that_the_call_does_not_want(
    client: Client, link: TemporalLink, house: House
) -> None:
    with pytest.raises(AttachRefused):
        await link.attach("nobody", REQUEST)
    async with house.open(client):
        handle = await start(client, call_id="c1")
        await until(handle, contract.PLACE_CALL)
        await link.attach("c1", REQUEST)
        with pytest.raises(AttachRefused):
            await link.attach("c1", REQUEST)
        with pytest.raises(AttachRefused):
            await link.attach("c1", replace(REQUEST, nonce="n2", call_sid="CA2"))
        await handle.terminate()


async def test_a_call_that_is_gone_costs_a_line_in_the_log(link: TemporalLink) -> None:
    for seq in range(1, 4):
        link.turn_completed("nobody", replace(OPENING, seq=seq))
    assert await link.flush("nobody", within_s=10)
    assert await link.flush("never heard of", within_s=0.1)
    assert link.depth == 0
    with pytest.raises(CallGone):
        await link.stream_ended("nobody", StreamEnded(call_sid=CALL_SID))


async def test_a_call_whose_workflow_was_ended_under_it_is_told_of_once_a_turn_was_to_be_told(
    client: Client, tmp_path: Path, house: House
) -> None:
    refused: list[str] = []
    link = await TemporalLink.open(client, tmp_path / "gone.db", refused.append)
    async with house.open(client):
        handle = await start(client, call_id="c1")
        await until(handle, contract.PLACE_CALL)
        await link.attach("c1", REQUEST)
        link.turn_completed("c1", OPENING)
        assert await link.flush("c1", within_s=10)
        assert refused == []
        await handle.terminate()
    link.carrier_status("c1", CarrierUpdate(call_sid=CALL_SID, status=CarrierStatus.COMPLETED))
    words = "please take me off your list"
    with capture_logs() as logs:
        link.turn_completed("c1", replace(OPENING, seq=2, caller_words=words))
        assert await link.flush("c1", within_s=10)
    assert refused == ["c1"]
    (line,) = [line for line in logs if line["log_level"] == "error"]
    assert (line["event"], line["call_id"], line["reason"]) == ("turn_not_told", "c1", "NOT_FOUND")
    assert "opt-out" in line["remedy"]
    assert "callspine call show c1" in line["remedy"]
    assert words not in str(logs)
    await link.close()


async def test_a_turn_too_long_for_a_signal_breaks_the_stream_off_and_the_next_one_goes_on(
    client: Client, outbox_file: Path, house: House
) -> None:
    refused: list[str] = []
    link = await TemporalLink.open(client, outbox_file, refused.append)
    async with house.open(client):
        handle = await start(client, call_id="c1")
        await until(handle, contract.PLACE_CALL)
        await link.attach("c1", REQUEST)
        link.turn_completed("c1", OPENING)
        said = TurnCompleted(epoch=1, seq=2, kind=TurnKind.REPLY, caller_words="x")
        link.turn_completed("c1", replace(said, caller_words="x" * LONGEST_BODY_BYTES))
        assert await link.flush("c1", within_s=10)
        assert refused == ["c1"]

        attached = await link.attach("c1", replace(REQUEST, stream_sid="MZ2", nonce="n2"))
        assert attached.next_seq == 2
        link.turn_completed("c1", replace(said, epoch=attached.epoch))
        assert await link.flush("c1", within_s=10)
        assert [t.seq for t in (await handle.query(CallWorkflow.snapshot)).turns] == [1, 2]
        await handle.terminate()
    await link.close()


async def test_a_turn_that_the_outbox_does_not_take_breaks_the_stream_off(
    client: Client, outbox_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    link = await TemporalLink.open(client, outbox_file, refused.append)
    monkeypatch.setattr(outbox, "MOST_OF_ALL", 0)
    link.turn_completed("full", OPENING)
    link.carrier_status("c1", CarrierUpdate(call_sid=CALL_SID, status=CarrierStatus.COMPLETED))
    assert refused == ["full"], "of a call whose turn is missing, and no other"
    monkeypatch.undo()
    await link.close()
    link.turn_completed("closed", OPENING)
    assert refused == ["full", "closed"]


async def test_the_same_incoming_call_twice(
    client: Client, link: TemporalLink, house: House
) -> None:
    call = CallInput(
        call_id="in-CA1", script_id="solar", to="+12125550100", direction=Direction.INBOUND
    )
    async with house.open(client):
        await link.start_inbound(call)
        await link.start_inbound(call)
        handle = client.get_workflow_handle(call_workflow_id("in-CA1"))
        described = await handle.describe()
        await handle.terminate()
    assert described.run_id


async def test_temporal_away_holds_nobody_up(
    environment: WorkflowEnvironment, house: House, outbox_file: Path
) -> None:
    link = await TemporalLink.open(environment.client, outbox_file)
    async with house.open(environment.client):
        handle = await start(environment.client, call_id="c1")
        await until(handle, contract.PLACE_CALL)
    await environment.shutdown()
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    link.turn_completed("c1", OPENING)
    assert loop.time() - began_s < 0.1
    assert not await link.flush("c1", within_s=0.3)
    with capture_logs() as logs:
        await link.close(within_s=0.2)
    (left,) = [line for line in logs if line["event"] == "outbox_left"]
    assert left["messages"] == 1
    assert not await link.flush("c1", within_s=0.1), (
        "it stays on disk, and nobody pretends otherwise"
    )
