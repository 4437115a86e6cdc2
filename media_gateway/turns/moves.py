"""PURE. The moves of a turn: what each does to floor, reply and words, and which commands it takes.

`machine.py` says when. A move is one that `table.py` allows, or it is refused; no reply is begun while another one is
open, and everything that ends one goes through `_let_go`.
"""

from __future__ import annotations

from media_gateway.turns.ahead import Ahead
from media_gateway.turns.backchannels import OverAgent
from media_gateway.turns.caller import Caller
from media_gateway.turns.evidence import EndEvidence
from media_gateway.turns.overlap import Overlap
from media_gateway.turns.pauses import Pauses
from media_gateway.turns.table import TRANSITIONS
from media_gateway.turns.types import (
    BeginReply,
    Command,
    CommitReply,
    FallBack,
    Floor,
    FlushRecogniser,
    HangUp,
    InterruptReply,
    Ms,
    PauseReply,
    PlayFiller,
    PromptCaller,
    ResumeReply,
    TurnCounts,
    TurnPolicy,
)

UNAWARE_MS = 400
"""Who begins to speak this soon after the agent's first audio did not hear it: he simply goes on."""


class Moves:
    """The state of one call's turns, and what may be done to it. `TurnMachine` decides what is done."""

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
        self._silence_ms = policy.silence_ms
        """How long it may be open."""
        self._turn_began = Ms(0)
        """The caller's, pauses included."""
        self._turn_over = Ms(0)
        """When the reply was asked for: fillers and fallbacks count from here, through every overlap."""
        self._audio_began = Ms(0)
        """Of the present reply."""
        self._answered_sound: Ms | None = None
        """The last one of the turn that the present reply answers."""
        self._ids = 0
        self._reply_id = 0
        self._has_opener = False
        """The present reply begins with words that are heard as soon as it is let out."""
        self._is_interruptible = True
        self._filler_due = False
        self._fallback_due = False
        self._resumes = False
        """The present reply takes up a call that was broken off."""
        self._is_last = False
        self._hands_over = False
        self._hang_up_at: Ms | None = None

    def next_reply_id(self) -> int:
        """The id for an agent turn that the session opens by itself."""
        self._ids += 1
        return self._ids

    # --- the floor -----------------------------------------------------------------------------

    def _move(self, floor: Floor) -> None:
        if (self._floor, floor) not in TRANSITIONS:
            raise AssertionError(f"{floor.name} cannot follow {self._floor.name}")
        turn = (Floor.CALLER, Floor.PAUSE)
        if floor in turn and self._floor not in turn:
            self._turn_began = self._now
        self._floor, self._since = floor, self._now
        self._silence_ms = self._policy.silence_ms

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

    # --- the caller's turn ---------------------------------------------------------------------

    def _close_turn(self) -> list[Command]:
        """The caller's turn is over: answer it, or open the floor when it held no words."""
        caller = self._caller
        words = caller.words
        if not words:
            if self._floor is Floor.CALLER or caller.wants_question:
                caller.is_asked_about()
                return self._prompt()
            caller.dismiss(self._now)
            self._move(Floor.OPEN)
            return []
        caller.is_cut()
        caller.answer(self._now)
        self._answered_sound = caller.last_sound
        self._counts.turns_answered += 1
        has_opener = self._ahead.has_opener
        ahead_id = self._ahead.commit()
        self._think(ahead_id or self.next_reply_id())
        self._has_opener = has_opener and bool(ahead_id)
        if ahead_id:
            return [CommitReply(reply_id=ahead_id, caller_words=words)]
        return [BeginReply(reply_id=self._reply_id, caller_words=words)]

    def _cut_turn(self) -> list[Command]:
        """At the backstop he may be speaking still, or a television is: it is answered all the same, and heard."""
        commands = self._close_turn()
        self._is_interruptible = False
        return commands

    def _flush(self) -> list[Command]:
        self._caller.flush_at = None
        return [FlushRecogniser()]

    def _prompt(self) -> list[Command]:
        self._caller.dismiss(self._now)
        self._caller.forget_answered()
        self._answered_sound = None
        self._think(self.next_reply_id())
        return [PromptCaller(reply_id=self._reply_id)]

    # --- the reply -----------------------------------------------------------------------------

    def _think(self, reply_id: int, *, is_first_line: bool = False) -> None:
        self._reply_id = reply_id
        self._has_opener = False
        self._is_interruptible = True
        self._filler_due = self._fallback_due = True
        self._turn_over = self._now
        self._resumes = False
        self._ahead.turn_over()
        self._overlap.reply_begins(self._now, is_first_line=is_first_line)
        self._move(Floor.THINKING)

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

    def _drop_everything(self) -> tuple[list[Command], str]:
        """Cut what is said or being made; hand out what the caller said and nobody has answered."""
        if self._is_unheard:
            self._caller.take_back()
        commands = self._let_go()
        words = self._caller.words
        self._caller.answer(self._now)
        # Told with the key or the order, at once: nobody is told of them, or answers them, a second time.
        self._caller.forget_answered()
        self._answered_sound = None
        self._think(self.next_reply_id())
        # A fact, and told as one: nobody takes it back by making a sound.
        self._is_interruptible = False
        return commands, words

    # --- over the reply ------------------------------------------------------------------------

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

    def _resume(self) -> list[Command]:
        self._counts.pauses_resumed += 1
        self._overlap.was_nothing()
        if self._overlap.verdict(self._caller) is not OverAgent.REAL:
            self._dismiss_words()
        self._move(self._overlap.origin)
        return [ResumeReply(reply_id=self._reply_id)]

    def _yield(self) -> list[Command]:
        """The caller takes the floor from a reply that was heard in part; his words are a turn."""
        if self._floor is Floor.OVERLAP:
            self._counts.pauses_yielded += 1
        if self._caller.sound_began - self._audio_began < UNAWARE_MS:
            self._learn_cut_in(was_heard=True)
        if not self._overlap.has_sound(self._caller):
            self._caller.speaks_by_words(self._now)
        commands = self._let_go()
        self._open_floor()
        return commands

    def _take_back(self) -> list[Command]:
        """The caller goes on before anything of the reply was heard: one turn, one answer."""
        caller = self._caller
        # What answered nobody (it asked whether he is there) is taken back for a turn that begins now.
        turn_began = self._turn_began if caller.answered else self._now
        if caller.answered:
            self._counts.turns_taken_back += 1
            self._learn_cut_in(was_heard=self._has_opener)
        if self._floor is Floor.OVERLAP:
            self._counts.pauses_yielded += 1
        commands = self._let_go()
        caller.take_back()
        self._move(Floor.CALLER if caller.is_speaking else Floor.PAUSE)
        self._turn_began = turn_began
        return commands

    def _learn_cut_in(self, *, was_heard: bool) -> None:
        """He went on after a pause that was taken for the end. An answer that he did not hear did not cut in on him."""
        ended, began = self._answered_sound, self._caller.sound_began
        if ended is not None and began >= max(ended, self._turn_over):
            learn = self._pauses.cut_in if was_heard else self._pauses.went_on
            learn(began - ended)

    def _forget_idle_words(self, *, before: Ms | None = None) -> None:
        """Before something new is heard over the reply, or it ended: what was said to keep it going is over."""
        now = self._now if before is None else min(self._now, before)
        if self._floor in (Floor.AGENT, Floor.OVERLAP) and self._overlap.are_idle_words(
            self._caller, now
        ):
            self._dismiss_words()

    def _dismiss_words(self) -> None:
        self._caller.dismiss(self._now)
        self._overlap.forget_words()
