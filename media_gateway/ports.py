"""What a call session asks of the model, of the knowledge base and of the workflow."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from workflows.contracts.payloads import (
    AfterStream,
    AnsweredBy,
    Attached,
    AttachRequest,
    CallInput,
    CarrierUpdate,
    MediaLost,
    RecordingUpdate,
    StreamEnded,
    TurnCompleted,
)
from workflows.script.model import Script
from workflows.script.state import ScriptState


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of the knowledge folder."""

    source: str
    """File name and heading, e.g. `warranty.md#Panels`."""
    text: str
    score: float
    """Cosine similarity, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One past turn, as heard."""

    caller_words: str
    agent_words: str
    """What the caller heard of the reply, never what was generated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest:
    """Everything that the model may know of the present turn."""

    script: Script
    state: ScriptState
    caller_words: str
    history: tuple[Exchange, ...] = ()
    passages: tuple[Passage, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    already_said: str = ""
    """The opener that the caller hears before the reply: the model goes on from there."""
    client: str = ""
    """The model's client that is to be asked first, by its name in settings; empty: the first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveChosen:
    """The model's move and slots are complete. Always the first part of a reply."""

    move: str
    slots: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WordsWritten:
    """The next speakable piece of the reply: a sentence, or a first clause that can be spoken well."""

    text: str


ReplyPart = MoveChosen | WordsWritten


@dataclass(slots=True, kw_only=True)
class ClientUsage:
    """What one model's client was asked for in a turn, whether its answer was used or not."""

    client: str
    """Its name in settings."""
    outcome: Literal["asked", "used", "lost", "failed"] = "asked"
    """`lost`: another client's first token came before its own, and it was cancelled."""
    failure: str = ""
    """What went wrong, in one word; see `FailureKind`."""
    prompt_tokens: int = 0
    """Its own count where it tells one, else estimated from the request's length."""
    tokens_written: int = 0
    """Its own count where it tells one, else estimated from below."""
    is_estimate: bool = True


@dataclass(slots=True, kw_only=True)
class ReplyTrace:
    """When a reply's steps happened, in seconds on the event loop's clock, and what it cost."""

    request_sent_s: float | None = None
    """To the first client."""
    first_token_s: float | None = None
    """Of whichever client."""
    tokens_written: int = 0
    """By all clients so far, whether they are used or not; see `ClientUsage`."""
    clients: list[ClientUsage] = field(default_factory=list)
    """In the order in which they were asked; one that was asked twice is there twice."""

    @property
    def prompt_tokens(self) -> int:
        """Read by all clients so far."""
        return sum(usage.prompt_tokens for usage in self.clients)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedReply:
    """What a dialogue made of a request before the caller's words were known. Opaque, and of use to its maker only."""

    request: ReplyRequest

    def fits(self, request: ReplyRequest) -> bool:
        """Whether the two differ in nothing that is known last: words, passages, what was already said, who is asked."""
        return _known_early(request) == _known_early(self.request)


def _known_early(request: ReplyRequest) -> ReplyRequest:
    return replace(request, caller_words="", passages=(), already_said="", client="")


class Dialogue(Protocol):
    """The model."""

    async def warm(self) -> None:
        """Before a call's first turn: open a connection, so that the turn does not wait for it. Never raises."""

    async def prepare(self, request: ReplyRequest) -> PreparedReply:
        """While the caller still speaks: do what takes no words of his, of a request without them. No side effect."""

    def reply(
        self,
        request: ReplyRequest,
        trace: ReplyTrace | None = None,
        prepared: PreparedReply | None = None,
    ) -> AsyncGenerator[ReplyPart, None]:
        """Stream a reply; `trace` is filled as its steps happen. Closing the iterator cancels the HTTP stream at once.

        One that was `prepared` and fits is asked for sooner; one that does not fit is made anew.

        Raises `media_gateway.errors.NoUsableReply` for a move outside the allowed set, broken JSON, or no answer in time;
        a reply that breaks off in its words gives the move and the whole sentences first.
        """


class Knowledge(Protocol):
    """The passages that a script may quote."""

    async def search(
        self, words: str, *, limit: int = 3, within: tuple[str, ...] | None = None
    ) -> tuple[Passage, ...]:
        """Best passages first. Never raises and never blocks the loop: on any trouble, none.

        `within` is what the stage allows (`Stage.knowledge`): files, folders or headings; None allows all, empty none.
        """

    async def close(self) -> None:
        """Release the store. Idempotent."""


class WorkflowLink(Protocol):
    """The one door to the calls' workflows. What is handed over is delivered in order, with retries, off the spoken path."""

    @property
    def depth(self) -> int:
        """Messages that Temporal has not acknowledged."""

    @property
    def oldest_age_s(self) -> float:
        """Seconds that the oldest of them waits; 0 when there is none."""

    async def attach(self, call_id: str, request: AttachRequest) -> Attached:
        """Take the call's media over. Raises `media_gateway.errors.AttachRefused`."""

    async def start_inbound(self, call: CallInput) -> None:
        """Start the workflow of a call that came in; the same webhook twice finds the same one.

        Raises `media_gateway.errors.WorkflowAway`, or `CallGone` for a call that is over.
        """

    async def stream_ended(self, call_id: str, ended: StreamEnded) -> AfterStream:
        """Ask what comes after a media stream. Raises `media_gateway.errors.WorkflowAway` or `CallGone`."""

    def turn_completed(self, call_id: str, turn: TurnCompleted) -> None:
        """Hand a turn over. One that can never reach the workflow gets its stream broken off: a new one goes on from there."""

    def carrier_status(self, call_id: str, update: CarrierUpdate) -> None:
        """Hand a status callback over."""

    def answered_by(self, call_id: str, verdict: AnsweredBy) -> None:
        """Hand the answering machine verdict over."""

    def recording_status(self, call_id: str, update: RecordingUpdate) -> None:
        """Hand a recording's status over."""

    def media_lost(self, call_id: str, lost: MediaLost) -> None:
        """Hand the end of a stream over."""

    async def flush(self, call_id: str, *, within_s: float) -> bool:
        """Wait until everything handed over was acknowledged; False when it was not in time."""

    async def close(self, *, within_s: float = 5.0) -> None:
        """Deliver what can be delivered in time, then stop."""
