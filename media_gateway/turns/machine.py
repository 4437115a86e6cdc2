"""PURE. Who has the floor: when the caller's turn is over, when the agent stops, when nobody spoke for too long.

Events and `now` in, commands out, the next deadline as a property: no clock, no socket. Every floor but ENDED has a
deadline that nothing can pause, so that no lost event can leave a call silent for good. `docs/turn-taking.md` has the
picture. Here is when the floor moves; `moves.py` says what a move does, `table.py` which are allowed. What speaks for one
is weighed in `evidence.py` (the end of a turn), `overlap.py` (what is heard over the agent) and `ahead.py` (an answer
before its time).

All commands of a call are settled when it returns: a driver may feed events back while it still obeys them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import assert_never

from media_gateway.turns.backchannels import OverAgent, is_urgent
from media_gateway.turns.moves import Moves
from media_gateway.turns.types import (
    AgentTurnOpened,
    AgentWords,
    BeginReply,
    Command,
    DtmfHeard,
    EndOfTurnEstimated,
    Event,
    FinalWords,
    Floor,
    HandOver,
    HandOverDue,
    InterimWords,
    LineLost,
    Ms,
    NoteKey,
    ObeyOrder,
    OrderCame,
    PressKey,
    RecogniserLost,
    ReplyFailed,
    ReplyPaused,
    ReplyPlayed,
    ReplyStarted,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
    TurnCounts,
    VendorEagerEnd,
    VendorEndOfTurn,
)
from media_gateway.turns.words import normalised


class TurnMachine(Moves):
    """One call's turns. After every `receive` and `on_timer`, carry out the commands in order and read `deadline`."""

    # --- what the driver may read --------------------------------------------------------------

    @property
    def floor(self) -> Floor:
        """Who holds the floor."""
        return self._floor

    @property
    def caller_words(self) -> str:
        """The caller's words that no reply has answered yet."""
        return self._caller.words

    @property
    def speech_end_at(self) -> Ms | None:
        """When the caller was last heard; None before the first time."""
        return self._caller.last_sound

    @property
    def pauses_ms(self) -> tuple[int, ...]:
        """This caller's pauses within turns, oldest first: those after which he went on."""
        return self._pauses.all_ms

    @property
    def counts(self) -> TurnCounts:
        """What became of the turns so far; to be read only."""
        return self._counts

    @property
    def deadline(self) -> Ms | None:
        """When `on_timer` is due; None once the call is over."""
        if self._floor is Floor.ENDED:
            return None
        return Ms(max(self._now, min(at for at, _ in self._alarms())))

    # --- time and events -----------------------------------------------------------------------

    def receive(self, event: Event, now: Ms) -> list[Command]:
        """Take one event. Raises ValueError, and changes nothing, when time goes back."""
        self._advance_to(now)
        if self._floor is Floor.ENDED:
            return []
        return self._and_hand_over(self._take(event))

    def on_timer(self, now: Ms) -> list[Command]:
        """Act on the deadline; nothing when it was moved meanwhile. Raises ValueError when time goes back."""
        self._advance_to(now)
        if self.deadline is None or now < self.deadline:
            return []
        _, act = min(self._alarms(), key=lambda alarm: alarm[0])
        return self._and_hand_over(act())

    def _advance_to(self, now: Ms) -> None:
        if now < self._now:
            raise ValueError(f"time goes back from {self._now} to {now} ms")
        self._now = now

    def _take(self, event: Event) -> list[Command]:
        match event:
            case SpeechStarted():
                return self._sound_started(event)
            case SpeechStopped():
                return self._sound_stopped(event)
            case InterimWords():
                return self._words_came(event.text, is_final=False)
            case FinalWords():
                return self._words_came(event.text, is_final=True)
            case EndOfTurnEstimated():
                return self._end_estimated(event.p)
            case VendorEndOfTurn():
                self._caller.awaits_words = False
                self._evidence.vendor_ended(self._now)
                return self._close_if_over()
            case VendorEagerEnd():
                return self._drop_ahead() if event.is_taken_back else self._answer_ahead()
            case RecogniserLost():
                self._caller.recogniser_lost()
                return self._close_if_over()
            case DtmfHeard():
                return self._key_pressed(event.digit)
            case OrderCame():
                return self._order_came()
            case AgentTurnOpened():
                return self._agent_opened(event)
            case AgentWords():
                return self._agent_says(event)
            case ReplyStarted() | ReplyPaused() | ReplyPlayed() | ReplyFailed():
                return self._reply_told(event)
            case ScriptEnded():
                return self._script_ended()
            case HandOverDue():
                self._hands_over = True
                return []
            case LineLost():
                self._move(Floor.ENDED)
                return []
            case _:
                assert_never(event)

    # --- deadlines -----------------------------------------------------------------------------

    def _alarms(self) -> Iterator[tuple[Ms, Callable[[], list[Command]]]]:
        """What happens next if nothing else does: (when, what), at least one for a live call."""
        policy = self._policy
        if self._hang_up_at is not None:
            yield self._hang_up_at, self._hang_up
            return
        if self._caller.flush_at is not None:
            yield self._caller.flush_at, self._flush
        match self._floor:
            case Floor.OPEN:
                yield Ms(self._since + self._silence_ms), self._prompt
            case Floor.CALLER:
                yield Ms(self._turn_began + policy.longest_turn_ms), self._cut_turn
                if not self._caller.words:
                    yield Ms(self._turn_began + policy.silence_ms), self._prompt
                elif (sound_over_at := self._evidence.sound_over_at()) is not None:
                    yield sound_over_at, self._close_turn
            case Floor.PAUSE:
                yield self._pause_over_at(), self._close_turn
            case Floor.THINKING:
                if self._filler_due:
                    yield self._filler_at(), self._fill
                if self._fallback_due:
                    yield Ms(self._turn_over + policy.fallback_after_ms), self._fall_back
                stuck_ms = policy.fallback_after_ms + policy.stuck_ms
                yield Ms(self._turn_over + stuck_ms), self._give_up
            case Floor.AGENT:
                yield Ms(self._since + policy.longest_turn_ms), self._give_up
            case Floor.OVERLAP:
                yield self._overlap.nothing_at(self._caller), self._decide_overlap
            case Floor.ENDED:
                return

    def _filler_at(self) -> Ms:
        """Counted from the turn's end; where that was late to be seen, he has heard nothing for longer than that."""
        policy = self._policy
        if self._answered_sound is None:
            return Ms(self._turn_over + policy.filler_after_ms)
        over = min(self._turn_over, self._answered_sound + policy.end_pause_ms)
        least_ms = min(policy.filler_least_ms, policy.filler_after_ms)
        return Ms(max(self._turn_over + least_ms, over + policy.filler_after_ms))

    def _pause_over_at(self) -> Ms:
        return self._evidence.pause_over_at(
            self._caller,
            since=self._since,
            learnt_ms=self._pauses.learnt_ms,
            ahead=self._ahead,
        )

    # --- the caller's sounds and words ---------------------------------------------------------

    def _sound_started(self, event: SpeechStarted) -> list[Command]:
        caller = self._caller
        at = min(self._now, event.at if event.at is not None else self._now)
        paused_ms = 0 if caller.last_sound is None else max(0, at - caller.last_sound)
        self._forget_idle_words()
        caller.sound_started(at, is_faint=event.is_faint)
        self._evidence.he_goes_on()
        match self._floor:
            case Floor.OPEN if caller.wants_floor:
                caller.forget_spent()
                self._move(Floor.CALLER)
            case Floor.PAUSE if event.is_faint:
                pass  # a voice in the background does not take the turn up again; words of it would
            case Floor.PAUSE:
                if caller.words:
                    self._pauses.went_on(paused_ms)
                self._move(Floor.CALLER)
            case Floor.THINKING | Floor.AGENT:
                return self._hold_reply()
            case Floor.OPEN | Floor.CALLER | Floor.OVERLAP | Floor.ENDED:
                pass
        return []

    def _sound_stopped(self, event: SpeechStopped) -> list[Command]:
        caller = self._caller
        if not caller.is_speaking:
            return []
        at = min(self._now, event.at if event.at is not None else self._now)
        caller.sound_stopped(max(at, caller.sound_began), self._now)
        if self._floor is Floor.CALLER:
            self._move(Floor.PAUSE)
            return self._close_if_over()
        if self._floor is Floor.OVERLAP:
            # One word or none: nothing that asking for it now could tear apart.
            return [*self._flush(), *self._words_over_reply()]
        return []

    def _words_came(self, text: str, *, is_final: bool) -> list[Command]:
        caller = self._caller
        before = normalised(caller.words)
        self._forget_idle_words()
        is_rest = is_final and caller.awaits_rest and not self._overlap.has_sound(caller)
        commands: list[Command] = []
        if (
            self._is_unheard
            and self._may_be_cut
            and caller.says_more(text, is_final=is_final, now=self._now)
        ):
            commands = self._take_back()
        take = caller.final if is_final else caller.interim
        take(text, self._now)
        if normalised(caller.words) != before:
            self._evidence.he_goes_on()
        match self._floor:
            case Floor.OPEN:
                self._words_in_silence()
            case Floor.CALLER | Floor.PAUSE:
                if commands:
                    return (
                        commands  # what was taken back is answered again by a deadline of its own
                    )
                return self._close_if_over(self._drop_ahead(unless_for=caller.words))
            case Floor.AGENT | Floor.OVERLAP:
                # The rest of a sentence that was answered too early was not said over the answer: it waits its turn,
                # unless it may be an opt-out.
                waits = is_rest and not is_urgent(caller.words)
                return [] if waits else self._words_over_reply()
            case Floor.THINKING | Floor.ENDED:
                pass
        return commands

    def _words_in_silence(self) -> None:
        """Words open a turn too: a detector may miss a quiet "yes"."""
        caller = self._caller
        if not caller.words:
            return
        if self._overlap.are_late_words(caller, self._now):
            caller.dismiss(self._now)
        elif caller.wants_floor:
            self._move(Floor.CALLER)
        else:
            caller.speaks_by_words(self._now)
            self._move(Floor.PAUSE)

    def _end_estimated(self, p: float) -> list[Command]:
        self._evidence.estimated(p, self._now)
        if not self._is_last and (closed := self._close_if_over()):
            return closed
        return self._answer_ahead() if p >= self._policy.eager_p else []

    def _answer_ahead(self) -> list[Command]:
        """The turn may be over: begin the answer to its words, if there are any."""
        words = self._caller.words
        if self._floor not in (Floor.CALLER, Floor.PAUSE) or self._is_last or not words:
            return []
        flush = self._flush() if self._caller.flush_at is not None else []
        if not self._ahead.may_begin(words):
            return flush
        reply_id = self.next_reply_id()
        self._ahead.begin(reply_id, words)
        return [*flush, BeginReply(reply_id=reply_id, caller_words=words, is_ahead=True)]

    def _close_if_over(self, before: Sequence[Command] = ()) -> list[Command]:
        """End the caller's turn if the last news say that it is over."""
        is_due = self._floor is Floor.PAUSE and self._hang_up_at is None and self._caller.words
        if is_due and self._pause_over_at() <= self._now:
            return [*before, *self._close_turn()]
        return [*before]

    # --- over the agent ------------------------------------------------------------------------

    def _words_over_reply(self) -> list[Command]:
        caller, overlap = self._caller, self._overlap
        if self._may_be_cut and overlap.is_yielded_to(caller):
            return self._yield()
        overlap.note(caller, self._now)
        is_idle = overlap.verdict(caller) in (OverAgent.BACKCHANNEL, OverAgent.ECHO)
        if self._floor is Floor.OVERLAP and is_idle and not caller.is_speaking:
            return self._resume()
        return []

    def _decide_overlap(self) -> list[Command]:
        """No more words came: it was nothing, unless those that wait want the floor."""
        return self._yield() if self._overlap.is_yielded_to(self._caller) else self._resume()

    # --- the reply -----------------------------------------------------------------------------

    def _agent_opened(self, event: AgentTurnOpened) -> list[Command]:
        self._ids = max(self._ids, event.reply_id)  # also where another machine gave it
        commands = self._let_go()
        self._caller.forget_answered()
        self._answered_sound = None
        self._think(event.reply_id, is_first_line=True)
        # Not taken back by a "hello?" before it was heard.
        self._is_interruptible = False
        self._resumes = event.resumes
        return commands

    def _agent_says(self, event: AgentWords) -> list[Command]:
        if event.reply_id not in (self._reply_id, self._ahead.reply_id):
            return []
        self._overlap.agent_says(event)
        if not event.are_opener:
            return []
        if event.reply_id != self._ahead.reply_id:
            self._has_opener = True
            return []
        self._ahead.has_opener = True
        return self._close_if_over()

    def _reply_told(
        self, event: ReplyStarted | ReplyPaused | ReplyPlayed | ReplyFailed
    ) -> list[Command]:
        """News of a reply. The one place where late news of old replies are dropped."""
        if event.reply_id == 0:
            return []
        if event.reply_id == self._ahead.reply_id and isinstance(event, ReplyFailed):
            # Nobody waits for it yet. The same words get a new one when the turn is over.
            return self._drop_ahead()
        if event.reply_id != self._reply_id:
            return []
        match event:
            case ReplyStarted():
                return self._started(event)
            case ReplyPaused():
                return self._paused(event)
            case ReplyPlayed():
                return self._over(event.at)
            case ReplyFailed():
                return self._failed()
            case _:
                assert_never(event)

    def _started(self, event: ReplyStarted) -> list[Command]:
        """Audio is heard; or a part of it begins that may, or may not, be interrupted."""
        caller, is_first = self._caller, self._is_unheard
        was_held = not is_first and not self._is_interruptible
        self._is_interruptible = event.interruptible
        if is_first:
            self._audio_began = self._now
            self._overlap.note(caller, self._now)
            if caller.answered:
                self._pauses.ended_well()
        if self._floor is Floor.OVERLAP:
            self._overlap.origin = Floor.AGENT
            return [] if event.interruptible else self._resume()
        self._move(Floor.AGENT)
        if self._resumes:
            self._resumes = False
            caller.drop_torn_words()
        if not (was_held and self._may_be_cut):
            return []
        # A must-say part is over: what was said over it, or is being said, counts from here.
        if self._overlap.is_yielded_to(caller):
            return self._yield()
        is_new = self._now - caller.sound_began < self._policy.longest_overlap_ms
        return self._hold_reply() if caller.is_speaking and is_new else []

    def _paused(self, event: ReplyPaused) -> list[Command]:
        if self._floor is not Floor.OVERLAP or not self._overlap.paused(event):
            return []
        # Everything was heard: it is the caller's turn, as after `ReplyPlayed`.
        self._counts.pauses_yielded += 1
        commands = self._let_go()
        self._open_floor()
        return commands

    def _over(self, at: Ms | None = None) -> list[Command]:
        """The reply ended by itself, at that time if it is known: what was said since then answers it."""
        if self._is_last:
            self._reply_id = 0
            self._hang_up_at = Ms(self._now + self._policy.drain_ms)
            return []
        self._forget_idle_words(before=at)
        self._open_floor()
        return []

    def _failed(self) -> list[Command]:
        if self._is_unheard and self._fallback_due:
            return self._fall_back()
        was_answer = self._is_unheard and bool(self._caller.answered)
        commands = self._over()
        if was_answer and self._floor is Floor.OPEN:
            self._silence_ms = self._policy.unsaid_ms
        return commands

    # --- keys, orders, the end -----------------------------------------------------------------

    def _key_pressed(self, digit: str) -> list[Command]:
        """A key is always heard, over a must-say line too: it may be the opt-out."""
        if self._is_last:
            return [NoteKey(digit=digit)]
        commands, words = self._drop_everything()
        return [*commands, PressKey(reply_id=self._reply_id, digit=digit, caller_words=words)]

    def _order_came(self) -> list[Command]:
        """A person's order goes before whatever is being said."""
        if self._is_last:
            return []
        commands, words = self._drop_everything()
        return [*commands, ObeyOrder(reply_id=self._reply_id, caller_words=words)]

    def _script_ended(self) -> list[Command]:
        self._is_last = True
        if self._floor is Floor.OVERLAP:
            return self._resume()  # a goodbye is said to its end
        if self._floor in (Floor.OPEN, Floor.CALLER, Floor.PAUSE) and self._hang_up_at is None:
            # Nothing plays that could be waited for.
            self._hang_up_at = Ms(self._now + self._policy.drain_ms)
        return self._drop_ahead()

    def _and_hand_over(self, commands: list[Command]) -> list[Command]:
        """Between turns, and only there, the call can be given away without a word being lost."""
        if self._hands_over and self._floor is Floor.OPEN and self._hang_up_at is None:
            self._move(Floor.ENDED)
            return [*commands, HandOver()]
        return commands
