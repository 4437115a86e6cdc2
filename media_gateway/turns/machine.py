"""PURE. Who has the floor: when the caller's turn is over, when the agent stops, when nobody spoke for too long.

    OPEN ──speech or words──► CALLER ──speech stopped──► PAUSE ──pause over, words──► THINKING ──audio──► AGENT ──played──► OPEN
                                 ▲──────speech again────────┘      (no words: OPEN)       │                 │
                                 └──────────── caller speaks for interrupt_ms ────────────┴─────────────────┘

Events and `now` in, commands out, the next deadline as a property: no clock, no socket. Every floor but ENDED has a
deadline, so that no lost event can leave a call silent for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from media_gateway.turns.types import (
    AgentTurnOpened,
    BeginReply,
    Command,
    DtmfHeard,
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
    PlayFiller,
    PressKey,
    PromptCaller,
    RecogniserLost,
    ReplyFailed,
    ReplyPlayed,
    ReplyStarted,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
    TurnPolicy,
    VendorEndOfTurn,
)
from media_gateway.turns.words import looks_unfinished


class TurnMachine:
    """One call's turns. After every `receive` and `on_timer`, carry out the commands in order and read `deadline`."""

    def __init__(self, policy: TurnPolicy) -> None:
        self._policy = policy
        self._now = Ms(0)
        self._floor = Floor.OPEN
        self._since = Ms(0)
        """When the present floor began, or was last given a reason to go on."""
        self._is_speaking = False
        self._speech_began = Ms(0)
        self._first_speech: Ms | None = None
        """When the caller was first heard to begin."""
        self._last_sound: Ms | None = None
        self._finals: list[str] = []
        self._interim = ""
        self._awaits_words = False
        """Speech stopped and its final words have not come."""
        self._flush_at: Ms | None = None
        """When the recogniser is to be asked for them."""
        self._ids = 0
        self._reply_id = 0
        self._is_interruptible = True
        self._answered = ""
        """The words that the present reply answers."""
        self._answered_early = False
        """They were interim ones: their final form is still to come, and is not a new turn."""
        self._filler_due = False
        self._fallback_due = False
        self._resumes = False
        """The present reply takes up a call that was broken off."""
        self._is_torn = False
        """What the caller is saying began on a stream that is lost: half a sentence is answered wrongly."""
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
        return " ".join(part for part in (*self._finals, self._interim) if part)

    @property
    def speech_end_at(self) -> Ms | None:
        """When the caller was last heard; None before the first time."""
        return self._last_sound

    def next_reply_id(self) -> int:
        """The id for an agent turn that the session opens by itself."""
        self._ids += 1
        return self._ids

    @property
    def deadline(self) -> Ms | None:
        """When `on_timer` is due; None once the call is over."""
        if self._floor is Floor.ENDED and self._hang_up_at is None:
            return None
        return Ms(max(self._now, min(at for at, _ in self._alarms())))

    # --- time and events ---------------------------------------------------------------------

    def receive(self, event: Event, now: Ms) -> list[Command]:
        """Take one event. Raises ValueError, and changes nothing, when time goes back."""
        self._advance_to(now)
        if self._floor is Floor.ENDED:
            return []
        return self._and_hand_over(self._take(event))

    def _take(self, event: Event) -> list[Command]:
        match event:
            case SpeechStarted():
                return self._speech_started(event)
            case SpeechStopped():
                return self._speech_stopped(event)
            case InterimWords():
                self._interim = "" if self._is_torn else event.text.strip()
                return self._words_came() if self._interim else []
            case FinalWords():
                return self._final_words(event)
            case VendorEndOfTurn():
                self._awaits_words = False
                return []
            case DtmfHeard():
                return self._key_pressed(event.digit)
            case AgentTurnOpened():
                self._think(event.reply_id, answered="")
                # Not taken back by a "hello?" before it was heard.
                self._is_interruptible = False
                self._resumes = event.resumes
                return []
            case ReplyStarted():
                if self._is_current(event.reply_id):
                    self._is_interruptible = event.interruptible
                    self._move(Floor.AGENT)
                    self._drop_torn_words()
                return []
            case ReplyPlayed():
                return self._played() if self._is_current(event.reply_id) else []
            case ReplyFailed():
                return self._failed() if self._is_current(event.reply_id) else []
            case ScriptEnded():
                return self._script_ended()
            case RecogniserLost():
                return self._recogniser_lost()
            case OrderCame():
                return self._order_came()
            case HandOverDue():
                self._hands_over = True
                return []
            case LineLost():
                self._floor, self._hang_up_at = Floor.ENDED, None
                return []
            case _:
                assert_never(event)

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

    def _alarms(self) -> Iterator[tuple[Ms, Callable[[], list[Command]]]]:
        """What happens next if nothing else does: (when, what), at least one for a live call."""
        policy = self._policy
        if self._hang_up_at is not None:
            yield self._hang_up_at, self._hang_up
            return
        if self._flush_at is not None:
            yield self._flush_at, self._flush
        match self._floor:
            case Floor.OPEN:
                yield Ms(self._since + policy.silence_ms), self._prompt
            case Floor.CALLER:
                yield Ms(self._since + policy.longest_turn_ms), self._close_turn
            case Floor.PAUSE:
                yield self._turn_over_at(), self._close_turn
            case Floor.THINKING:
                if self._is_speaking and self._is_interruptible:
                    yield Ms(self._speech_began + policy.interrupt_ms), self._take_back
                if self._filler_due:
                    yield Ms(self._since + policy.filler_after_ms), self._fill
                if self._fallback_due:
                    yield Ms(self._since + policy.fallback_after_ms), self._fall_back
                yield Ms(self._since + policy.fallback_after_ms + policy.stuck_ms), self._give_up
            case Floor.AGENT:
                if self._is_speaking and self._is_interruptible and not self._is_last:
                    yield Ms(self._speech_began + policy.interrupt_ms), self._interrupt
                yield Ms(self._since + policy.longest_turn_ms), self._give_up
            case Floor.ENDED:
                return

    def _turn_over_at(self) -> Ms:
        policy = self._policy
        last_sound = self._last_sound if self._last_sound is not None else self._since
        unfinished = looks_unfinished(self.caller_words)
        pause_ms = policy.unfinished_pause_ms if unfinished else policy.end_pause_ms
        if self._awaits_words:
            pause_ms = max(pause_ms, policy.words_wait_ms)
        return Ms(last_sound + pause_ms)

    # --- the caller --------------------------------------------------------------------------

    def _speech_started(self, event: SpeechStarted) -> list[Command]:
        if not self._is_speaking and not self._awaits_words:
            self._is_torn = False  # a new sentence, whole
        self._is_speaking = True
        self._flush_at = None
        self._speech_began = self._last_sound = min(
            self._now, event.at if event.at is not None else self._now
        )
        if self._first_speech is None:
            self._first_speech = self._speech_began
        match self._floor:
            case Floor.OPEN | Floor.PAUSE:
                self._give_to_caller()
            case Floor.CALLER | Floor.THINKING | Floor.AGENT | Floor.ENDED:
                pass
        return []

    def _speech_stopped(self, event: SpeechStopped) -> list[Command]:
        if not self._is_speaking:
            return []
        self._is_speaking = False
        self._last_sound = min(self._now, event.at if event.at is not None else self._now)
        self._awaits_words = True
        if self._floor is Floor.CALLER:
            self._move(Floor.PAUSE)
        self._flush_at = Ms(max(self._now, self._last_sound + self._policy.flush_after_ms))
        return []

    def _flush(self) -> list[Command]:
        self._flush_at = None
        return [FlushRecogniser()]

    def _final_words(self, event: FinalWords) -> list[Command]:
        text = "" if self._is_torn else event.text.strip()
        self._interim = ""
        if not self._is_speaking:
            self._awaits_words = self._is_torn = False
        if self._answered_early and self._floor in (Floor.THINKING, Floor.AGENT):
            # The final form of words that were answered as they stood.
            self._answered_early = False
            return []
        if text:
            self._finals.append(text)
            return self._words_came()
        return []

    def _words_came(self) -> list[Command]:
        """Words open a turn too: a detector may miss a quiet "yes"."""
        if self._floor is Floor.OPEN:
            self._last_sound = self._now
            self._awaits_words = bool(self._interim)
            self._move(Floor.CALLER if self._is_speaking else Floor.PAUSE)
        return []

    def _drop_torn_words(self) -> None:
        """A resume line begins: it asks anew for whatever was being said."""
        if not self._resumes:
            return
        self._resumes = False
        first = self._first_speech
        if first is not None and first < self._policy.torn_before_ms:
            self._is_torn = self._is_speaking or self._awaits_words
            self._finals, self._interim = [], ""

    def _recogniser_lost(self) -> list[Command]:
        """Words that were never finished count as they stood: the stream that follows does not know them."""
        if self._interim:
            self._finals.append(self._interim)
            self._interim = ""
        if not self._is_speaking:
            self._awaits_words = False
        return []

    def _key_pressed(self, digit: str) -> list[Command]:
        """A key is always heard, over a must-say line too: it may be the opt-out."""
        if self._is_last:
            return [NoteKey(digit=digit)]
        commands, words = self._drop_everything()
        return [
            *commands,
            PressKey(reply_id=self._reply_id, digit=digit, caller_words=words),
        ]

    def _order_came(self) -> list[Command]:
        """A person's order goes before whatever is being said."""
        if self._is_last:
            return []
        commands, words = self._drop_everything()
        return [*commands, ObeyOrder(reply_id=self._reply_id, caller_words=words)]

    def _drop_everything(self) -> tuple[list[Command], str]:
        """Cut what is said or being made; hand out what the caller said and nobody has answered."""
        commands: list[Command] = []
        said = [self.caller_words]
        if self._floor is Floor.THINKING:
            said.insert(0, self._answered)
        if self._floor in (Floor.THINKING, Floor.AGENT):
            commands.append(InterruptReply(reply_id=self._reply_id))
        self._forget_words()
        self._think(self.next_reply_id(), answered=" ".join(filter(None, said)))
        # A fact, and told as one: nobody takes it back by making a sound.
        self._is_interruptible = False
        return commands, self._answered

    def _and_hand_over(self, commands: list[Command]) -> list[Command]:
        """Between turns, and only there, the call can be given away without a word being lost."""
        if self._hands_over and self._floor is Floor.OPEN and self._hang_up_at is None:
            self._floor = Floor.ENDED
            return [*commands, HandOver()]
        return commands

    def _give_to_caller(self) -> None:
        if self._floor is Floor.PAUSE:
            # The same turn goes on; its backstop still counts from its beginning.
            self._floor = Floor.CALLER
        else:
            self._move(Floor.CALLER)

    # --- deadlines ---------------------------------------------------------------------------

    def _close_turn(self) -> list[Command]:
        """The caller's turn is over: answer it, or open the floor when it held no words."""
        words = self.caller_words
        if not words:
            self._awaits_words = False
            self._is_speaking = False
            self._move(Floor.OPEN)
            return []
        early = bool(self._interim) or self._awaits_words
        # At the backstop he may be speaking still, or a television is: it is answered all the same.
        self._is_speaking = False
        self._forget_words()
        self._think(self.next_reply_id(), answered=words)
        self._answered_early = early
        return [BeginReply(reply_id=self._reply_id, caller_words=words)]

    def _prompt(self) -> list[Command]:
        self._think(self.next_reply_id(), answered="")
        return [PromptCaller(reply_id=self._reply_id)]

    def _fill(self) -> list[Command]:
        self._filler_due = False
        return [PlayFiller(reply_id=self._reply_id)]

    def _fall_back(self) -> list[Command]:
        self._filler_due = self._fallback_due = False
        return [FallBack(reply_id=self._reply_id)]

    def _take_back(self) -> list[Command]:
        """The caller goes on before anything of the reply was heard: one turn, one answer."""
        if self._is_last:
            self._is_speaking = False
            return []
        if self._answered:
            self._finals.insert(0, self._answered)
        return self._interrupt()

    def _interrupt(self) -> list[Command]:
        reply_id = self._reply_id
        self._reply_id = 0
        self._move(Floor.CALLER)
        return [InterruptReply(reply_id=reply_id)]

    def _give_up(self) -> list[Command]:
        """Backstop: a reply that never came, or never ended."""
        reply_id = self._reply_id
        if self._is_last:
            return [InterruptReply(reply_id=reply_id), *self._hang_up()]
        if self._floor is Floor.THINKING and self._answered:
            self._finals.insert(0, self._answered)
        self._reply_id = 0
        self._open_floor()
        return [InterruptReply(reply_id=reply_id)]

    def _hang_up(self) -> list[Command]:
        self._floor, self._hang_up_at = Floor.ENDED, None
        return [HangUp()]

    # --- the agent ---------------------------------------------------------------------------

    def _is_current(self, reply_id: int) -> bool:
        """The one place where late events of old replies are dropped."""
        return reply_id == self._reply_id and self._floor in (Floor.THINKING, Floor.AGENT)

    def _think(self, reply_id: int, *, answered: str) -> None:
        self._reply_id = reply_id
        self._answered = answered
        self._answered_early = False
        self._is_interruptible = True
        self._filler_due = self._fallback_due = True
        self._move(Floor.THINKING)

    def _played(self) -> list[Command]:
        self._reply_id = 0
        if self._is_last:
            self._hang_up_at = Ms(self._now + self._policy.drain_ms)
            return []
        self._open_floor()
        return []

    def _script_ended(self) -> list[Command]:
        self._is_last = True
        if self._floor in (Floor.OPEN, Floor.CALLER, Floor.PAUSE):
            # Nothing plays that could be waited for.
            self._hang_up_at = Ms(self._now + self._policy.drain_ms)
        return []

    def _failed(self) -> list[Command]:
        if self._floor is Floor.THINKING and self._fallback_due:
            return self._fall_back()
        return self._played()

    def _open_floor(self) -> None:
        """Nobody speaks for the agent: what the caller said meanwhile is the next turn."""
        if self._is_speaking:
            self._move(Floor.CALLER)
        elif self.caller_words or self._awaits_words:
            self._move(Floor.PAUSE)
        else:
            self._move(Floor.OPEN)

    def _move(self, floor: Floor) -> None:
        self._floor = floor
        self._since = self._now

    def _forget_words(self) -> None:
        self._finals, self._interim = [], ""
        self._awaits_words = False
