"""PURE. Who has the floor: when the caller's turn is over, when the agent stops, when nobody spoke for too long.

Events and `now` in, commands out, the next deadline as a property: no clock, no socket. Every floor but ENDED has a
deadline that nothing can pause, so that no lost event can leave a call silent for good. `docs/turn-taking.md` has the
picture; `table.py` holds the moves that are allowed. What speaks for a move is weighed elsewhere: `evidence.py` the end
of a turn, `overlap.py` what is heard over the agent, `ahead.py` an answer before its time.

All commands of a call are settled when it returns: a driver may feed events back while it still obeys them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from media_gateway.turns.ahead import Ahead
from media_gateway.turns.backchannels import OverAgent
from media_gateway.turns.caller import Caller
from media_gateway.turns.evidence import EndEvidence
from media_gateway.turns.overlap import Overlap
from media_gateway.turns.pauses import Pauses
from media_gateway.turns.table import TRANSITIONS
from media_gateway.turns.types import (
    AgentTurnOpened,
    AgentWords,
    BeginReply,
    Command,
    CommitReply,
    DtmfHeard,
    EndOfTurnEstimated,
    Event,
    FallBack,
    FinalWords,
    Floor,
    FlushRecogniser,
    HandOver,
    HandOverDue,
    HangUp,
    InterimWords,
    InterruptReply,
    LineLost,
    Ms,
    NoteKey,
    ObeyOrder,
    OrderCame,
    PauseReply,
    PlayFiller,
    PressKey,
    PromptCaller,
    RecogniserLost,
    ReplyFailed,
    ReplyPaused,
    ReplyPlayed,
    ReplyStarted,
    ResumeReply,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
    TurnCounts,
    TurnPolicy,
    VendorEndOfTurn,
)
from media_gateway.turns.words import normalised


class TurnMachine:
    """One call's turns. After every `receive` and `on_timer`, carry out the commands in order and read `deadline`."""

    def __init__(self, policy: TurnPolicy) -> None:
        self._policy = policy
        self._counts = TurnCounts()
        self._caller = Caller(policy)
        self._evidence = EndEvidence(policy)
        self._ahead = Ahead(policy, self._counts)
        self._overlap = Overlap(policy)
        self._pauses = Pauses(most_ms=policy.most_learnt_pause_ms)
        self._now = Ms(0)
        self._floor = Floor.OPEN
        self._since = Ms(0)
        """When the present floor began."""
        self._turn_began = Ms(0)
        """The caller's, pauses included."""
        self._turn_over = Ms(0)
        """When the reply was asked for: fillers and fallbacks count from here, through every overlap."""
        self._answered_sound: Ms | None = None
        """The last one of the turn that the present reply answers."""
        self._ids = 0
        self._reply_id = 0
        self._is_interruptible = True
        self._filler_due = False
        self._fallback_due = False
        self._resumes = False
        """The present reply takes up a call that was broken off."""
        self._is_last = False
        self._hands_over = False
        self._hang_up_at: Ms | None = None

    # --- what the driver may read ------------------------------------------------------------

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

    def next_reply_id(self) -> int:
        """The id for an agent turn that the session opens by itself."""
        self._ids += 1
        return self._ids

    @property
    def deadline(self) -> Ms | None:
        """When `on_timer` is due; None once the call is over."""
        if self._floor is Floor.ENDED:
            return None
        return Ms(max(self._now, min(at for at, _ in self._alarms())))

    # --- time and events ---------------------------------------------------------------------

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
                if event.reply_id in (self._reply_id, self._ahead.reply_id):
                    self._overlap.agent_says(event)
                return []
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
                return self._over()
            case ReplyFailed():
                return self._failed()
            case _:
                assert_never(event)

    # --- deadlines ---------------------------------------------------------------------------

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
                yield Ms(self._since + policy.silence_ms), self._prompt
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
                    yield Ms(self._turn_over + policy.filler_after_ms), self._fill
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

    def _pause_over_at(self) -> Ms:
        return self._evidence.pause_over_at(
            self._caller, since=self._since, learnt_ms=self._pauses.learnt_ms
        )

    def _flush(self) -> list[Command]:
        self._caller.flush_at = None
        return [FlushRecogniser()]

    def _prompt(self) -> list[Command]:
        self._caller.dismiss(self._now)
        self._caller.forget_answered()
        self._think(self.next_reply_id())
        return [PromptCaller(reply_id=self._reply_id)]

    def _fill(self) -> list[Command]:
        self._filler_due = False
        return [PlayFiller(reply_id=self._reply_id)]

    def _fall_back(self) -> list[Command]:
        self._filler_due = self._fallback_due = False
        return [FallBack(reply_id=self._reply_id)]

    def _give_up(self) -> list[Command]:
        """Backstop: a reply that never came, or never ended."""
        commands = self._let_go()
        if self._is_last:
            return [*commands, *self._hang_up()]
        if self._floor is Floor.THINKING:
            self._caller.take_back()
        self._open_floor()
        return commands

    def _hang_up(self) -> list[Command]:
        self._hang_up_at = None
        self._move(Floor.ENDED)
        return [HangUp()]

    # --- the caller's sounds and words -------------------------------------------------------

    def _sound_started(self, event: SpeechStarted) -> list[Command]:
        caller = self._caller
        at = min(self._now, event.at if event.at is not None else self._now)
        paused_ms = 0 if caller.last_sound is None else max(0, at - caller.last_sound)
        self._forget_idle_words()
        caller.sound_started(at, is_faint=event.is_faint)
        self._evidence.he_goes_on()
        match self._floor:
            case Floor.OPEN if caller.wants_floor:
                self._move(Floor.CALLER)
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
        if self._evidence.ended_since(at):
            caller.awaits_words = False
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
                dropped = self._drop_ahead(unless_for=caller.words)
                # What was taken back is answered again by the next deadline, in commands of its own.
                return [*(commands or self._close_if_over(dropped))]
            case Floor.AGENT | Floor.OVERLAP:
                return self._words_over_reply()
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
        words = self._caller.words
        if self._floor not in (Floor.CALLER, Floor.PAUSE) or self._is_last or not words:
            return []
        if closed := self._close_if_over():
            return closed
        if p < self._policy.eager_p or not self._ahead.may_begin(words):
            return []
        reply_id = self.next_reply_id()
        self._ahead.begin(reply_id, words)
        flush = self._flush() if self._caller.flush_at is not None else []
        return [*flush, BeginReply(reply_id=reply_id, caller_words=words, is_ahead=True)]

    def _close_if_over(self, before: list[Command] | None = None) -> list[Command]:
        """End the caller's turn if the last news say that it is over."""
        commands = before or []
        is_due = self._floor is Floor.PAUSE and self._hang_up_at is None and self._caller.words
        if is_due and self._pause_over_at() <= self._now:
            return [*commands, *self._close_turn()]
        return commands

    def _cut_turn(self) -> list[Command]:
        """At the backstop he may be speaking still, or a television is: it is answered all the same, and heard."""
        commands = self._close_turn()
        self._is_interruptible = False
        return commands

    def _close_turn(self) -> list[Command]:
        """The caller's turn is over: answer it, or open the floor when it held no words."""
        caller = self._caller
        words = caller.words
        if not words:
            if self._floor is Floor.CALLER or caller.sound_ms >= self._policy.unheard_speech_ms:
                return self._prompt()
            caller.dismiss(self._now)
            self._move(Floor.OPEN)
            return []
        caller.is_cut()
        caller.answer(self._now)
        self._answered_sound = caller.last_sound
        self._counts.turns_answered += 1
        ahead_id = self._ahead.commit()
        self._think(ahead_id or self.next_reply_id())
        if ahead_id:
            return [CommitReply(reply_id=ahead_id, caller_words=words)]
        return [BeginReply(reply_id=self._reply_id, caller_words=words)]

    # --- over the agent ----------------------------------------------------------------------

    @property
    def _is_unheard(self) -> bool:
        """A reply is being made, and nothing of it was heard."""
        overlaps = self._floor is Floor.OVERLAP and self._overlap.origin is Floor.THINKING
        return self._floor is Floor.THINKING or overlaps

    @property
    def _may_be_cut(self) -> bool:
        return self._is_interruptible and not self._is_last and self._reply_id != 0

    def _hold_reply(self) -> list[Command]:
        """A sound over the reply holds it; words will say whether it is stopped."""
        if not self._may_be_cut or self._caller.is_faint or not self._overlap.may_pause:
            return []
        self._overlap.begin(self._floor, self._now)
        self._move(Floor.OVERLAP)
        return [PauseReply(reply_id=self._reply_id)]

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

    def _yield(self) -> list[Command]:
        """The caller takes the floor from a reply that was heard in part; his words are a turn."""
        if self._floor is Floor.OVERLAP:
            self._counts.pauses_yielded += 1
        if not self._overlap.has_sound(self._caller):
            self._caller.speaks_by_words(self._now)
        commands = self._let_go()
        self._open_floor()
        return commands

    def _resume(self) -> list[Command]:
        self._counts.pauses_resumed += 1
        self._overlap.was_nothing()
        if self._overlap.verdict(self._caller) is not OverAgent.REAL:
            self._dismiss_words()
        self._move(self._overlap.origin)
        return [ResumeReply(reply_id=self._reply_id)]

    def _take_back(self) -> list[Command]:
        """The caller goes on before anything of the reply was heard: one turn, one answer."""
        caller, turn_began = self._caller, self._turn_began
        if caller.answered:
            self._counts.turns_taken_back += 1
            ended = self._answered_sound
            if ended is not None and caller.sound_began >= max(ended, self._turn_over):
                self._pauses.cut_in(caller.sound_began - ended)
        if self._floor is Floor.OVERLAP:
            self._counts.pauses_yielded += 1
        commands = self._let_go()
        caller.take_back()
        self._move(Floor.CALLER if caller.is_speaking else Floor.PAUSE)
        self._turn_began = turn_began
        return commands

    def _forget_idle_words(self) -> None:
        """Before something new is heard over the reply: what was said to keep it going is over."""
        if self._floor in (Floor.AGENT, Floor.OVERLAP) and self._overlap.are_idle_words(
            self._caller, self._now
        ):
            self._dismiss_words()

    def _dismiss_words(self) -> None:
        self._caller.dismiss(self._now)
        self._overlap.forget_words()

    # --- keys, orders, the end ---------------------------------------------------------------

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

    def _drop_everything(self) -> tuple[list[Command], str]:
        """Cut what is said or being made; hand out what the caller said and nobody has answered."""
        if self._is_unheard:
            self._caller.take_back()
        commands = self._let_go()
        words = self._caller.words
        self._caller.answer(self._now)
        self._answered_sound = None
        self._think(self.next_reply_id())
        # A fact, and told as one: nobody takes it back by making a sound.
        self._is_interruptible = False
        return commands, words

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

    # --- the agent ---------------------------------------------------------------------------

    def _agent_opened(self, event: AgentTurnOpened) -> list[Command]:
        commands = self._let_go()
        self._caller.forget_answered()
        self._answered_sound = None
        self._think(event.reply_id)
        # Not taken back by a "hello?" before it was heard.
        self._is_interruptible = False
        self._resumes = event.resumes
        return commands

    def _think(self, reply_id: int) -> None:
        self._reply_id = reply_id
        self._is_interruptible = True
        self._filler_due = self._fallback_due = True
        self._turn_over = self._now
        self._ahead.turn_over()
        self._overlap.reply_begins(self._now)
        self._move(Floor.THINKING)

    def _started(self, event: ReplyStarted) -> list[Command]:
        """Audio is heard; or a part of it begins that may, or may not, be interrupted."""
        caller, is_first = self._caller, self._is_unheard
        was_held = not is_first and not self._is_interruptible
        self._is_interruptible = event.interruptible
        if is_first and caller.answered:
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
        if self._overlap.is_yielded_to(caller) and not self._overlap.is_greeting(caller):
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

    def _over(self) -> list[Command]:
        """The reply ended by itself."""
        if self._is_last:
            self._reply_id = 0
            self._hang_up_at = Ms(self._now + self._policy.drain_ms)
            return []
        self._forget_idle_words()
        self._open_floor()
        return []

    def _failed(self) -> list[Command]:
        return self._fall_back() if self._is_unheard and self._fallback_due else self._over()

    def _let_go(self) -> list[Command]:
        """No reply is made or heard any longer."""
        commands = self._drop_ahead()
        if self._reply_id:
            commands.append(InterruptReply(reply_id=self._reply_id))
        self._reply_id = 0
        return commands

    def _drop_ahead(self, *, unless_for: str | None = None) -> list[Command]:
        ahead = self._ahead
        dropped = ahead.drop() if unless_for is None else ahead.drop_unless_for(unless_for)
        for command in dropped:
            self._overlap.agent_never_said(command.reply_id)
        return [*dropped]

    def _open_floor(self) -> None:
        """Nobody speaks for the agent: what the caller said meanwhile is the next turn."""
        self._reply_id = 0
        self._overlap.reply_is_over(self._now)
        self._overlap.forget_words()
        if self._caller.wants_floor:
            self._move(Floor.CALLER)
        elif self._caller.words or self._caller.awaits_words:
            self._move(Floor.PAUSE)
        else:
            self._move(Floor.OPEN)

    def _move(self, floor: Floor) -> None:
        if (self._floor, floor) not in TRANSITIONS:
            raise AssertionError(f"{floor.name} cannot follow {self._floor.name}")
        turn = (Floor.CALLER, Floor.PAUSE)
        if floor in turn and self._floor not in turn:
            self._turn_began = self._now
        self._floor, self._since = floor, self._now
