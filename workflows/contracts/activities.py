"""PURE. What activities take and give, and their names: workflows call them by name and know no implementation."""

from __future__ import annotations

from dataclasses import dataclass, field

from workflows.script.model import SlotValue

LOAD_SCRIPT = "load_script"
LOOK_UP_CALLEE = "look_up_callee"
PLACE_CALL = "place_call"
FIND_CALL = "find_call"
END_CALL = "end_call"
CONNECT_PERSON = "connect_person"
RECONNECT_CALL = "reconnect_call"
START_RECORDING = "start_recording"
STOP_RECORDING = "stop_recording"
CARRY_OUT_DIRECTIVE = "carry_out_directive"
"""Runs in the gateway that carries the call's audio, on its own task queue."""
READ_CALL = "read_call"
WRITE_OUTCOME = "write_outcome"
RECORD_DO_NOT_CALL = "record_do_not_call"

# --- types of ApplicationError that a workflow tells apart ------------------------------------

SCRIPT_REFUSED = "ScriptRefused"
"""The script does not exist, is not sound, or is not the one that was asked for."""
CALL_NOT_PLACED = "CallNotPlaced"
"""The carrier said no, or the number may not be called: certainly no call was placed. Its detail is a `NotPlaced`."""
CALL_UNKNOWN = "CallUnknown"
"""The carrier's answer was lost: a call may or may not have been placed."""
CALL_IS_OVER = "CallIsOver"
"""The carrier has no such live call any more."""
RATE_LIMITED = "RateLimited"
"""The carrier wants to be left alone for a while; the activity is tried again after it."""


@dataclass(frozen=True, kw_only=True)
class LoadScript:
    """Read a script by its name."""

    script_id: str
    script_hash: str = ""
    """When given, the content must have this hash."""


@dataclass(frozen=True, kw_only=True)
class LoadedScript:
    """A script that was found sound."""

    yaml: str
    content_hash: str


@dataclass(frozen=True, kw_only=True)
class LookUpCallee:
    """Who is at this number, and what day is it there."""

    phone: str
    time_zone: str


@dataclass(frozen=True, kw_only=True)
class Callee:
    """What is known of a person before the call."""

    today: str
    """ISO date there. Computed outside the workflow: time zone data changes under a replay."""
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PlaceCall:
    """Dial once."""

    call_id: str
    to: str
    from_: str
    """Empty: the settings' own number."""
    ring_timeout_s: int
    longest_call_s: int


@dataclass(frozen=True, kw_only=True)
class PlacedCall:
    """The carrier has the call."""

    call_sid: str


@dataclass(frozen=True, kw_only=True)
class NotPlaced:
    """Detail of a CALL_NOT_PLACED error."""

    problem: str = ""
    """A value of `workflows.carrier_errors.DialProblem`."""
    carrier_code: int = 0
    """The carrier's own error code; 0 where it gave none, or was not asked."""
    retry_after_s: float = 0.0
    """How long the carrier wants to be left alone; 0 where it did not say."""


@dataclass(frozen=True, kw_only=True)
class FindCall:
    """Was a call placed whose answer was lost? The newest to and from these numbers since then."""

    to: str
    from_: str
    since: str
    """ISO 8601 with zone."""


@dataclass(frozen=True, kw_only=True)
class FoundCall:
    """Empty when the carrier knows of none."""

    call_sid: str = ""
    status: str = ""


@dataclass(frozen=True, kw_only=True)
class EndCarrierCall:
    """Make sure that a call is over."""

    call_sid: str


@dataclass(frozen=True, kw_only=True)
class ConnectPerson:
    """Take a live call from whatever it does and connect the caller to this number."""

    call_sid: str
    number: str
    """E.164."""


@dataclass(frozen=True, kw_only=True)
class ReconnectCall:
    """Take a live call from whatever it does and have the carrier ask anew where to go on."""

    call_id: str
    call_sid: str


@dataclass(frozen=True, kw_only=True)
class StartRecording:
    """Record a live call from now on."""

    call_id: str
    call_sid: str


@dataclass(frozen=True, kw_only=True)
class StopRecording:
    """Record no more of a call."""

    call_sid: str


@dataclass(frozen=True, kw_only=True)
class StartedRecording:
    """The carrier records."""

    recording_sid: str


@dataclass(frozen=True, kw_only=True)
class EndedCall:
    """The carrier's last word on a call."""

    status: str
    duration_s: int | None = None


@dataclass(frozen=True, kw_only=True)
class ReadTranscript:
    """Have the model report on a call."""

    transcript: str
    outcome: str
    """What the script machine knows for certain."""
    known: list[str]


@dataclass(frozen=True, kw_only=True)
class WriteOutcome:
    """The call's row in the CRM. Keyed by `call_id`: a repeated write changes nothing."""

    call_id: str
    call_sid: str
    phone: str
    direction: str
    script_id: str
    script_hash: str
    outcome: str
    stage: str
    slots: dict[str, SlotValue]
    objections: dict[str, int]
    turns: int
    appointment_at: str
    call_back_when: str
    summary: str
    next_step: str
    duration_s: int | None
    lead_id: str = ""
    campaign_id: str = ""
    recording_sid: str = ""
    recording_url: str = ""


@dataclass(frozen=True, kw_only=True)
class DoNotCall:
    """Never call this number again."""

    call_id: str
    phone: str
    source: str
    """Where it was said, e.g. `call`."""
