"""The carrier's stand-in, driven by the carrier's own client: REST, TwiML, webhooks, media streams."""

from __future__ import annotations

import asyncio
import base64
import wave
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from activities.clients.twilio_rest import CarrierRefused, TwilioCalls
from rehearsal.carrier.call import UNRULY_WEBHOOKS
from tests.line import ACCOUNT, TOKEN, Rehearsal, until

Opened = Callable[..., AbstractAsyncContextManager[Rehearsal]]
STREAM = """<Response><Connect action="HOST/after"><Stream url="WS/media" statusCallback="HOST/stream">
<Parameter name="call_id" value="c1"/></Stream></Connect></Response>"""


async def test_a_call_rings_follows_its_twiml_and_ends(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        line.customer.answers = {
            "voice": "<Response><Say>one two</Say><Redirect>HOST/more</Redirect></Response>",
            "more": '<Response><Pause length="0.1"/><Hangup/></Response>',
        }
        sid = await line.place(
            machine_detection="Enable",
            async_amd="true",
            async_amd_status_callback=f"{line.customer.url}/amd",
        )
        await line.over(sid)
    assert line.customer.statuses() == ["initiated", "ringing", "in-progress", "completed"]
    sequence = [f["SequenceNumber"] for path, f in line.customer.forms if path == "status"]
    assert sequence == ["0", "1", "2", "3"]
    assert line.customer.unsigned == []
    paths = [path for path, _ in line.customer.forms if path not in ("status", "amd")]
    assert paths == ["voice", "more"]
    with wave.open(str(line.out / sid / "call.wav")) as recording:
        assert (recording.getnchannels(), recording.getframerate()) == (2, 8000)
        assert recording.getnframes() >= 0.2 * 8000


@pytest.mark.parametrize(("answers", "status"), [("busy", "busy"), ("no", "no-answer")])
async def test_nobody_answers(rehearsal: Opened, answers: str, status: str) -> None:
    async with rehearsal(answers=answers) as line:
        sid = await line.place(timeout=1)
        await line.over(sid)
    assert line.customer.statuses()[-1] == status
    assert [path for path, _ in line.customer.forms if path == "voice"] == []


async def test_a_stream_carries_audio_keys_and_marks(rehearsal: Opened) -> None:
    steps = [{"say": ["one two three"], "press": "9", "hang_up": True, "interrupt_after_ms": 0}]
    async with rehearsal(steps=steps) as line:
        loud = base64.b64encode(b"\x10" * 1600).decode()
        line.customer.answers = {"voice": STREAM}
        line.customer.to_send = [
            {"event": "media", "media": {"payload": loud}},
            {"event": "mark", "mark": {"name": "after 200 ms"}},
        ]
        sid = await line.place()
        await line.over(sid)
    first, second, *_ = line.customer.messages
    assert first == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert second["start"]["customParameters"] == {"call_id": "c1"}
    assert second["start"]["mediaFormat"]["encoding"] == "audio/x-mulaw"
    numbers = [int(message["sequenceNumber"]) for message in line.customer.messages[1:]]
    assert numbers == list(range(1, len(numbers) + 1))
    times = [int(message["media"]["timestamp"]) for message in line.customer.events("media")]
    assert times == list(range(0, 20 * len(times), 20))
    assert [m["mark"]["name"] for m in line.customer.events("mark")] == ["after 200 ms"]
    assert [m["dtmf"]["digit"] for m in line.customer.events("dtmf")] == ["9"]
    assert len(line.customer.events("stop")) == 1
    told = [form["StreamEvent"] for path, form in line.customer.forms if path == "stream"]
    assert told == ["stream-started", "stream-stopped"]


async def test_clear_tells_every_mark_and_is_on_record(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        long = base64.b64encode(b"\x10" * 80_000).decode()
        line.customer.answers = {"voice": STREAM}
        line.customer.to_send = [
            {"event": "media", "media": {"payload": long}},
            {"event": "mark", "mark": {"name": "a"}},
            {"event": "clear"},
        ]
        sid = await line.place()
        await until(lambda: line.customer.events("mark"))
        await asyncio.to_thread(line.calls.end, sid)
        await line.over(sid)
    (clear,) = [seen for seen in line.witness(sid) if seen["kind"] == "clear"]
    assert clear["dropped_ms"] > 9000
    (mark,) = [seen for seen in line.witness(sid) if seen["kind"] == "mark"]
    assert mark["why"] == "cleared"


async def test_with_the_fault_clear_is_ignored(rehearsal: Opened) -> None:
    async with rehearsal(fault="ignore-clear") as line:
        line.customer.answers = {"voice": STREAM}
        payload = base64.b64encode(b"\x10" * 8000).decode()
        line.customer.to_send = [
            {"event": "media", "media": {"payload": payload}},
            {"event": "mark", "mark": {"name": "a"}},
            {"event": "clear"},
        ]
        sid = await line.place()
        await until(lambda: line.customer.events("mark"))
        await asyncio.to_thread(line.calls.end, sid)
        await line.over(sid)
    (mark,) = [seen for seen in line.witness(sid) if seen["kind"] == "mark"]
    assert mark["why"] == "played"


async def test_nonsense_on_the_stream_is_dropped_and_on_record(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        line.customer.answers = {"voice": STREAM}
        line.customer.to_send = [
            {"event": "media", "media": {"payload": "?"}},
            {"event": "shout"},
            {"event": "mark"},
            {"event": "clear", "streamSid": "another"},
            {"event": "mark", "mark": {"name": "fine"}},
        ]
        sid = await line.place()
        await until(lambda: line.customer.events("mark"))
        await asyncio.to_thread(line.calls.end, sid)
        await line.over(sid)
    assert len([seen for seen in line.witness(sid) if seen["kind"] == "warning"]) == 4


async def test_a_live_call_is_redirected(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        line.customer.answers = {"voice": STREAM, "other": "<Response><Hangup/></Response>"}
        sid = await line.place()
        await until(lambda: line.customer.events("start"))
        update = f"{line.url}/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json"
        async with httpx.AsyncClient(auth=(ACCOUNT, TOKEN)) as http:
            inline = '<Response><Pause length="0.2"/><Redirect>HOST/other</Redirect></Response>'
            answer = await http.post(
                update, data={"Twiml": inline.replace("HOST", line.customer.url)}
            )
            assert answer.status_code == 200
            await line.over(sid)
            assert (await http.post(update, data={"Twiml": inline})).json()["code"] == 21220
    assert len(line.customer.events("stop")) == 1
    paths = [path for path, _ in line.customer.forms if path not in ("status", "stream")]
    assert paths == ["voice", "other"], "the action of a redirected <Connect> is not asked for"


async def test_a_call_that_rings_is_cancelled(rehearsal: Opened) -> None:
    async with rehearsal(answer_after_ms=9000) as line:
        sid = await line.place()
        await until(lambda: "ringing" in line.customer.statuses())
        status, _ = await asyncio.to_thread(line.calls.end, sid)
        await line.over(sid)
        again, duration_s = await asyncio.to_thread(line.calls.end, sid)
    assert status == "canceled"
    assert (again, duration_s) == ("canceled", None)


async def test_the_longest_call_is_the_carriers_business_too(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        line.customer.answers = {"voice": '<Response><Pause length="60"/></Response>'}
        sid = await line.place(time_limit=1)
        await line.over(sid)
        status, duration_s = await asyncio.to_thread(line.calls.end, sid)
    assert (status, duration_s) == ("completed", 1)


async def test_somebody_dials_in(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        line.customer.answers = {"voice": STREAM, "after": "<Response><Hangup/></Response>"}
        number = {"to": "+12125550100", "from_": "+12125550142"}
        urls = {
            "voice_url": f"{line.customer.url}/voice",
            "status_callback": f"{line.customer.url}/status",
        }
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{line.url}/witness/incoming", json=number | urls)
        sid = answer.json()["call_sid"]
        await until(lambda: line.customer.events("start"))
        await asyncio.to_thread(line.calls.end, sid)
        await line.over(sid)
    (form,) = [form for path, form in line.customer.forms if path == "voice"]
    assert (form["Direction"], form["From"]) == ("inbound", "+12125550142")


async def test_calls_are_found_by_their_numbers(rehearsal: Opened) -> None:
    async with rehearsal(answers="busy") as line:
        sid = await line.place()
        await line.over(sid)
        now = datetime.now(UTC)
        find = line.calls.newest
        numbers = {"to": "+12125550142", "from_": "+12125550100"}
        found = await asyncio.to_thread(find, **numbers, since=now - timedelta(minutes=1))
        late = await asyncio.to_thread(find, **numbers, since=now + timedelta(minutes=1))
        other = await asyncio.to_thread(
            find, to="+13105550100", from_="+12125550100", since=now - timedelta(minutes=1)
        )
    assert found == (sid, "busy")
    assert late is None
    assert other is None


async def test_wrong_requests_get_the_carriers_errors(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        for options, code in (
            ({"to": "12125550142"}, 21211),
            ({"from_": "anonymous"}, 21212),
            ({"url": ""}, 21205),
        ):
            with pytest.raises(CarrierRefused) as refused:
                await line.place(**options)
            assert refused.value.code == code
        stranger = TwilioCalls(account_sid=ACCOUNT, auth_token="wrong", base_url=line.url)
        with pytest.raises(CarrierRefused, match="401"):
            await asyncio.to_thread(stranger.end, "CA1")
        with pytest.raises(CarrierRefused) as refused:
            await asyncio.to_thread(line.calls.end, "CA1")
        assert refused.value.code == 20404


async def test_an_answer_that_is_no_twiml_ends_the_call(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        line.customer.answers = {"voice": "sorry?"}
        sid = await line.place()
        await line.over(sid)
    assert "twiml_failed" in [seen["kind"] for seen in line.witness(sid)]


async def test_unruly_webhooks_come_twice_and_the_call_goes_on_all_the_same(
    rehearsal: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rehearsal.carrier.webhooks.UNRULY_MOST_S", 0.3)
    async with rehearsal(fault=UNRULY_WEBHOOKS) as line:
        line.customer.answers = {"voice": '<Response><Pause length="0.1"/><Hangup/></Response>'}
        sid = await line.place()
        await line.over(sid)
        await until(lambda: len(line.customer.statuses()) == 8)
    assert [path for path, _ in line.customer.forms].count("voice") == 2
    sequence = [f["SequenceNumber"] for path, f in line.customer.forms if path == "status"]
    assert sorted(sequence) == ["0", "0", "1", "1", "2", "2", "3", "3"]
    assert sequence != sorted(sequence)


async def test_a_document_that_cannot_be_had_is_had_from_the_fallback_url(
    rehearsal: Opened,
) -> None:
    async with rehearsal() as line:
        line.customer.answers = {
            "voice": "<Response><Redirect>http://127.0.0.1:1/gone</Redirect></Response>",
            "fallback": '<Response><Pause length="0.1"/><Hangup/></Response>',
        }
        sid = await line.place(fallback_url=f"{line.customer.url}/fallback")
        await line.over(sid)
    (asked,) = [form for path, form in line.customer.forms if path == "fallback"]
    assert (asked["ErrorCode"], asked["ErrorUrl"]) == ("11200", "http://127.0.0.1:1/gone")
    # A connection that cannot be made is tried once more.
    assert [e["path"] for e in line.witness(sid) if e["kind"] == "webhook_retried"] == ["/gone"]


async def test_without_a_fallback_url_the_call_is_over(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        line.customer.answers = {
            "voice": "<Response><Redirect>http://127.0.0.1:1/gone</Redirect></Response>"
        }
        sid = await line.place()
        await line.over(sid)
    assert line.customer.statuses()[-1] == "completed"
    assert [e["kind"] for e in line.witness(sid)].count("twiml_failed") == 1
