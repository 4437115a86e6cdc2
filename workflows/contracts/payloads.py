"""PURE. What crosses a process edge: one dataclass a message, plain JSON types, new fields only with defaults.

No phone number, name or spoken word is ever part of a workflow id or a search attribute.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from workflows.script.events import Order
from workflows.script.model import Outcome, SlotValue
from workflows.script.state import ScriptState

CALLS_TASK_QUEUE = "calls"
"""Workflow tasks of calls: latency matters, nothing else runs there."""
ACTIVITIES_TASK_QUEUE = "call-activities"
"""CRM, post-call and script activities."""
DIAL_TASK_QUEUE = "twilio-dial"
"""Dialling: its own queue, so that a rate limit on it delays nothing else."""


def call_workflow_id(call_id: str) -> str:
    """The workflow id of a call: `call/<call_id>`."""
    return f"call/{call_id}"


def gateway_task_queue(gateway_id: str) -> str:
    """Where one gateway takes directives: whatever waits there for long is for a gateway that is gone."""
    return f"gateway-{gateway_id}"


class Direction(StrEnum):
    """Who called."""

    OUTBOUND = "outbound"
    INBOUND = "inbound"


@dataclass(frozen=True, kw_only=True)
class CallInput:
    """Start of a CallWorkflow; also what a person types into `temporal workflow start --input`."""

    call_id: str
    script_id: str
    """Name of a file in the scripts folder, without `.yaml`."""
    to: str
    """E.164; for an inbound call the number that was called."""
    from_: str = ""
    """E.164 caller id; empty: the settings' own."""
    direction: Direction = Direction.OUTBOUND
    call_sid: str = ""
    """The carrier's id of a call that came in."""
    script_hash: str = ""
    """When given, the script must have this content hash, else the call is not placed."""
    facts: dict[str, str] = field(default_factory=dict)
    """Values for placeholders that are known before the call, e.g. `first_name`."""
    time_zone: str = "America/New_York"
    """IANA zone of the callee; appointments are read in it."""
    lead_id: str = ""
    campaign_id: str = ""
    attempt: int = 1
    """Which call to this lead it is, from 1."""
    ring_timeout_s: int = 30
    longest_call_s: int = 900
    silence_timeout_s: int = 120
    """No turn, status or attach for this long on a live call: it is ended."""
    most_resumes: int = 3
    """How often a lost media stream is taken up again; then the caller hears an apology."""


@dataclass(frozen=True, kw_only=True)
class AttachRequest:
    """Update `attach`: a gateway presents a media stream."""

    gateway_id: str
    call_sid: str
    stream_sid: str
    nonce: str
    """Of the stream's one-time token: a second attach with the same one is refused."""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """Answer to `attach`: all that a gateway needs to carry the call."""

    epoch: int
    """Fences older gateways: every later message of this stream carries it."""
    next_seq: int
    """Sequence number of the next turn."""
    script_yaml: str
    state: ScriptState
    today: str
    """ISO date at the callee's place."""
    facts: dict[str, str]
    resumed: bool
    history: list[HeardTurn] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class HeardTurn:
    """A past turn as heard, for the model's history after a resume."""

    caller_words: str
    agent_words: str


class TurnKind(StrEnum):
    """What opened an agent turn."""

    OPENING = "opening"
    RESUME = "resume"
    REPLY = "reply"
    SILENCE = "silence"
    DTMF = "dtmf"
    ORDER = "order"
    """A supervisor said what comes next."""
    HANG_UP = "hang_up"
    """The caller hung up while speaking or while the agent was about to: words without a reply."""


@dataclass(frozen=True, kw_only=True)
class TurnTimings:
    """Milliseconds from the caller's last sound to each step; None where it did not happen.

    All are measured in the gateway. `first_audio_sent` is the first audio message of the reply on the socket;
    `first_audio_played` is the playhead's estimate.
    """

    speech_end_at_ms: int = 0
    """Stream time of the caller's last sound."""
    begun_ahead: int | None = None
    """When the reply was begun, if that was before the turn was known to be over: steps of it may be negative."""
    words_final: int | None = None
    end_of_turn: int | None = None
    request_sent: int | None = None
    first_token: int | None = None
    move_chosen: int | None = None
    first_words: int | None = None
    first_audio: int | None = None
    first_audio_sent: int | None = None
    first_audio_played: int | None = None


@dataclass(frozen=True, kw_only=True)
class TurnHeard:
    """What the caller heard of a turn that is over. Rides on the stream's next message: it costs no event of its own."""

    seq: int
    heard_words: str = ""
    lines_heard: list[str] = field(default_factory=list)
    """Ids of the authored lines that were heard to their last word."""
    interrupted: bool = False
    reply_words: str = ""
    """All that was handed to the voice."""
    refusal: str = ""
    """What went wrong after the first words were out; empty when nothing did."""


@dataclass(frozen=True, kw_only=True)
class TurnCompleted:
    """Signal `turn_completed`: the caller's turn is over and its answer has begun to be heard.

    Told when the answer's first audio goes out, so that a gateway which dies while the agent speaks has lost nothing.
    """

    epoch: int
    seq: int
    """From 1 over the whole call, without gaps."""
    kind: TurnKind
    before: TurnHeard | None = None
    """What was heard of the turn before this one; None for a stream's first turn."""
    caller_words: str = ""
    move: str = ""
    """The move proposed; empty when the model gave none in time, or none was asked."""
    slots: dict[str, str] = field(default_factory=dict)
    """Slot name to the model's raw text."""
    digit: str = ""
    order: Order | None = None
    """For kind ORDER: what was ordered."""
    order_target: str = ""
    """For kind ORDER: the stage, or the number to connect to."""
    stage: str = ""
    """The stage after the turn, as the gateway sees it."""
    state_digest: str = ""
    """Of the gateway's state after the turn: the workflow compares, and corrects a gateway that differs."""
    saying: str = ""
    """What the answer begins with: all that is known of it now."""
    refusal: str = ""
    """Why the model's answer was not used: `timeout`, `http`, `malformed`, `move`, `guard`; empty when it was."""
    passages: list[str] = field(default_factory=list)
    """Sources of the passages that the model was given."""
    timings: TurnTimings = field(default_factory=TurnTimings)


class CarrierStatus(StrEnum):
    """Twilio's CallStatus values."""

    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """No other status follows."""
        return self in _FINAL


_FINAL = frozenset(
    {
        CarrierStatus.COMPLETED,
        CarrierStatus.BUSY,
        CarrierStatus.FAILED,
        CarrierStatus.NO_ANSWER,
        CarrierStatus.CANCELED,
    }
)


@dataclass(frozen=True, kw_only=True)
class CarrierUpdate:
    """Signal `carrier_status`: a status callback. May come twice and out of order."""

    call_sid: str
    status: CarrierStatus
    sequence: int = -1
    """The carrier's SequenceNumber."""
    duration_s: int | None = None
    sip_code: int | None = None


@dataclass(frozen=True, kw_only=True)
class AnsweredBy:
    """Signal `answered_by`: the verdict of answering machine detection."""

    call_sid: str
    answered_by: str
    """Twilio's value: human, machine_start, machine_end_beep, machine_end_silence, machine_end_other, fax, unknown."""
    detection_ms: int = 0


class RecordingStatus(StrEnum):
    """Twilio's RecordingStatus values in callbacks."""

    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    ABSENT = "absent"
    """Nothing was recorded."""
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """No other status follows."""
        return self is not RecordingStatus.IN_PROGRESS


@dataclass(frozen=True, kw_only=True)
class RecordingUpdate:
    """Signal `recording_status`: a recording status callback. May come twice and out of order."""

    call_sid: str
    recording_sid: str
    status: RecordingStatus
    duration_s: int | None = None
    url: str = ""
    """Of the carrier's resource, without credentials; who fetches it needs the account's."""
    error_code: int = 0


@dataclass(frozen=True, kw_only=True)
class CallRecording:
    """What was recorded of a call; also how it stands while the call lasts."""

    recording_sid: str
    status: str = ""
    """A RecordingStatus; empty: begun, and the carrier has not said so."""
    duration_s: int | None = None
    url: str = ""
    withdrawn: bool = False
    """The caller had it stopped, by an objection, an opt-out or a hand-over."""
    failure: str = ""
    """Why it could not be begun or stopped; empty when it could."""


@dataclass(frozen=True, kw_only=True)
class MediaLost:
    """Signal `media_lost`: a stream's socket closed."""

    epoch: int
    stream_sid: str
    clean: bool
    """A `stop` came before the close, or we closed it ourselves."""
    heard: TurnHeard | None = None
    """What was heard of the stream's last turn."""


@dataclass(frozen=True, kw_only=True)
class SuperviseRequest:
    """Update `supervise`: a person takes the call in hand."""

    order: Order
    stage: str = ""
    """For FORCE_STAGE."""
    number: str = ""
    """E.164. For TAKE_OVER the supervisor's own; for TRANSFER empty means the script's people."""
    by: str = ""
    """Who ordered it: a user id, never a name of the caller's side."""


@dataclass(frozen=True, kw_only=True)
class SuperviseAnswer:
    """How an order was carried out."""

    by: str
    """`gateway`: the agent says it now; `carrier`: done through the carrier, no gateway was there;
    `next stream`: whoever carries the audio next begins there; `nobody`: it was not carried out."""
    reason: str = ""
    """Why nobody did."""


@dataclass(frozen=True, kw_only=True)
class Directive:
    """From the workflow to the gateway that carries the audio: obey an order, or take the right state."""

    call_id: str
    epoch: int
    """Of the stream that is meant; another one refuses."""
    order: Order | None = None
    target: str = ""
    """The order's stage or number."""
    state: ScriptState | None = None
    """Without an order: what the script's state really is ..."""
    after_seq: int = 0
    """... after this turn. A gateway that is further on waits for the next correction."""


@dataclass(frozen=True, kw_only=True)
class DirectiveDone:
    """A gateway's answer to a directive."""

    accepted: bool
    reason: str = ""
    is_here: bool = True
    """False: this gateway does not have the stream that was meant."""


class NextStep(StrEnum):
    """What the carrier is to do after a stream ended."""

    HANG_UP = "hang_up"
    RECONNECT = "reconnect"
    DIAL = "dial"
    APOLOGISE = "apologise"


@dataclass(frozen=True, kw_only=True)
class StreamEnded:
    """Update `stream_ended`: the carrier asks what to do after `<Connect>`."""

    call_sid: str
    nonce: str = ""
    """Of the stream's token: the same question twice gets the same answer."""


@dataclass(frozen=True, kw_only=True)
class AfterStream:
    """Answer to `stream_ended`."""

    step: NextStep
    number: str = ""
    """For DIAL: E.164."""
    text: str = ""
    """For APOLOGISE: what to say."""
    pause_s: int = 0
    """For RECONNECT: wait so long first; a gateway that is about to stop has not left the balancer yet."""


@dataclass(frozen=True, kw_only=True)
class TurnRecord:
    """A turn as the workflow recorded it."""

    seq: int
    kind: TurnKind
    stage: str
    """The stage after the turn."""
    caller_words: str
    move: str
    saying: str = ""
    """What the agent began to say; how much of it was heard is known once `is_over`."""
    heard_words: str = ""
    interrupted: bool = False
    is_over: bool = False
    """The gateway told what was heard. Never, for a turn in which its gateway died."""
    refusal: str = ""
    refused_slots: dict[str, str] = field(default_factory=dict)
    """With a refused move: the raw values that came with it."""
    rejected_slots: dict[str, str] = field(default_factory=dict)
    objection: str = ""
    passages: list[str] = field(default_factory=list)
    timings: TurnTimings = field(default_factory=TurnTimings)


@dataclass(frozen=True, kw_only=True)
class CallSnapshot:
    """Query `snapshot`: the call as it stands."""

    call_id: str
    script_id: str
    script_hash: str
    call_sid: str
    carrier_status: str
    answered_by: str
    epoch: int
    state: ScriptState
    turns: list[TurnRecord]
    ignored_signals: int
    """Stale, repeated or senseless messages."""
    ignored: dict[str, int] = field(default_factory=dict)
    """The same by reason."""
    appointment_at: str = ""
    is_over: bool = False
    resumes: int = 0
    needs_review: bool = False
    gateway_id: str = ""
    """Who carries the audio, or did last."""
    recording: CallRecording | None = None


@dataclass(frozen=True, kw_only=True)
class PostCall:
    """What the model extracted from the transcript, beside what the script machine knows."""

    outcome: str
    summary: str
    objections: list[str]
    next_step: str
    slots: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CallResult:
    """Result of a CallWorkflow."""

    call_id: str
    call_sid: str
    outcome: Outcome
    carrier_status: str
    stage: str
    slots: dict[str, SlotValue]
    objections: dict[str, int]
    turns: list[TurnRecord]
    appointment_at: str = ""
    call_back_when: str = ""
    post_call: PostCall | None = None
    duration_s: int | None = None
    failure: str = ""
    """Why no call was placed, or why it was broken off; empty when all went its way."""
    script_hash: str = ""
    resumes: int = 0
    needs_review: bool = False
    problem: str = ""
    """Why nobody was spoken to, a `workflows.carrier_errors.DialProblem`; empty for a call that was answered."""
    carrier_code: int = 0
    """The carrier's error code for a dial that it refused."""
    sip_code: int = 0
    """Of the carrier's last status; 0 where it gave none."""
    retry_after_s: float = 0.0
    """With RATE_LIMITED: how long the carrier wants to be left alone; 0 where it did not say."""
    recording: CallRecording | None = None
    """None: nothing of the call was recorded."""
