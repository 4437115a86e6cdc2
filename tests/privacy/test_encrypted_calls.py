"""Whole calls under encryption: what Temporal holds of them, and who can still read and replay them."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Replayer

from callspine.connect import data_converter
from callspine.privacy.keys import new_key
from media_gateway.errors import AttachRefused, WorkflowAway
from media_gateway.workflow_link import TemporalLink
from tests.durable.house import CALL_SID, House, start, until
from tests.privacy.histories import ENCRYPTED, PLAIN, client_with, readable, said, settings
from tests.replay.record import CALLS
from workflows.call import CallWorkflow
from workflows.contracts.activities import PLACE_CALL
from workflows.contracts.payloads import AttachRequest, CallResult, StreamEnded
from workflows.search_attributes import CALL_OUTCOME, SCRIPT_ID

Handle = WorkflowHandle[CallWorkflow, CallResult]


async def whole_call(client: Client, house: House, changes: dict[str, str]) -> Handle:
    """A call that sells, to its end."""
    seeing = client_with(client, data_converter(settings(**changes)))
    async with house.open(seeing):
        handle = await CALLS["appointment"](seeing, house)
        await handle.result()
    return handle


async def refused_script(client: Client, house: House, changes: dict[str, str]) -> Handle:
    """A call that fails with a reason."""
    house.script_refusal = "line 7: a secret objection"
    seeing = client_with(client, data_converter(settings(**changes)))
    async with house.open(seeing):
        handle = await start(seeing)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    cause = failed.value.cause
    assert isinstance(cause, ActivityError)
    assert isinstance(cause.cause, ApplicationError)
    assert "a secret objection" in str(cause.cause.message)
    return handle


async def replay(history: WorkflowHistory, changes: dict[str, str]) -> None:
    converter = data_converter(settings(**changes))
    await Replayer(workflows=[CallWorkflow], data_converter=converter).replay_workflow(history)


async def test_a_plain_history_holds_every_word(client: Client, house: House) -> None:
    """The witness that the tests below look where words would be."""
    handle = await whole_call(client, house, PLAIN)
    text = readable(await handle.fetch_history())
    assert [words for words in said(await handle.result()) if words not in text] == []
    failed = await refused_script(client, house, PLAIN)
    assert "a secret objection" in readable(await failed.fetch_history())


async def test_an_encrypted_history_holds_no_word(client: Client, house: House) -> None:
    handle = await whole_call(client, house, ENCRYPTED)
    text = readable(await handle.fetch_history())
    words = said(await handle.result())
    assert len(words) > 10
    assert [word for word in words if word in text] == []
    assert "+12125550142" not in text


async def test_failures_are_encrypted(client: Client, house: House) -> None:
    handle = await refused_script(client, house, ENCRYPTED)
    text = readable(await handle.fetch_history())
    assert "a secret objection" not in text
    assert ".py" not in text, "a stack trace shows"
    assert "Encoded failure" in text


@pytest.mark.parametrize("changes", [PLAIN, ENCRYPTED], ids=["plain", "encrypted"])
async def test_why_a_dial_was_refused_comes_through(
    client: Client, house: House, changes: dict[str, str]
) -> None:
    house.dial = "limited"
    seeing = client_with(client, data_converter(settings(**changes)))
    async with house.open(seeing):
        result = await (await start(seeing)).result()
    assert (result.problem, result.carrier_code, result.retry_after_s) == (
        "rate_limited",
        20429,
        7.5,
    )


async def test_search_attributes_stay_readable(client: Client, house: House) -> None:
    handle = await whole_call(client, house, ENCRYPTED)
    found = (await client.get_workflow_handle(handle.id).describe()).typed_search_attributes
    assert found[CALL_OUTCOME] == "appointment"
    assert found[SCRIPT_ID] == "solar"


async def test_an_encrypted_call_replays_with_its_key_only(client: Client, house: House) -> None:
    handle = await whole_call(client, house, ENCRYPTED)
    history = await handle.fetch_history()
    await replay(history, ENCRYPTED)
    rotated = {"codec_keys": f"{new_key('k2')},{ENCRYPTED['codec_keys']}"}
    await replay(history, rotated)
    with pytest.raises(RuntimeError, match="add k1:<its key> to CALLSPINE_CODEC_KEYS"):
        await replay(history, {"codec_keys": new_key("k2")})
    with pytest.raises(RuntimeError, match="holds another key under this id"):
        await replay(history, {"codec_keys": new_key("k1")})


@pytest.mark.parametrize("gateways", [PLAIN, ENCRYPTED])
async def test_a_gateway_that_lacks_the_workers_key_takes_no_call_and_says_what_to_do(
    client: Client, house: House, tmp_path: Path, gateways: dict[str, str]
) -> None:
    workers = {"codec_keys": f"{new_key('k2')},{ENCRYPTED['codec_keys']}"}
    seeing = client_with(client, data_converter(settings(**workers)))
    lacking = client_with(client, data_converter(settings(**gateways)))
    link = await TemporalLink.open(lacking, tmp_path / "outbox.db")
    request = AttachRequest(gateway_id="g1", call_sid=CALL_SID, stream_sid="MZ1", nonce="n1")
    async with house.open(seeing):
        handle = await start(seeing, call_id="c1")
        await until(handle, PLACE_CALL)
        with capture_logs() as logs:
            with pytest.raises(AttachRefused, match="cannot be read"):
                await link.attach("c1", request)
            with pytest.raises(WorkflowAway, match="cannot be read"):
                await link.stream_ended("c1", StreamEnded(call_sid=CALL_SID, nonce="n1"))
        await handle.terminate()
    lines = [line for line in logs if line["event"] == "answer_not_read"]
    assert [line["update"] for line in lines] == ["attach", "stream_ended"]
    assert all("CALLSPINE_CODEC_KEYS" in line["remedy"] for line in lines)
    await link.close()


async def test_a_cluster_that_switches_encryption_on_still_reads_what_came_before(
    client: Client, house: House
) -> None:
    handle = await whole_call(client, house, PLAIN)
    await replay(await handle.fetch_history(), ENCRYPTED)
