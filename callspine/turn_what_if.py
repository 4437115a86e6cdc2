"""PURE. A recorded stream under another policy: the caller does what he did, the agent's side is played anew.

Kept as recorded: the caller's sounds and words, the ear's estimates, the recogniser's ends and losses, keys, orders, the
end of the line. Played anew: everything that is told of a reply, from the figures of `turn_performance`. The machine's
own deadlines are met to the millisecond.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callspine.turn_performance import Performance, Performances
from callspine.turn_story import OPENING, Story
from media_gateway.flight.encoding import Step
from media_gateway.turns.machine import TurnMachine
from media_gateway.turns.types import (
    AgentTurnOpened,
    BeginReply,
    Command,
    CommitReply,
    DropReply,
    Event,
    FallBack,
    Floor,
    HandOver,
    HangUp,
    InterruptReply,
    Ms,
    ObeyOrder,
    PauseReply,
    PressKey,
    PromptCaller,
    ReplyFailed,
    ReplyPaused,
    ReplyPlayed,
    ResumeReply,
    ScriptEnded,
    TurnPolicy,
)

MOST_STEPS = 500_000
"""Hours of a call: a run that is longer turns in circles."""
MOST_AT_ONCE = 200
"""Steps within a millisecond: a policy without any pause has the machine do without end what takes no time."""


@dataclass(frozen=True, kw_only=True)
class WhatIf:
    """Another run of the same stream."""

    steps: tuple[Step, ...]
    floors: tuple[tuple[Ms, Floor], ...]
    replies: int
    replies_assumed: int
    """Those of which latency or length is not recorded."""
    notes: tuple[str, ...]
    """What made the run end before the record does."""


def what_if(steps: Sequence[Step], story: Story, policy: TurnPolicy) -> WhatIf:
    """Run the stream under a policy. `story` is the record's own. Never raises over what a record holds."""
    run = _Run(story, policy)
    run.go(_from_caller(steps, story), steps[-1].now if steps else Ms(0))
    return WhatIf(
        steps=tuple(run.steps),
        floors=tuple(run.floors),
        replies=run.replies,
        replies_assumed=run.replies_assumed,
        notes=tuple(run.notes),
    )


def _from_caller(steps: Sequence[Step], story: Story) -> deque[tuple[Ms, Event]]:
    """What does not depend on the agent, in order."""
    has_last_reply = any(reply.ends_call for reply in story.replies)
    kept: deque[tuple[Ms, Event]] = deque()
    for step in steps:
        event = step.event
        if event is None or (isinstance(event, ScriptEnded) and has_last_reply):
            continue
        if isinstance(event, AgentTurnOpened) or not hasattr(event, "reply_id"):
            kept.append((step.now, event))
    return kept


@dataclass(kw_only=True)
class _Live:
    """A reply that is being made, held or heard."""

    reply_id: int
    plan: Performance
    opened: Ms
    ready_at: Ms | None
    let_out_at: Ms | None
    is_paused: bool = False
    has_started: bool = False
    audible_ms: int = 0
    audible_since: Ms | None = None
    fails: deque[Ms] = field(default_factory=deque)
    news: deque[tuple[Ms, Event]] = field(default_factory=deque)
    marks: deque[tuple[int, Event]] = field(default_factory=deque)

    def next_at(self) -> Ms | None:
        """When something is to be told of it."""
        times = [at for at, _ in list(self.news)[:1]]
        if self.has_started:
            if self.audible_since is not None:
                due_ms = self.marks[0][0] if self.marks else self.plan.audible_ms
                times.append(Ms(self.audible_since + max(0, due_ms - self.audible_ms)))
        else:
            times += list(self.fails)[:1]
            if self.ready_at is not None and self.let_out_at is not None and not self.is_paused:
                times.append(Ms(max(self.ready_at, self.let_out_at)))
        return min(times, default=None)

    def tell(self, now: Ms) -> tuple[list[Event], bool]:
        """What is told now, and whether that was the last of it."""
        if self.news and self.news[0][0] <= now:
            return [self._mine(self.news.popleft()[1])], False
        if not self.has_started:
            if self.fails and self.fails[0] <= now:
                self.fails.popleft()
                return [ReplyFailed(reply_id=self.reply_id)], False
            last: list[Event] = [ScriptEnded()] if self.plan.ends_call else []
            if not self.plan.audible_ms:
                return [*last, self._ending()], True
            self.has_started, self.audible_since = True, now
            return [*last, self._mine(self.marks.popleft()[1])], False
        if self.marks:
            return [self._mine(self.marks.popleft()[1])], False
        return [self._ending()], True

    def hold(self, now: Ms) -> ReplyPaused:
        """What the session answers to a pause: voices deliver faster than they are heard, so all of it is there."""
        if self.audible_since is not None:
            self.audible_ms += now - self.audible_since
            self.audible_since = None
        self.is_paused = True
        unheard_ms = max(0, self.plan.audible_ms - self.audible_ms) if self.has_started else 0
        return ReplyPaused(reply_id=self.reply_id, unheard_ms=unheard_ms, is_whole=self.has_started)

    def _ending(self) -> Event:
        ending = ReplyFailed if self.plan.breaks_off else ReplyPlayed
        return ending(reply_id=self.reply_id)

    def _mine(self, event: Any) -> Event:
        told: Event = replace(event, reply_id=self.reply_id)
        return told


class _Run:
    def __init__(self, story: Story, policy: TurnPolicy) -> None:
        self._machine = TurnMachine(policy)
        self._performances = Performances(story)
        self._live: dict[int, _Live] = {}
        self._is_over = False
        self.steps: list[Step] = []
        self.floors: list[tuple[Ms, Floor]] = [(Ms(0), self._machine.floor)]
        self.replies = self.replies_assumed = 0
        self.notes: list[str] = []

    def go(self, from_caller: deque[tuple[Ms, Event]], end: Ms) -> None:
        now, at_once = Ms(0), 0
        while not self._is_over:
            deadline = self._machine.deadline
            speaks_at, live = min(
                (
                    (at, reply)
                    for reply in self._live.values()
                    if (at := reply.next_at()) is not None
                ),
                key=lambda due: due[0],
                default=(None, None),
            )
            caller_at = from_caller[0][0] if from_caller else None
            due = [at for at in (deadline, speaks_at, caller_at) if at is not None]
            if not due or min(due) > end:
                return
            at_once = at_once + 1 if min(due) <= now else 0
            now = Ms(max(now, min(due)))
            if deadline is not None and deadline <= now:
                self._take(None, now)
            elif live is not None and speaks_at is not None and speaks_at <= now:
                self._tell(live, now)
            else:
                self._take(from_caller.popleft()[1], now)
            if len(self.steps) > MOST_STEPS or at_once > MOST_AT_ONCE:
                self.notes.append(f"given up at {now} ms: the run turns in circles")
                return
        if from_caller:
            self.notes.append(
                f"the call would have ended at {now} ms: the rest of the record is not used"
            )

    def _tell(self, live: _Live, now: Ms) -> None:
        events, is_last = live.tell(now)
        if is_last:
            del self._live[live.reply_id]
        for event in events:
            self._take(event, now)

    def _take(self, event: Event | None, now: Ms) -> None:
        if self._is_over:
            return
        if isinstance(event, AgentTurnOpened):
            event = replace(event, reply_id=self._machine.next_reply_id())
        try:
            commands = tuple(
                self._machine.on_timer(now) if event is None else self._machine.receive(event, now)
            )
        except (ValueError, AssertionError) as error:
            self.notes.append(f"the machine refuses at {now} ms: {error}")
            self._is_over = True
            return
        self.steps.append(Step(now=now, event=event, commands=commands))
        if self._machine.floor is not self.floors[-1][1]:
            self.floors.append((now, self._machine.floor))
        if isinstance(event, AgentTurnOpened):
            self._open(event.reply_id, OPENING, "", now)
        for command in commands:
            self._obey(command, now)
        if self._machine.floor is Floor.ENDED and self._machine.deadline is None:
            self._is_over = True

    def _obey(self, command: Command, now: Ms) -> None:
        match command:
            case BeginReply():
                self._open(
                    command.reply_id,
                    "BeginReply",
                    command.caller_words,
                    now,
                    is_ahead=command.is_ahead,
                )
            case PressKey() | ObeyOrder():
                self._open(command.reply_id, type(command).__name__, command.caller_words, now)
            case PromptCaller():
                self._open(command.reply_id, type(command).__name__, "", now)
            case HangUp() | HandOver():
                self._is_over = True
            case _:
                live = self._live.get(getattr(command, "reply_id", 0))
                if live is not None:
                    self._order(live, command, now)

    def _order(self, live: _Live, command: Command, now: Ms) -> None:
        match command:
            case CommitReply():
                live.let_out_at = now
            case DropReply() | InterruptReply():
                del self._live[live.reply_id]
                if not live.has_started:
                    self._performances.give_back(live.plan)
            case FallBack():
                live.fails.clear()
                if not live.has_started:
                    live.ready_at = Ms(now + live.plan.after_fallback_ms)
            case PauseReply():
                told = live.hold(now)
                if told.is_whole and not told.unheard_ms:
                    del self._live[live.reply_id]
                self._take(told, now)
            case ResumeReply():
                live.is_paused = False
                if live.has_started:
                    live.audible_since = now
                elif live.let_out_at is not None:
                    live.let_out_at = now
            case _:
                pass

    def _open(
        self, reply_id: int, kind: str, words: str, now: Ms, *, is_ahead: bool = False
    ) -> None:
        plan = self._performances.take(kind, words, now)
        self.replies += 1
        self.replies_assumed += bool(plan.assumed)
        self._live[reply_id] = _Live(
            reply_id=reply_id,
            plan=plan,
            opened=now,
            ready_at=None if plan.latency_ms is None else Ms(now + plan.latency_ms),
            let_out_at=None if is_ahead else now,
            fails=deque(Ms(now + after_ms) for after_ms in plan.fails_ms),
            news=deque((Ms(now + after_ms), event) for after_ms, event in plan.news),
            marks=deque(plan.marks),
        )
