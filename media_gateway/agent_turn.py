"""One agent turn as it is made: what the script decided, what is spoken in which segment, when each step happened."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from media_gateway.openers import Opener
from media_gateway.ports import ReplyTrace
from media_gateway.speech.ports import ReadyAudio, Speech
from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind, TurnTimings
from workflows.script.effects import (
    Effect,
    EndCall,
    RefuseMove,
    SpeakLine,
    SpeakReply,
    Transfer,
)
from workflows.script.events import Order
from workflows.script.state import ScriptState, digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A sentence or line to be spoken."""

    text: str
    line_id: str = ""
    """Empty for the model's own words."""
    must_say: bool = False
    is_filler: bool = False
    """Said while the model thinks: no part of the answer, and no reason to believe that one has begun."""
    is_opener: bool = False
    """First words that were ready before the model's: they belong to the answer, and are no reason to believe either."""
    audio: ReadyAudio | None = None
    """Spoken before: it needs no voice."""


@dataclass(slots=True, kw_only=True)
class Stamps:
    """Stream times in ms of a turn's steps; None until they happen."""

    speech_end: int
    words_final: int | None = None
    begun_ahead: int | None = None
    end_of_turn: int | None = None
    request_sent: int | None = None
    first_token: int | None = None
    move_chosen: int | None = None
    first_words: int | None = None
    first_audio: int | None = None
    first_audio_sent: int | None = None
    first_audio_played: int | None = None
    """At the caller's ear: later than sent where a filler still plays before it."""

    def timings(self) -> TurnTimings:
        """Milliseconds from the caller's last sound."""

        def since(at: int | None) -> int | None:
            return None if at is None else at - self.speech_end

        return TurnTimings(
            speech_end_at_ms=self.speech_end,
            words_final=since(self.words_final),
            begun_ahead=since(self.begun_ahead),
            end_of_turn=since(self.end_of_turn),
            request_sent=since(self.request_sent),
            first_token=since(self.first_token),
            move_chosen=since(self.move_chosen),
            first_words=since(self.first_words),
            first_audio=since(self.first_audio),
            first_audio_sent=since(self.first_audio_sent),
            first_audio_played=since(self.first_audio_played),
        )


@dataclass(slots=True, kw_only=True)
class AgentTurn:
    """An agent turn between the command that began it and the signal that tells of it."""

    reply_id: int
    kind: TurnKind
    stamps: Stamps
    caller_words: str = ""
    is_ahead: bool = False
    """Begun before the caller's turn was over: it is held, and has no effect of any kind."""
    opener: Opener | None = None
    """What it begins with while the model still thinks."""
    has_chosen_opener: bool = False
    """It is known whether it begins with one."""
    trace: ReplyTrace = field(default_factory=ReplyTrace)
    digit: str = ""
    order: Order | None = None
    order_target: str = ""
    move: str = ""
    slots: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    passages: tuple[str, ...] = ()
    segments: list[Segment] = field(default_factory=list)
    decided: ScriptState | None = None
    """The script's state if this turn happens; it becomes the call's when its first audio goes out."""
    lines: tuple[Segment, ...] = ()
    """What the decision has the agent say in authored words: all that is left when the voice or the model fails."""
    ends_call: bool = False
    has_lost_voice: bool = False
    voice_lost_ms: int = 0
    """From its first words to the loss."""
    has_fallen_back: bool = False
    """The authored line was asked for."""
    is_told: bool = False
    """Its answer has begun to be heard, or it is a fact anyway: the workflow knows of it."""
    seq: int = 0
    """Its number in the call, once it is told."""
    told_refusal: str = ""
    """What the workflow knows of `refusal`."""
    is_written: bool = False
    """No more segments follow."""
    voice_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Words reach the voice one after the other, a filler's too."""
    speech: Speech | None = None
    making: asyncio.Task[None] | None = None
    playing: asyncio.Task[None] | None = None

    @property
    def has_words(self) -> bool:
        """Something is spoken that makes a filler needless."""
        return any(not segment.is_opener for segment in self.segments)

    @property
    def words_before_answer(self) -> int:
        """Segments that the turn begins with and that are none of its answer."""
        answer = (n for n in range(len(self.segments)) if self.is_answer(n))
        return next(answer, len(self.segments))

    def is_answer(self, segment: int) -> bool:
        """Whether the answer itself is heard in a segment."""
        if segment >= len(self.segments):
            return False
        return not (self.segments[segment].is_filler or self.segments[segment].is_opener)

    def decide(
        self, state: ScriptState, effects: tuple[Effect, ...]
    ) -> tuple[list[Segment], bool, list[Segment]]:
        """Take the script's decision: the lines before the model's words, whether those are spoken, the lines after."""
        self.decided = state
        self.ends_call = False
        before: list[Segment] = []
        after: list[Segment] = []
        speaks_reply = False
        for effect in effects:
            match effect:
                case SpeakReply():
                    speaks_reply = True
                case SpeakLine():
                    segment = Segment(
                        text=effect.text, line_id=effect.line_id, must_say=effect.must_say
                    )
                    (after if speaks_reply else before).append(segment)
                case RefuseMove():
                    self.refusal = self.refusal or "guard"
                case EndCall() | Transfer():
                    self.ends_call = True
                case _:
                    pass  # what must last is the workflow's to do
        self.lines = (*before, *after)
        return before, speaks_reply, after

    def begun(self, *, epoch: int, seq: int, before: TurnHeard | None) -> TurnCompleted:
        """The signal that tells the workflow of this turn, once its answer begins to be heard."""
        if self.decided is None:
            raise ValueError("a turn that nothing was decided in cannot be told")
        self.seq, self.told_refusal = seq, self.refusal
        return TurnCompleted(
            epoch=epoch,
            seq=seq,
            kind=self.kind,
            before=before,
            caller_words=self.caller_words,
            move=self.move,
            slots=self.slots,
            digit=self.digit,
            order=self.order,
            order_target=self.order_target,
            stage=self.decided.stage,
            state_digest=digest(self.decided),
            saying=self._words_known(),
            refusal=self.refusal,
            passages=list(self.passages),
            timings=self.stamps.timings(),
        )

    def over(
        self, *, heard_words: str, lines_heard: tuple[str, ...], interrupted: bool
    ) -> TurnHeard:
        """What the workflow learns of it with the next message."""
        return TurnHeard(
            seq=self.seq,
            heard_words=heard_words,
            lines_heard=list(lines_heard),
            interrupted=interrupted,
            reply_words=" ".join(segment.text for segment in self.segments),
            refusal="" if self.refusal == self.told_refusal else self.refusal,
        )

    def _words_known(self) -> str:
        """What was given to the voice, and the authored lines that will follow it."""
        given = {segment.line_id for segment in self.segments if segment.line_id}
        coming = [line for line in self.lines if line.line_id not in given]
        return " ".join(segment.text for segment in (*self.segments, *coming))

    def cancel(self) -> None:
        """Stop making and playing; the voice's own cancel is the session's to await."""
        for task in (self.making, self.playing):
            if task is not None:
                task.cancel()
