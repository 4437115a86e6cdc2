"""The carrier's webhooks: voice, status, AMD, recording, stream status and end. Signed or refused; each answers at once.

No rule lives here: a webhook is a signal to the call's workflow, or asks it what the carrier is to do.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Response
from starlette.datastructures import FormData

from media_gateway.errors import CallGone, WorkflowAway
from media_gateway.signed_form import Form, Parts
from media_gateway.twilio import twiml
from workflows.contracts.payloads import (
    AnsweredBy,
    CallInput,
    CarrierStatus,
    CarrierUpdate,
    Direction,
    RecordingStatus,
    RecordingUpdate,
    StreamEnded,
)

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/twilio")

_DONE = Response(status_code=204)
LONGEST_URL = 500
MOST_WAITS = 15
"""Times that a caller is asked to wait while the workflow cannot be asked: a minute and a half in all."""
SORRY = "We are sorry, we cannot take your call right now. Please call again later."
LOST = "We are sorry, there is a problem on our side. We will call you another time. Goodbye."


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def _number(form: FormData, name: str) -> int | None:
    text = _text(form, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _plain_url(text: str) -> str:
    """An address without credentials, query or fragment; empty for what is none."""
    try:
        url = urlsplit(text)
        port = f":{url.port}" if url.port else ""
    except ValueError:
        return ""
    if url.scheme not in ("https", "http") or not url.hostname or len(text) > LONGEST_URL:
        return ""
    return f"{url.scheme}://{url.hostname}{port}{url.path}"


def _inbound_id(call_sid: str) -> str:
    """The call id of a call that came in: the carrier's own, so that every webhook of it finds the same workflow."""
    return f"in-{call_sid}"


def _xml(text: str) -> Response:
    return Response(text, media_type="text/xml")


@router.post("/voice")
async def voice(form: Form, parts: Parts, call_id: str = "") -> Response:
    """A call was answered (ours) or came in: send its audio to the media socket."""
    call_sid = _text(form, "CallSid")
    if not call_id:
        call_id = _inbound_id(call_sid)
        call = CallInput(
            call_id=call_id,
            script_id=parts.inbound_script,
            to=_text(form, "To"),
            from_=_text(form, "From"),
            direction=Direction.INBOUND,
            call_sid=call_sid,
            script_hash=await asyncio.to_thread(parts.inbound_script_hash),
            most_resumes=parts.most_resumes,
        )
        try:
            await parts.link.start_inbound(call)
        except WorkflowAway as error:
            log.error("inbound_not_started", call_sid=call_sid, reason=str(error))
            return _xml(twiml.apologise(SORRY))
        except CallGone:
            return _xml(twiml.hang_up())
    token = parts.tokens.issue(call_id, now_s=time.time())
    log.info("call_answered", call_id=call_id, call_sid=call_sid)
    return _xml(twiml.connect_stream(parts.public_url, call_id, token))


@router.post("/status")
async def status(form: Form, parts: Parts, call_id: str = "") -> Response:
    """A call progress event. Those of a call that came in are the number's, and carry no id of ours."""
    call_id = call_id or _inbound_id(_text(form, "CallSid"))
    text = _text(form, "CallStatus")
    if text not in set(CarrierStatus):
        log.warning("carrier_status_unknown", call_id=call_id, status=text[:40])
        return _DONE
    sequence = _number(form, "SequenceNumber")
    update = CarrierUpdate(
        call_sid=_text(form, "CallSid"),
        status=CarrierStatus(text),
        sequence=-1 if sequence is None else sequence,
        duration_s=_number(form, "CallDuration"),
        sip_code=_number(form, "SipResponseCode"),
    )
    parts.link.carrier_status(call_id, update)
    return _DONE


@router.post("/amd")
async def amd(form: Form, parts: Parts, call_id: str) -> Response:
    """The verdict of asynchronous answering machine detection."""
    verdict = AnsweredBy(
        call_sid=_text(form, "CallSid"),
        answered_by=_text(form, "AnsweredBy"),
        detection_ms=_number(form, "MachineDetectionDuration") or 0,
    )
    parts.link.answered_by(call_id, verdict)
    return _DONE


@router.post("/recording")
async def recording(form: Form, parts: Parts, call_id: str) -> Response:
    """A recording began, is there to be fetched, or came to nothing."""
    text, sid = _text(form, "RecordingStatus"), _text(form, "RecordingSid")
    if text not in set(RecordingStatus) or not sid:
        log.warning("recording_status_unknown", call_id=call_id, status=text[:40])
        return _DONE
    update = RecordingUpdate(
        call_sid=_text(form, "CallSid"),
        recording_sid=sid[:64],
        status=RecordingStatus(text),
        duration_s=_number(form, "RecordingDuration"),
        url=_plain_url(_text(form, "RecordingUrl")),
        error_code=_number(form, "ErrorCode") or 0,
    )
    log.info("recording_status", call_id=call_id, status=text, error_code=update.error_code)
    parts.link.recording_status(call_id, update)
    return _DONE


@router.post("/stream-status")
async def stream_status(form: Form, call_id: str) -> Response:
    """The carrier's view of a media stream; the socket itself tells us more and sooner."""
    event = _text(form, "StreamEvent")
    if event == "stream-error":
        log.warning("stream_error", call_id=call_id, error=_text(form, "StreamError")[:200])
    else:
        log.info("stream_status", call_id=call_id, stream_event=event[:40])
    return _DONE


@router.post("/stream-end")
async def stream_end(
    form: Form, parts: Parts, call_id: str, stream: str = "", waited: int = 0
) -> Response:
    """`<Connect>` is over: the workflow says whether to hang up, reconnect, or dial a person."""
    # The last turn must be in the workflow before it is asked whether the script is over.
    await parts.link.flush(call_id, within_s=3.0)
    try:
        after = await parts.link.stream_ended(
            call_id, StreamEnded(call_sid=_text(form, "CallSid"), nonce=stream)
        )
    except CallGone as error:
        log.warning("stream_end_of_no_call", call_id=call_id, reason=str(error))
        return _xml(twiml.hang_up())
    except WorkflowAway as error:
        log.error("stream_end_unanswered", call_id=call_id, reason=str(error), waited=waited)
        if (ending := parts.sessions.ending_of(call_id)) is not None:
            # The script ended here; the workflow will hear of it when it is back.
            return _xml(twiml.after_stream(parts.public_url, call_id, ending, token=""))
        if waited >= MOST_WAITS:
            return _xml(twiml.apologise(LOST))
        return _xml(twiml.wait(parts.public_url, call_id, stream, waited=waited + 1))
    log.info("stream_ended", call_id=call_id, step=after.step.value)
    token = parts.tokens.issue(call_id, now_s=time.time())
    return _xml(twiml.after_stream(parts.public_url, call_id, after, token))
