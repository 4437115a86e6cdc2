"""The carrier's webhooks: signed or refused, and what each answers."""

from __future__ import annotations

import asyncio
from xml.etree import ElementTree

import httpx
import pytest
from starlette.datastructures import FormData
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator

from media_gateway.app import create_app
from media_gateway.ears.counts import EarCounts
from media_gateway.errors import CallGone, WorkflowAway
from media_gateway.signed_form import LONGEST_FORM_BYTES
from media_gateway.webhooks import MOST_WAITS
from tests.gateway.conftest import AUTH_TOKEN, Gateway
from tests.gateway.fakes import INBOUND_HASH
from workflows.contracts.payloads import (
    AfterStream,
    CallInput,
    CarrierStatus,
    CarrierUpdate,
    Direction,
    NextStep,
    RecordingStatus,
    RecordingUpdate,
    StreamEnded,
)

CALL = {"CallSid": "CA1", "AccountSid": "AC1", "From": "+12125550100", "To": "+12125550142"}
WEBHOOKS = ["voice", "status", "amd", "recording", "stream-status", "stream-end"]


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


async def _posted(gateway: Gateway, *headers: str, body: bytes = b"") -> str:
    """The status line that follows these headers and this part of a body, which may promise more than is sent."""
    host = gateway.url.removeprefix("http://")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    head = ["POST /twilio/status?call_id=c1 HTTP/1.1", f"Host: {host}", *headers, "", ""]
    try:
        writer.write("\r\n".join(head).encode("latin-1") + body)
        async with asyncio.timeout(5):
            return (await reader.readline()).decode().strip()
    finally:
        writer.close()


FORGED = "X-Twilio-Signature: AAAA"
FORM = "Content-Type: application/x-www-form-urlencoded"
LONG = b"%x\r\n" % (LONGEST_FORM_BYTES + 1) + b"x" * (LONGEST_FORM_BYTES + 1) + b"\r\n"


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ([FORM, "Content-Length: 1000000000"], b"", "signature missing"),
        ([FORM, FORGED, "Content-Length: 1000000000"], b"", "longer than any form of the carrier"),
        ([FORM, FORGED, "Transfer-Encoding: chunked"], LONG, "longer than any form of the carrier"),
        ([FORM, FORGED, "Content-Length: 2"], b"\xff\xfe", "not a form"),
        ([FORM, FORGED, "Content-Length: 1000"], b"&a=b" * 250, "signature does not match"),
        ([FORM, FORGED, "Content-Length: 4000"], b"&a=b" * 1000, "not a form"),
        ([FORM, "X-Twilio-Signature: \xe9", "Content-Length: 3"], b"a=b", "does not match"),
        (
            ["Content-Type: multipart/form-data; boundary=x", FORGED, "Content-Length: 9"],
            b"--x\r\nbrok",
            "not the carrier's kind of form",
        ),
        (["Content-Type: application/json", FORGED, "Content-Length: 2"], b"{}", "kind of form"),
    ],
)
async def test_whatever_a_stranger_posts_is_refused_and_not_read_to_its_end(
    gateway: Gateway, headers: list[str], body: bytes, reason: str
) -> None:
    with capture_logs() as logs:
        assert await _posted(gateway, *headers, body=body) == "HTTP/1.1 403 Forbidden"

    (refused,) = [entry for entry in logs if entry["event"] == "webhook_refused"]
    assert reason in refused["reason"]
    assert gateway.link.statuses == []


async def test_a_file_in_a_form_is_refused(gateway: Gateway) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            f"{gateway.url}/twilio/status?call_id=c1",
            files={"CallStatus": ("a.txt", b"completed")},
            headers={"X-Twilio-Signature": "AAAA"},
        )

    assert answer.status_code == 403


async def test_a_field_that_is_given_twice_counts_as_it_was_signed(gateway: Gateway) -> None:
    path, form = "/twilio/status?call_id=c1", {**CALL, "CallStatus": "ringing", "Odd": "é &="}

    assert (await gateway.post(path, form)).status_code == 204
    twice = FormData([*form.items(), ("Odd", "two")])
    signature = str(RequestValidator(AUTH_TOKEN).compute_signature(gateway.url + path, twice))
    async with httpx.AsyncClient() as http:
        answer = await http.post(
            gateway.url + path,
            data=form | {"Odd": ["é &=", "two"]},
            headers={"X-Twilio-Signature": signature},
        )
    assert answer.status_code == 204


async def test_the_voice_webhook_sends_the_audio_to_the_media_socket(gateway: Gateway) -> None:
    answer = await gateway.post("/twilio/voice?call_id=c1", {**CALL, "CallStatus": "in-progress"})

    root = ElementTree.fromstring(answer.text)
    connect = root.find("Connect")
    assert connect is not None
    stream = connect.find("Stream")
    assert stream is not None
    assert stream.get("url") == gateway.media_url
    parameters = {p.get("name"): p.get("value") or "" for p in stream.findall("Parameter")}
    assert parameters["call_id"] == "c1"
    nonce = gateway.tokens.nonce("c1", parameters["token"], now_s=0)
    assert nonce is not None
    ending = f"{gateway.url}/twilio/stream-end?call_id=c1&stream={nonce}"
    assert connect.get("action") == ending
    assert root[-1].tag == "Hangup"


async def test_a_call_that_comes_in_starts_a_workflow_of_its_own(gateway: Gateway) -> None:
    answer = await gateway.post("/twilio/voice", {**CALL, "CallStatus": "ringing"})

    assert answer.status_code == 200
    (call,) = gateway.link.inbound
    assert call.call_id == "in-CA1"
    assert call.direction is Direction.INBOUND
    assert call.from_ == CALL["From"]
    assert call.script_hash == INBOUND_HASH, "pinned to the script as it was when the call came in"


async def test_a_repeated_webhook_of_a_call_that_is_over_hangs_up(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def over(call: CallInput) -> None:
        raise CallGone("this call is over")

    monkeypatch.setattr(gateway.link, "start_inbound", over)

    answer = await gateway.post("/twilio/voice", {**CALL, "CallStatus": "ringing"})

    assert answer.status_code == 200
    assert [element.tag for element in ElementTree.fromstring(answer.text)] == ["Hangup"]


async def test_a_caller_is_told_when_no_workflow_can_be_started(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(call: CallInput) -> None:
        raise WorkflowAway("UNAVAILABLE")

    monkeypatch.setattr(gateway.link, "start_inbound", away)

    answer = await gateway.post("/twilio/voice", {**CALL, "CallStatus": "ringing"})

    assert [element.tag for element in ElementTree.fromstring(answer.text)] == ["Say", "Hangup"]


async def test_a_status_of_a_call_that_came_in_finds_its_workflow_by_the_carriers_id(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, CarrierUpdate]] = []
    monkeypatch.setattr(
        gateway.link, "carrier_status", lambda call_id, update: told.append((call_id, update))
    )

    await gateway.post("/twilio/voice", {**CALL, "CallStatus": "ringing"})
    form = {**CALL, "CallStatus": "completed", "CallDuration": "12"}
    answer = await gateway.post("/twilio/status", form)

    assert answer.status_code == 204
    ((call_id, update),) = told
    assert call_id == gateway.link.inbound[0].call_id
    assert (update.status, update.duration_s) == (CarrierStatus.COMPLETED, 12)


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


async def test_a_recordings_status_reaches_the_workflow_without_credentials(
    gateway: Gateway,
) -> None:
    form = {
        **CALL,
        "RecordingSid": "RE1",
        "RecordingStatus": "completed",
        "RecordingDuration": "41",
        "RecordingUrl": "https://AC1:secret@api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1?x=1",
    }
    answer = await gateway.post("/twilio/recording?call_id=c1", form)

    assert answer.status_code == 204
    assert gateway.link.recordings == [
        RecordingUpdate(
            call_sid="CA1",
            recording_sid="RE1",
            status=RecordingStatus.COMPLETED,
            duration_s=41,
            url="https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1",
        )
    ]


@pytest.mark.parametrize(
    "form",
    [
        {"RecordingSid": "RE1", "RecordingStatus": "exploded"},
        {"RecordingStatus": "completed"},
    ],
)
async def test_a_recordings_status_that_says_nothing_is_dropped(
    gateway: Gateway, form: dict[str, str]
) -> None:
    answer = await gateway.post("/twilio/recording?call_id=c1", CALL | form)

    assert answer.status_code == 204
    assert gateway.link.recordings == []


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", "https://[", "https://h/" + "x" * 500])
async def test_an_address_that_is_none_is_left_out(gateway: Gateway, url: str) -> None:
    form = {**CALL, "RecordingSid": "RE1", "RecordingStatus": "completed", "RecordingUrl": url}

    await gateway.post("/twilio/recording?call_id=c1", form)

    (update,) = gateway.link.recordings
    assert update.url == ""


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


async def test_the_workflow_is_told_which_stream_ended(gateway: Gateway) -> None:
    await gateway.post("/twilio/stream-end?call_id=c1&stream=n1", CALL)

    assert gateway.link.ended == [StreamEnded(call_sid="CA1", nonce="n1")]


async def test_a_caller_waits_while_the_workflow_cannot_be_asked_but_not_for_ever(
    gateway: Gateway,
) -> None:
    gateway.link.ending_fails = WorkflowAway("UNAVAILABLE")

    path, spoken = "/twilio/stream-end?call_id=c1&stream=n1", 0
    for _ in range(MOST_WAITS):
        root = ElementTree.fromstring((await gateway.post(path, CALL)).text)
        redirect = root.find("Redirect")
        assert redirect is not None
        assert root.find("Pause") is not None
        spoken += root.find("Say") is not None
        path = (redirect.text or "").removeprefix(gateway.url)
    last = ElementTree.fromstring((await gateway.post(path, CALL)).text)

    assert spoken == 1
    assert [element.tag for element in last] == ["Say", "Hangup"]


async def test_a_call_whose_script_ended_here_needs_no_workflow_to_hang_up(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(("goodbye", {}, []))
    line = await gateway.stream()
    await line.agent_done()
    gateway.recogniser.words.append("not interested bye")
    line.speak(300)
    await line.until(line.closed.is_set)
    await gateway.link.until_lost()
    gateway.link.ending_fails = WorkflowAway("UNAVAILABLE")

    answer = await gateway.post("/twilio/stream-end?call_id=call-1&stream=n1", CALL)

    assert [element.tag for element in ElementTree.fromstring(answer.text)] == ["Hangup"]


async def test_a_call_without_a_workflow_is_hung_up(gateway: Gateway) -> None:
    gateway.link.ending_fails = CallGone("terminated")

    answer = await gateway.post("/twilio/stream-end?call_id=c1&stream=n1", CALL)

    assert [element.tag for element in ElementTree.fromstring(answer.text)] == ["Hangup"]


async def test_health_needs_no_signature(gateway: Gateway) -> None:
    gateway.ears.counts.gaps = 3
    async with httpx.AsyncClient() as http:
        answer = await http.get(gateway.url + "/health")

    assert answer.json() == {
        "status": "ok",
        "gateway": "gateway-test",
        "calls": 0,
        "outbox": 0,
        "outbox_oldest_s": 0,
        "turns_answered": 0,
        "turns_taken_back": 0,
        "ahead_begun": 0,
        "ahead_committed": 0,
        "ahead_dropped": 0,
        "pauses_resumed": 0,
        "pauses_yielded": 0,
        "ahead_wasted_tokens": 0,
        **dict.fromkeys(EarCounts().as_fields(), 0),
        "ear_gaps": 3,
    }


async def test_the_ears_are_closed_with_the_gateway(gateway: Gateway) -> None:
    assert gateway.parts is not None
    app = create_app(gateway.parts)
    async with app.router.lifespan_context(app):
        assert not gateway.ears.is_closed
    assert gateway.ears.is_closed
