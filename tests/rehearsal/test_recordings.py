"""The carrier's stand-in records as the real one is documented to: from the request on, and told of by signed callbacks."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import httpx
import numpy as np
import pytest
from twilio.base.exceptions import TwilioRestException

from activities.clients.twilio_rest import CarrierRefused
from tests.line import ACCOUNT, TOKEN, Rehearsal, until

Opened = Callable[..., AbstractAsyncContextManager[Rehearsal]]
TALK = '<Response><Say>one two three four</Say><Pause length="60"/></Response>'


async def answered(line: Rehearsal, **options: object) -> str:
    line.customer.answers = {"voice": TALK}
    sid = await line.place(**options)
    await until(lambda: "in-progress" in line.customer.statuses())
    return sid


async def recorded(line: Rehearsal, call_sid: str) -> str:
    url = f"{line.customer.url}/recording"
    return await asyncio.to_thread(line.calls.record, call_sid, callback_url=url)


async def ended(line: Rehearsal, call_sid: str) -> None:
    await asyncio.to_thread(line.calls.end, call_sid)
    await line.over(call_sid)


def told(line: Rehearsal) -> list[dict[str, str]]:
    return [form for path, form in line.customer.forms if path == "recording"]


def statuses(line: Rehearsal) -> list[str]:
    return [form["RecordingStatus"] for form in told(line)]


def resource(line: Rehearsal, call_sid: str, name: str) -> str:
    return f"{line.url}/2010-04-01/Accounts/{ACCOUNT}/Calls/{call_sid}/Recordings{name}.json"


async def test_it_is_two_channels_from_the_request_to_the_end_of_the_call(
    rehearsal: Opened,
) -> None:
    async with rehearsal() as line:
        sid = await answered(line)
        await until(lambda: [s for s in line.witness(sid) if s["kind"] == "twiml"])
        await asyncio.sleep(0.3)
        recording_sid = await recorded(line, sid)
        await asyncio.sleep(0.4)
        await ended(line, sid)
        await until(lambda: statuses(line) == ["in-progress", "completed"])
        url = f"{line.url}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{recording_sid}.wav"
        async with httpx.AsyncClient() as http:
            assert (await http.get(url)).status_code == 401
            sound = (await http.get(url, auth=(ACCOUNT, TOKEN))).content
    assert line.customer.unsigned == []
    begun, done = told(line)
    assert (begun["RecordingSid"], begun["CallSid"]) == (recording_sid, sid)
    assert done["RecordingUrl"].endswith(f"/Recordings/{recording_sid}")
    assert (done["RecordingChannels"], done["RecordingSource"]) == ("2", "StartCallRecordingAPI")
    assert "RecordingDuration" not in begun
    with wave.open(io.BytesIO(sound)) as file:
        assert file.getnchannels() == 2
        frames = file.getnframes()
        both = np.frombuffer(file.readframes(frames), dtype=np.int16).reshape(-1, 2)
    with wave.open(str(line.out / sid / "call.wav")) as file:
        whole = file.getnframes()
        call = np.frombuffer(file.readframes(whole), dtype=np.int16).reshape(-1, 2)
    assert 0.3 * 8000 <= frames <= whole - 0.25 * 8000, "nothing from before the request"
    # It is the line's own sound, the end of it.
    assert np.array_equal(both, call[-len(both) :])


async def test_a_second_request_gives_the_same_recording(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        sid = await answered(line)
        assert await recorded(line, sid) == await recorded(line, sid)
        await ended(line, sid)
        await until(lambda: "completed" in statuses(line))
    assert statuses(line) == ["in-progress", "completed"]


async def test_a_stopped_recording_holds_nothing_of_what_follows(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        sid = await answered(line)
        recording_sid = await recorded(line, sid)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(line.calls.stop_recordings, sid)
        await until(lambda: statuses(line) == ["in-progress", "completed"])
        await asyncio.to_thread(line.calls.stop_recordings, sid)
        await asyncio.sleep(0.5)
        await ended(line, sid)
    with wave.open(str(line.out / sid / f"{recording_sid}.wav")) as file:
        assert file.getnframes() < 0.45 * 8000
    assert statuses(line) == ["in-progress", "completed"]


async def test_a_call_that_is_not_in_progress_cannot_be_recorded(rehearsal: Opened) -> None:
    async with rehearsal(answer_after_ms=9000) as line:
        sid = await line.place()
        await until(lambda: "ringing" in line.customer.statuses())
        with pytest.raises(CarrierRefused) as refused:
            await recorded(line, sid)
        await ended(line, sid)
    assert refused.value.code == 21220
    assert refused.value.is_over


async def test_pauses_are_silence_or_left_out_and_the_current_one_has_a_name(
    rehearsal: Opened,
) -> None:
    async with rehearsal() as line:
        sid = await answered(line)
        client = line.calls._client.calls(sid).recordings
        await asyncio.to_thread(client.create)
        current = client("Twilio.CURRENT")
        await asyncio.to_thread(current.update, status="paused", pause_behavior="skip")
        at_pause = len(line.witness(sid))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(current.update, status="in-progress")
        with pytest.raises(TwilioRestException):
            await asyncio.to_thread(current.update, status="loud")
        await ended(line, sid)
        (one,) = await asyncio.to_thread(client.list)
    assert at_pause
    assert (one.status, one.channels) == ("completed", 1)
    changes = [s["status"] for s in line.witness(sid) if s["kind"] == "recording_changed"]
    assert changes == ["paused", "in-progress"]


async def test_nothing_recorded_is_told_as_absent(rehearsal: Opened) -> None:
    async with rehearsal() as line:
        sid = await answered(line)
        callbacks = {
            "recording_status_callback": f"{line.customer.url}/recording",
            "recording_status_callback_event": ["completed", "absent"],
        }
        recordings = line.calls._client.calls(sid).recordings
        begun = await asyncio.to_thread(recordings.create, **callbacks)
        first = recordings(begun.sid)
        await asyncio.to_thread(first.update, status="paused", pause_behavior="skip")
        await ended(line, sid)
        await until(lambda: statuses(line))
    assert statuses(line)[0] in ("absent", "completed")


async def test_wrong_requests_are_refused(rehearsal: Opened) -> None:
    async with rehearsal() as line, httpx.AsyncClient(auth=(ACCOUNT, TOKEN)) as http:
        sid = await answered(line)
        start = resource(line, sid, "")
        for form in ({"RecordingChannels": "five"}, {"RecordingStatusCallbackEvent": "begun"}):
            assert (await http.post(start, data=form)).status_code == 400
        nobody = resource(line, "CA0", "")
        assert (await http.post(nobody)).json()["code"] == 20404
        assert (await http.get(resource(line, sid, "/RE0"))).json()["code"] == 20404
        await ended(line, sid)


async def test_a_machine_is_told_of_when_its_greeting_is_over_if_that_was_asked(
    rehearsal: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rehearsal.carrier.call.GREETING_MS", 300)
    monkeypatch.setattr("rehearsal.carrier.call.AMD_MS", 100)
    seen = {}
    for kind in ("Enable", "DetectMessageEnd"):
        async with rehearsal(answered_by="machine_start") as line:
            sid = await answered(
                line,
                machine_detection=kind,
                async_amd="true",
                async_amd_status_callback=f"{line.customer.url}/amd",
            )
            await until(lambda line=line: [p for p, _ in line.customer.forms if p == "amd"])
            await ended(line, sid)
            (seen[kind],) = [f["AnsweredBy"] for p, f in line.customer.forms if p == "amd"]
    assert seen == {"Enable": "machine_start", "DetectMessageEnd": "machine_end_beep"}


async def test_a_call_that_fails_tells_its_sip_code(rehearsal: Opened) -> None:
    async with rehearsal(answers="failed", sip_code=503) as line:
        sid = await line.place()
        await line.over(sid)
    end = line.customer.forms[-1][1]
    assert (end["CallStatus"], end["SipResponseCode"]) == ("failed", "503")
