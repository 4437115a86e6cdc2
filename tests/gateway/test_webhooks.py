"""The carrier's webhooks: signed or refused, and what each answers."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.gateway.conftest import Gateway
from tests.gateway.fakes import INBOUND_HASH
from workflows.contracts.payloads import AfterStream, CarrierStatus, Direction, NextStep

CALL = {"CallSid": "CA1", "AccountSid": "AC1", "From": "+12125550100", "To": "+12125550142"}
WEBHOOKS = ["voice", "status", "amd", "stream-status", "stream-end"]


@pytest.mark.parametrize("name", WEBHOOKS)
async def test_an_unsigned_webhook_is_refused(gateway: Gateway, name: str) -> None:
    answer = await gateway.post(f"/twilio/{name}?call_id=c1", CALL, signature="")

    assert answer.status_code == 403


@pytest.mark.parametrize("name", WEBHOOKS)
async def test_a_webhook_signed_for_another_form_is_refused(gateway: Gateway, name: str) -> None:
    path = f"/twilio/{name}?call_id=c1"
    stolen = gateway.signature(gateway.url + path, CALL)

    answer = await gateway.post(path, {**CALL, "CallSid": "CA2"}, signature=stolen)

    assert answer.status_code == 403
    assert gateway.link.statuses == []
    assert gateway.link.verdicts == []


async def test_a_webhook_signed_for_another_query_is_refused(gateway: Gateway) -> None:
    stolen = gateway.signature(gateway.url + "/twilio/status?call_id=c1", CALL)

    answer = await gateway.post("/twilio/status?call_id=c2", CALL, signature=stolen)

    assert answer.status_code == 403


async def test_the_voice_webhook_sends_the_audio_to_the_media_socket(gateway: Gateway) -> None:
    answer = await gateway.post("/twilio/voice?call_id=c1", {**CALL, "CallStatus": "in-progress"})

    root = ElementTree.fromstring(answer.text)
    connect = root.find("Connect")
    assert connect is not None
    assert connect.get("action") == f"{gateway.url}/twilio/stream-end?call_id=c1"
    stream = connect.find("Stream")
    assert stream is not None
    assert stream.get("url") == gateway.media_url
    parameters = {p.get("name"): p.get("value") or "" for p in stream.findall("Parameter")}
    assert parameters["call_id"] == "c1"
    assert gateway.tokens.nonce("c1", parameters["token"], now_s=0) is not None
    assert root[-1].tag == "Hangup"


async def test_a_call_that_comes_in_starts_a_workflow_of_its_own(gateway: Gateway) -> None:
    answer = await gateway.post("/twilio/voice", {**CALL, "CallStatus": "ringing"})

    assert answer.status_code == 200
    (call,) = gateway.link.inbound
    assert call.call_id == "in-CA1"
    assert call.direction is Direction.INBOUND
    assert call.from_ == CALL["From"]
    assert call.script_hash == INBOUND_HASH, "pinned to the script as it was when the call came in"


async def test_a_status_reaches_the_workflow(gateway: Gateway) -> None:
    form = {**CALL, "CallStatus": "completed", "SequenceNumber": "3", "CallDuration": "61"}

    answer = await gateway.post("/twilio/status?call_id=c1", form)

    assert answer.status_code == 204
    (update,) = gateway.link.statuses
    assert update.status is CarrierStatus.COMPLETED
    assert (update.sequence, update.duration_s) == (3, 61)


async def test_an_unknown_status_is_dropped(gateway: Gateway) -> None:
    answer = await gateway.post("/twilio/status?call_id=c1", {**CALL, "CallStatus": "exploded"})

    assert answer.status_code == 204
    assert gateway.link.statuses == []


async def test_the_machine_verdict_reaches_the_workflow(gateway: Gateway) -> None:
    form = {**CALL, "AnsweredBy": "machine_start", "MachineDetectionDuration": "2100"}

    await gateway.post("/twilio/amd?call_id=c1", form)

    (verdict,) = gateway.link.verdicts
    assert (verdict.answered_by, verdict.detection_ms) == ("machine_start", 2100)


@pytest.mark.parametrize(
    ("after", "tags"),
    [
        (AfterStream(step=NextStep.HANG_UP), ["Hangup"]),
        (AfterStream(step=NextStep.RECONNECT), ["Connect", "Hangup"]),
        (AfterStream(step=NextStep.DIAL, number="+12125550199"), ["Dial"]),
        (AfterStream(step=NextStep.APOLOGISE, text="Sorry."), ["Say", "Hangup"]),
    ],
)
async def test_what_follows_a_stream_is_what_the_workflow_says(
    gateway: Gateway, after: AfterStream, tags: list[str]
) -> None:
    gateway.link.after = after

    answer = await gateway.post("/twilio/stream-end?call_id=c1", CALL)

    assert [element.tag for element in ElementTree.fromstring(answer.text)] == tags


async def test_health_needs_no_signature(gateway: Gateway) -> None:
    import httpx

    async with httpx.AsyncClient() as http:
        answer = await http.get(gateway.url + "/health")

    assert answer.json() == {"status": "ok", "gateway": "gateway-test"}
