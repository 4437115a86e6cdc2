"""Dialling: once, never a number that must not be called, and a plain word on what is certain and what is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar
from urllib.parse import quote

from temporalio import activity

from activities.clients.crm_store import CrmStore
from activities.clients.twilio_rest import CarrierRefused, CarrierUnclear, TwilioCalls
from activities.errors import call_is_over, call_not_placed, call_unknown, later
from workflows.carrier_errors import DialProblem, meaning_of, of_refusal
from workflows.contracts.activities import (
    CONNECT_PERSON,
    END_CALL,
    FIND_CALL,
    PLACE_CALL,
    RECONNECT_CALL,
    START_RECORDING,
    STOP_RECORDING,
    ConnectPerson,
    EndCarrierCall,
    EndedCall,
    FindCall,
    FoundCall,
    PlaceCall,
    PlacedCall,
    ReconnectCall,
    StartedRecording,
    StartRecording,
    StopRecording,
)

T = TypeVar("T")
MachineDetection = Literal["Enable", "DetectMessageEnd"]

CLOCK_SKEW = timedelta(seconds=30)
"""Between our clock and the carrier's `date_created`, which has whole seconds."""


@dataclass(frozen=True, kw_only=True)
class DialPlan:
    """What every call is placed with."""

    public_url: str
    """Where the carrier reaches the gateway; no trailing slash."""
    caller_id: str
    detects_machines: bool = True
    machine_detection: MachineDetection = "Enable"
    """Tell of a machine as soon as it is heard, or only once its greeting is over."""


class DiallingActivities:
    """Blocking, in worker threads."""

    def __init__(self, calls: TwilioCalls, store: CrmStore, plan: DialPlan) -> None:
        self._calls = calls
        self._store = store
        self._plan = plan

    @activity.defn(name=PLACE_CALL)
    def place_call(self, wanted: PlaceCall) -> PlacedCall:
        """Raises ApplicationError of type CALL_NOT_PLACED or CALL_UNKNOWN; the workflow never tries twice."""
        # As late as can be: an opt-out may have come while this waited in its queue.
        if self._store.is_do_not_call(wanted.to):
            raise call_not_placed("the number is on the do-not-call list", DialProblem.DO_NOT_CALL)
        options: dict[str, object] = {
            "to": wanted.to,
            "from_": wanted.from_ or self._plan.caller_id,
            "url": self._webhook("voice", wanted.call_id),
            "method": "POST",
            # Asked when a webhook of the call cannot be had: one failure must not cost the call.
            "fallback_url": self._webhook("stream-end", wanted.call_id),
            "fallback_method": "POST",
            "status_callback": self._webhook("status", wanted.call_id),
            "status_callback_method": "POST",
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
            "timeout": wanted.ring_timeout_s,
            "time_limit": wanted.longest_call_s,
        }
        if self._plan.detects_machines:
            options |= {
                "machine_detection": self._plan.machine_detection,
                "async_amd": "true",
                "async_amd_status_callback": self._webhook("amd", wanted.call_id),
                "async_amd_status_callback_method": "POST",
            }
        try:
            return PlacedCall(call_sid=self._calls.create(**options))
        except CarrierRefused as error:
            meaning = meaning_of(error.code)
            raise call_not_placed(
                f"the carrier refused: {error}" + (f" ({meaning})" if meaning else ""),
                of_refusal(error.status, error.code),
                carrier_code=error.code,
                retry_after_s=error.retry_after_s,
            ) from error
        except CarrierUnclear as error:
            raise call_unknown(f"the carrier's answer was lost: {error}") from error

    @activity.defn(name=FIND_CALL)
    def find_call(self, wanted: FindCall) -> FoundCall:
        """Was it placed after all?"""
        found = _asked(
            lambda: self._calls.newest(
                to=wanted.to,
                from_=wanted.from_ or self._plan.caller_id,
                since=datetime.fromisoformat(wanted.since) - CLOCK_SKEW,
            )
        )
        return FoundCall(call_sid=found[0], status=found[1]) if found else FoundCall()

    @activity.defn(name=END_CALL)
    def end_call(self, wanted: EndCarrierCall) -> EndedCall:
        """Idempotent: a call that is over stays over."""
        status, duration_s = _asked(lambda: self._calls.end(wanted.call_sid))
        return EndedCall(status=status, duration_s=duration_s)

    @activity.defn(name=CONNECT_PERSON)
    def connect_person(self, wanted: ConnectPerson) -> None:
        """Repeated, it dials once more on the same line. Raises ApplicationError for a call that is over."""
        _asked(lambda: self._calls.connect(wanted.call_sid, wanted.number))

    @activity.defn(name=RECONNECT_CALL)
    def reconnect_call(self, wanted: ReconnectCall) -> None:
        """Idempotent in its end. Raises ApplicationError for a call that is over."""
        url = self._webhook("stream-end", wanted.call_id)
        _asked(lambda: self._calls.redirect(wanted.call_sid, url))

    @activity.defn(name=START_RECORDING)
    def start_recording(self, wanted: StartRecording) -> StartedRecording:
        """Idempotent for a call. Raises ApplicationError for a call that is over."""
        url = self._webhook("recording", wanted.call_id)
        return StartedRecording(
            recording_sid=_asked(lambda: self._calls.record(wanted.call_sid, callback_url=url))
        )

    @activity.defn(name=STOP_RECORDING)
    def stop_recording(self, wanted: StopRecording) -> None:
        """Idempotent, and fine for a call that is over."""
        _asked(lambda: self._calls.stop_recordings(wanted.call_sid))

    def _webhook(self, name: str, call_id: str) -> str:
        return f"{self._plan.public_url}/twilio/{name}?call_id={quote(call_id, safe='')}"


def _asked(ask: Callable[[], T]) -> T:
    """What the carrier answers to anything but a dial. A limit of requests says when to try again; a dead call, never."""
    try:
        return ask()
    except CarrierRefused as error:
        if error.is_rate_limit and error.retry_after_s:
            raise later(f"the carrier refused: {error}", error.retry_after_s) from error
        if error.is_over:
            raise call_is_over(f"the carrier refused: {error}") from error
        raise
