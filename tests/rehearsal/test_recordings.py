"""The carrier's stand-in records as the real one is documented to: from the request on, and told of by signed callbacks."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import numpy as np
import pytest
from twilio.base.exceptions import TwilioRestException

from activities.clients.twilio_rest import CarrierRefused
from rehearsal.carrier.record import Witness
from rehearsal.carrier.recordings import CallRecordings, RecordingRequest
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


async def line_ms(line: Rehearsal, call_sid: str) -> int:
    async with httpx.AsyncClient() as http:
        calls = (await http.get(f"{line.url}/witness")).json()
    return int(next(call["line_ms"] for call in calls if call["call_sid"] == call_sid))


async def pass_on(line: Rehearsal, call_sid: str, ms: int) -> int:
    """Until the line has been open for so long more; returns since when, in all."""
    began_ms = await line_ms(line, call_sid)
    async with asyncio.timeout(20):
        while await line_ms(line, call_sid) < began_ms + ms:
            await asyncio.sleep(0.02)
    return began_ms + ms


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
        before_ms = await pass_on(line, sid, 300)
        recording_sid = await recorded(line, sid)
        await pass_on(line, sid, 400)
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
    assert 0 < frames <= whole - before_ms * 8, "nothing from before the request"
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
        await pass_on(line, sid, 100)
        await asyncio.to_thread(line.calls.stop_recordings, sid)
        stopped_ms = await line_ms(line, sid)
        await until(lambda: statuses(line) == ["in-progress", "completed"])
        await asyncio.to_thread(line.calls.stop_recordings, sid)
        await pass_on(line, sid, 200)
        await ended(line, sid)
    with wave.open(str(line.out / sid / f"{recording_sid}.wav")) as file:
        assert 0 < file.getnframes() <= stopped_ms * 8
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


async def test_the_current_recording_has_a_name_and_is_paused_and_resumed(
    rehearsal: Opened,
) -> None:
    async with rehearsal() as line:
        sid = await answered(line)
        client = line.calls._client.calls(sid).recordings
        await asyncio.to_thread(client.create)
        current = client("Twilio.CURRENT")
        await asyncio.to_thread(current.update, status="paused", pause_behavior="skip")
        await asyncio.to_thread(current.update, status="in-progress")
        with pytest.raises(TwilioRestException):
            await asyncio.to_thread(current.update, status="loud")
        await ended(line, sid)
        (one,) = await asyncio.to_thread(client.list)
    assert (one.status, one.channels) == ("completed", 1)
    changes = [s["status"] for s in line.witness(sid) if s["kind"] == "recording_changed"]
    assert changes == ["paused", "in-progress"]


ABOUT = {"AccountSid": "AC1", "CallSid": "CA1", "ApiUrl": "http://carrier"}
LOUD = b"\x10" * 160


@pytest.fixture
def told_of() -> list[dict[str, str]]:
    return []


@pytest.fixture
def recordings(tmp_path: Path, told_of: list[dict[str, str]]) -> Iterator[CallRecordings]:
    """Of a call without a line."""
    witness = Witness(tmp_path)

    def tell(_: str, form: dict[str, str]) -> None:
        told_of.append(form)

    yield CallRecordings(tmp_path, witness, tell, ABOUT)
    witness.close()


@pytest.mark.parametrize(("skips", "frames"), [(True, 3), (False, 5)])
async def test_a_pause_is_silence_or_left_out(
    recordings: CallRecordings, skips: bool, frames: int
) -> None:
    recording = recordings.start(RecordingRequest(channels=2))
    recordings.add(LOUD, LOUD)
    await recordings.change(recording, "paused", skips_pause=skips)
    recordings.add(LOUD, LOUD)
    recordings.add(LOUD, LOUD)
    await recordings.change(recording, "in-progress", skips_pause=skips)
    recordings.add(LOUD, LOUD)
    recordings.add(LOUD, LOUD)
    await recordings.close()
    recordings.add(LOUD, LOUD)
    with wave.open(str(recording.path)) as file:
        assert file.getnframes() == frames * 160


async def test_nothing_recorded_is_told_as_absent(
    recordings: CallRecordings, told_of: list[dict[str, str]]
) -> None:
    events = ("in-progress", "completed", "absent")
    recording = recordings.start(RecordingRequest(callback="http://c/r", events=events))
    await recordings.close()
    assert [form["RecordingStatus"] for form in told_of] == ["in-progress", "absent"]
    assert not recording.path.exists()


async def test_only_what_was_asked_for_is_told(
    recordings: CallRecordings, told_of: list[dict[str, str]]
) -> None:
    recordings.start(RecordingRequest(callback="http://c/r"))
    recordings.add(LOUD, LOUD)
    await recordings.close()
    assert [form["RecordingStatus"] for form in told_of] == ["completed"]


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


async def verdict_of(line: Rehearsal) -> str:
    await until(lambda: "amd" in [path for path, _ in line.customer.forms])
    return next(form["AnsweredBy"] for path, form in line.customer.forms if path == "amd")


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
            verdict = await verdict_of(line)
            await ended(line, sid)
            seen[kind] = verdict
    assert seen == {"Enable": "machine_start", "DetectMessageEnd": "machine_end_beep"}


async def test_a_call_that_fails_tells_its_sip_code(rehearsal: Opened) -> None:
    async with rehearsal(answers="failed", sip_code=503) as line:
        sid = await line.place()
        await line.over(sid)
    end = line.customer.forms[-1][1]
    assert (end["CallStatus"], end["SipResponseCode"]) == ("failed", "503")
