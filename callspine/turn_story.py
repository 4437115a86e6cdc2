"""PURE. What one run of the turn machine amounts to: the caller's sounds, the agent's replies, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from media_gateway.flight.encoding import Step
from media_gateway.turns.types import (
    AgentTurnOpened,
    BeginReply,
    Command,
    CommitReply,
    DropReply,
    Event,
    FallBack,
    HandOver,
    HangUp,
    InterruptReply,
    LineLost,
    Ms,
    ObeyOrder,
    PauseReply,
    PressKey,
    PromptCaller,
    ReplyFailed,
    ReplyPaused,
    ReplyPlayed,
    ReplyStarted,
    ResumeReply,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
)

OPENING = "opening"
"""The kind of a turn that the session opens; of the others it is the command's name."""


@dataclass(kw_only=True)
class Sound:
    """The ear heard the caller."""

    start: Ms
    end: Ms
    is_faint: bool


@dataclass(kw_only=True)
class Reply:
    """One reply, from its begin to whatever ended it."""

    reply_id: int
    kind: str
    words: str
    """The caller's, that it answers."""
    opened: Ms
    is_ahead: bool = False
    committed: Ms | None = None
    """When it was let out; None for a reply that was dropped before."""
    started: Ms | None = None
    """Its first audio."""
    spans: list[tuple[Ms, Ms]] = field(default_factory=list)
    """When it was audible."""
    audible_since: Ms | None = None
    fell_back: Ms | None = None
    failed: list[Ms] = field(default_factory=list)
    """Before any audio."""
    unheard: ReplyPaused | None = None
    """What was told at its last pause."""
    unheard_before_start: bool = False
    """It was paused while it was being made: it may have been ready before it was let out."""
    marks: list[tuple[int, Event]] = field(default_factory=list)
    """Further news of it while it was audible: (audible ms before it, event)."""
    news: list[tuple[int, Event]] = field(default_factory=list)
    """Other news of it before its first audio: (ms since it was begun, event)."""
    ends_call: bool = False
    ended: Ms | None = None
    how: str = "under way"
    """What ended it: played, failed, interrupted, dropped, cut off."""

    def audible_ms(self, now: Ms) -> int:
        """How much of it was on the line up to now."""
        running = 0 if self.audible_since is None else now - self.audible_since
        return running + sum(end - start for start, end in self.spans)

    def hold(self, now: Ms) -> None:
        """It is silent from here on, for a while or for good."""
        if self.audible_since is not None:
            self.spans.append((self.audible_since, now))
            self.audible_since = None

    def end(self, now: Ms, how: str) -> None:
        """Nothing more comes of it."""
        self.hold(now)
        if self.ended is None:
            self.ended, self.how = now, how


@dataclass(kw_only=True)
class Story:
    """One run, as it can be drawn and compared."""

    sounds: list[Sound]
    replies: list[Reply]
    commands: list[tuple[Ms, Command]]
    ended: Ms
    """The last thing that happened."""

    def count(self) -> Counter[str]:
        """How often each command was given."""
        return Counter(type(command).__name__ for _, command in self.commands)


def tell_story(steps: Sequence[Step]) -> Story:
    """Never raises: what makes no sense is passed over."""
    teller = _Teller()
    for step in steps:
        teller.take(step)
    return teller.story()


class _Teller:
    def __init__(self) -> None:
        self._sounds: list[Sound] = []
        self._speaks = False
        self._replies: dict[int, Reply] = {}
        self._current = 0
        self._commands: list[tuple[Ms, Command]] = []
        self._now = Ms(0)

    def take(self, step: Step) -> None:
        self._now = step.now
        if step.event is not None:
            self._heard(step.event)
        for command in step.commands or ():
            self._commands.append((step.now, command))
            self._ordered(command)

    def story(self) -> Story:
        if self._speaks:
            self._sounds[-1].end = self._now
        for reply in self._replies.values():
            if reply.audible_since is not None:
                reply.end(self._now, "cut off")
        return Story(
            sounds=self._sounds,
            replies=list(self._replies.values()),
            commands=self._commands,
            ended=self._now,
        )

    def _heard(self, event: Event) -> None:
        now = self._now
        match event:
            case SpeechStarted():
                at = now if event.at is None else min(event.at, now)
                if not self._speaks:
                    self._sounds.append(Sound(start=at, end=at, is_faint=event.is_faint))
                elif not event.is_faint:
                    self._sounds[-1].is_faint = False
                self._speaks = True
            case SpeechStopped() if self._speaks:
                at = now if event.at is None else min(event.at, now)
                self._sounds[-1].end = Ms(max(at, self._sounds[-1].start))
                self._speaks = False
            case AgentTurnOpened():
                self._opened(event.reply_id, OPENING, "")
            case ScriptEnded():
                if (reply := self._replies.get(self._current)) is not None and reply.ended is None:
                    reply.ends_call = True
            case LineLost():
                self._all_over("cut off")
            case _:
                reply = self._replies.get(getattr(event, "reply_id", 0))
                if reply is not None:
                    self._news(reply, event)

    def _news(self, reply: Reply, event: Event) -> None:
        now = self._now
        match event:
            case ReplyStarted() if reply.started is None and reply.ended is None:
                reply.started = reply.audible_since = now
                reply.marks.append((0, event))
            case ReplyPlayed():
                reply.end(now, "played")
            case ReplyFailed() if reply.started is None:
                reply.failed.append(now)
                if reply.fell_back is not None:
                    reply.end(now, "failed")
            case ReplyFailed():
                reply.end(now, "failed")
            case ReplyPaused():
                reply.unheard = event
                reply.unheard_before_start |= reply.started is None
                if event.is_whole and not event.unheard_ms and reply.started is not None:
                    reply.end(now, "played")
            case _ if reply.started is None:
                reply.news.append((now - reply.opened, event))
            case _:
                reply.marks.append((reply.audible_ms(now), event))

    def _ordered(self, command: Command) -> None:
        now = self._now
        match command:
            case BeginReply():
                self._opened(
                    command.reply_id, "BeginReply", command.caller_words, is_ahead=command.is_ahead
                )
            case PressKey() | ObeyOrder():
                self._opened(command.reply_id, type(command).__name__, command.caller_words)
            case PromptCaller():
                self._opened(command.reply_id, type(command).__name__, "")
            case HangUp() | HandOver():
                self._all_over("cut off")
            case _:
                reply = self._replies.get(getattr(command, "reply_id", 0))
                if reply is None:
                    return
                match command:
                    case CommitReply():
                        reply.committed = now
                        self._current = reply.reply_id
                    case DropReply():
                        reply.end(now, "dropped")
                    case InterruptReply():
                        reply.end(now, "interrupted")
                    case FallBack():
                        reply.fell_back = now
                    case PauseReply():
                        reply.hold(now)
                    case ResumeReply() if reply.started is not None and reply.ended is None:
                        reply.audible_since = now
                    case _:
                        pass

    def _opened(self, reply_id: int, kind: str, words: str, *, is_ahead: bool = False) -> None:
        self._replies[reply_id] = Reply(
            reply_id=reply_id,
            kind=kind,
            words=words,
            opened=self._now,
            is_ahead=is_ahead,
            committed=None if is_ahead else self._now,
        )
        if not is_ahead:
            self._current = reply_id

    def _all_over(self, how: str) -> None:
        for reply in self._replies.values():
            if reply.ended is None:
                reply.end(self._now, how)
