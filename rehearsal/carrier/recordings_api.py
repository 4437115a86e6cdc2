"""The carrier's Recordings resource: start, list, fetch, pause and stop those of a call, and fetch the sound."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from rehearsal.carrier.api import Account, Of, paged, refusal
from rehearsal.carrier.recordings import EVENTS, LIVE, Recording, RecordingRequest, Status

router = APIRouter()
_ACCOUNT = "/2010-04-01/Accounts/{account_sid}"
_RECORDINGS = f"{_ACCOUNT}/Calls/{{call_sid}}/Recordings"
_CHANNELS: dict[str, Literal[1, 2]] = {"": 1, "mono": 1, "dual": 2}
_CHANGES: dict[str, Status] = {
    "paused": "paused",
    "in-progress": "in-progress",
    "stopped": "stopped",
}


@router.post(f"{_RECORDINGS}.json", status_code=201)
async def start(call_sid: str, request: Request, account: Account, of: Of) -> Response:
    """Record a live call from now on."""
    call = of.calls.get(call_sid)
    if call is None:
        return refusal(404, 20404, "The requested resource was not found")
    form = await request.form()
    channels = str(form.get("RecordingChannels", ""))
    trim = str(form.get("Trim", "do-not-trim"))
    # Twilio takes the parameter repeated, or with spaces in between.
    asked = " ".join(str(event) for event in form.getlist("RecordingStatusCallbackEvent")).split()
    if channels not in _CHANNELS or trim not in ("do-not-trim", "trim-silence"):
        return refusal(400, 20001, "RecordingChannels is mono or dual, Trim a known way to trim.")
    if set(asked) - set(EVENTS):
        return refusal(400, 20001, f"RecordingStatusCallbackEvent is one of {', '.join(EVENTS)}.")
    if call.status != "in-progress":
        return refusal(400, 21220, "Requested resource is not eligible for recording")
    recording = call.recordings.start(
        RecordingRequest(
            channels=_CHANNELS[channels],
            callback=str(form.get("RecordingStatusCallback", "")),
            events=tuple(asked) or ("completed",),
        )
    )
    return JSONResponse(_resource(recording, account, call_sid), 201)


@router.get(f"{_RECORDINGS}.json")
async def list_recordings(call_sid: str, request: Request, account: Account, of: Of) -> Response:
    """Newest first."""
    call = of.calls.get(call_sid)
    if call is None:
        return refusal(404, 20404, "The requested resource was not found")
    found = [_resource(one, account, call_sid) for one in reversed(call.recordings.all)]
    return JSONResponse(paged("recordings", found, request))


@router.get(f"{_RECORDINGS}/{{sid}}.json")
async def fetch(call_sid: str, sid: str, account: Account, of: Of) -> Response:
    """One recording."""
    call = of.calls.get(call_sid)
    recording = call.recordings.find(sid) if call is not None else None
    if recording is None:
        return refusal(404, 20404, "The requested resource was not found")
    return JSONResponse(_resource(recording, account, call_sid))


@router.post(f"{_RECORDINGS}/{{sid}}.json")
async def change(call_sid: str, sid: str, request: Request, account: Account, of: Of) -> Response:
    """Pause, resume or stop one that runs."""
    call = of.calls.get(call_sid)
    recording = call.recordings.find(sid) if call is not None else None
    if call is None or recording is None:
        return refusal(404, 20404, "The requested resource was not found")
    form = await request.form()
    status = _CHANGES.get(str(form.get("Status", "")))
    if status is None:
        return refusal(400, 20001, "Status is paused, in-progress or stopped.")
    if recording.status not in LIVE:
        return refusal(400, 21220, "Recording is not in-progress. Cannot update.")
    skips = str(form.get("PauseBehavior", "silence")) == "skip"
    await call.recordings.change(recording, status, skips_pause=skips)
    # The answer tells what was ordered; that the file is there is told by the callback.
    return JSONResponse(_resource(recording, account, call_sid) | {"status": status})


@router.get(f"{_ACCOUNT}/Recordings/{{sid}}.wav")
async def sound(sid: str, account: Account, of: Of) -> Response:
    """The file, once there is one."""
    for call in of.calls.values():
        recording = call.recordings.find(sid)
        if recording is not None and recording.status == "completed":
            return FileResponse(recording.path, media_type="audio/x-wav")
    return refusal(404, 20404, "The requested resource was not found")


def _resource(recording: Recording, account: str, call_sid: str) -> dict[str, Any]:
    is_done = recording.status not in LIVE
    return {
        "sid": recording.sid,
        "account_sid": account,
        "call_sid": call_sid,
        "status": recording.status,
        "date_created": recording.created,
        "start_time": recording.created,
        "duration": str(recording.duration_s) if is_done else None,
        "channels": recording.request.channels,
        "source": "StartCallRecordingAPI",
        "track": "both",
        "error_code": None,
        "uri": f"/2010-04-01/Accounts/{account}/Calls/{call_sid}/Recordings/{recording.sid}.json",
    }
