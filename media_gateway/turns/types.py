"""PURE. The vocabulary of turn-taking: events in, commands out, the policy between them.

Times are integer milliseconds since the media stream's `start`, so that equal means equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NewType

Ms = NewType("Ms", int)
"""Milliseconds since the media stream's `start`."""


class Floor(Enum):
    """Who holds the floor."""

    OPEN = "open"
    """Nobody speaks; the caller is expected to."""
    CALLER = "caller"
    """The caller speaks."""
    PAUSE = "pause"
    """The caller paused; the turn may or may not be over."""
    THINKING = "thinking"
    """The caller's turn is over and the reply has no audio yet."""
    AGENT = "agent"
    """The agent's audio plays."""
    OVERLAP = "overlap"
    """The caller made a sound over a reply: it is held back until it is clear whether he wants the floor."""
    ENDED = "ended"
    """The script is over or the line is gone: nothing more is said."""


# --- events: past facts ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStarted:
    """The voice detector hears the caller."""

    at: Ms | None = None
    """When the sound began; None: when the event came."""
    is_faint: bool = False
    """Clearly below this caller's own level: a second voice, babble, the agent's echo. Takes no floor from the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStopped:
    """The voice detector no longer hears the caller."""

    at: Ms | None = None
    """When the last sound was; None: when the event came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterimWords:
    """The recogniser's unfinished text of the present span; replaces the one before."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalWords:
    """A span's finished text; the turn's words are all of them joined. May be empty (a `Finalize` with nothing to say)."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfTurnEstimated:
    """The ear's belief, renewed at every step of a pause and with every new word."""

    p: float
    """Probability that the caller's turn ends in this pause, given everything so far; 0 to 1, calibrated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorEndOfTurn:
    """The recogniser's own end-of-turn (`speech_final`, `UtteranceEnd`, Flux `EndOfTurn`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorEagerEnd:
    """The recogniser believes, less firmly, that the turn ends here (Flux `EagerEndOfTurn`), or believes it no more."""

    is_taken_back: bool = False
    """He goes on (Flux `TurnResumed`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfHeard:
    """The caller pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTurnOpened:
    """The session begins an agent turn by itself: the first line, or a resume line."""

    reply_id: int
    resumes: bool = False
    """The call was in the middle of something: whoever speaks when the line begins has lost the beginning of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWords:
    """Words of a reply, also of one begun ahead, were handed to the voice: what comes back of them is the agent's echo."""

    reply_id: int
    text: str
    are_opener: bool = False
    """Short first words whose audio is there: let out, they are heard at once, long before the answer could be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyStarted:
    """The first audio of a reply went to the wire (again for each part whose interruptibility differs)."""

    reply_id: int
    interruptible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPaused:
    """Told by the session at once after `PauseReply`: what of the reply the caller has not heard yet."""

    reply_id: int
    unheard_ms: int
    """Audio delivered by the voice and not heard; 0 with `is_whole` means that everything was heard."""
    is_whole: bool
    """The voice has delivered all of the reply: `unheard_ms` is all that is left of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyPlayed:
    """The last mark of a reply came back without a `clear`: it was heard to its end."""

    reply_id: int
    at: Ms | None = None
    """When that was; None: when the event came. A mark that was lost is waited for in vain, and he may have spoken meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFailed:
    """A reply ended without audio, or its audio broke off, and nothing more of it will come."""

    reply_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEnded:
    """What plays now is the last of the call; no turn follows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecogniserLost:
    """The recogniser's stream broke off: what it had not finished will never be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCame:
    """A supervisor takes the call in hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOverDue:
    """This gateway is to stop: give the call away as soon as nobody is in the middle of anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLost:
    """The media is gone."""


Event = (
    SpeechStarted
    | SpeechStopped
    | InterimWords
    | FinalWords
    | EndOfTurnEstimated
    | VendorEndOfTurn
    | VendorEagerEnd
    | DtmfHeard
    | AgentTurnOpened
    | AgentWords
    | ReplyStarted
    | ReplyPaused
    | ReplyPlayed
    | ReplyFailed
    | ScriptEnded
    | RecogniserLost
    | OrderCame
    | HandOverDue
    | LineLost
)


# --- commands: imperatives, carried out in order -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushRecogniser:
    """Ask the recogniser to finish what it has (`Finalize`): we hear the end of speech before it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginReply:
    """Answer these words. The machine hands out the id."""

    reply_id: int
    caller_words: str
    is_ahead: bool = False
    """The turn may not be over: make the reply and hold its audio, without any effect, until `CommitReply` or `DropReply`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReply:
    """The caller's turn is over, and these are its words: let out what was begun ahead."""

    reply_id: int
    caller_words: str
    """As they stand now: the same as those of `BeginReply` but for capitals and punctuation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropReply:
    """The caller goes on: discard what was begun ahead. It never happened, but it was paid for."""

    reply_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayFiller:
    """The reply has no words yet: say a filler line under the same id."""

    reply_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FallBack:
    """The reply is too late: drop the model and speak the stage's authored line under the same id."""

    reply_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseReply:
    """A sound over the reply: `clear` at once and keep the unheard rest; answered by `ReplyPaused`."""

    reply_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeReply:
    """It was nothing: go on from the first word that was not heard whole."""

    reply_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InterruptReply:
    """The caller took the floor: cancel generation and speech, send `clear`."""

    reply_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCaller:
    """Nobody has spoken for too long: tell the script that the caller is silent, speak what it answers."""

    reply_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PressKey:
    """Tell the script of a key press, speak what it answers."""

    reply_id: int
    digit: str
    caller_words: str = ""
    """Said before it, and not answered: they belong to this turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A key over the last words of the call: the script is told, and nothing more is spoken."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObeyOrder:
    """Tell the script of the supervisor's order, speak what it answers."""

    reply_id: int
    caller_words: str = ""
    """As for a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """Close the media without hanging up: the carrier will ask where to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """Everything was heard, or waiting for it makes no sense any more: close the media."""


Command = (
    FlushRecogniser
    | BeginReply
    | CommitReply
    | DropReply
    | PlayFiller
    | FallBack
    | PauseReply
    | ResumeReply
    | InterruptReply
    | PromptCaller
    | PressKey
    | NoteKey
    | ObeyOrder
    | HandOver
    | HangUp
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPolicy:
    """When to speak, wait and stop. Milliseconds (`_ms`), probabilities from 0 to 1 (`_p`), or counts."""

    # --- the end of a turn, by the ear's belief ---
    eager_p: float = 0.5
    """Belief from which an answer is begun ahead, its audio held."""
    commit_p: float = 0.8
    """Belief from which the turn is over, once he is silent for long enough and his words are settled."""
    least_pause_ms: int = 200
    """Silence without which no belief ends a turn."""
    opener_p: float = 0.8
    opener_pause_ms: int = 300
    """Belief and silence from which an opener is let out: it is heard in this very moment."""
    held_pause_ms: int = 500
    """Silence that an answer begun ahead is held for otherwise. It is hardly ready sooner, so this costs nothing, and a
    caller who goes on meanwhile is not cut in on."""
    most_learnt_pause_ms: int = 800
    """The same for a caller who was cut in on: what is learnt of him never asks for more."""
    words_lag_ms: int = 150
    """Unfinished words that come this long after the last sound hold all of it."""
    final_wait_ms: int = 1500
    """Unfinished words whose final form has not come this long after the last sound count as they stand."""
    estimate_stale_ms: int = 300
    """In a pause without an estimate for this long the ear is taken for dead, and the fixed pauses rule."""
    longest_pause_ms: int = 1800
    """A turn with words is over after this much silence, whatever the ear believes."""

    # --- the same without an ear ---
    end_pause_ms: int = 700
    """Silence after which a turn that sounds finished is over."""
    unfinished_pause_ms: int = 1500
    """The same when the words so far end in mid-sentence (`and`, `um`, `my`, a comma)."""
    flush_after_ms: int = 450
    """Silence after which the recogniser is asked to finish: sooner would tear sentences apart at every comma."""
    words_wait_ms: int = 2500
    """Longest wait for the recogniser's final words after speech stopped; then the interim words count."""
    unheard_speech_ms: int = 700
    """Speech this long to which the recogniser says nothing at all is asked about at once: it may be gone."""
    short_speech_ms: int = 180
    """The same where nothing was asked about since the last words: a "yes" may be lost, too. A shorter sound was a click."""
    clear_speech_ms: int = 1200
    """Sounds this long, at the caller's own level, in which the recogniser knew no word: asked about once."""

    # --- answers begun ahead ---
    ahead_per_turn: int = 3
    """Answers begun ahead in one turn, at most."""
    waste_share: float = 0.5
    """Answers dropped per answered turn of the call, at most;"""
    waste_free: int = 1
    """and so many more."""

    # --- sounds over the agent ---
    overlap_wait_ms: int = 300
    """A sound over the agent of which no word came within this time after its end was nothing."""
    longest_overlap_ms: int = 2500
    """Nor was a sound of which no word came for this long, though it goes on."""
    most_pauses: int = 2
    """After so many pauses of one reply that were nothing only words stop it."""
    answered_ahead_ms: int = 700
    """A "yes" when only this much of a reply is unheard answers its question; before that it says: go on."""

    # --- deadlines ---
    filler_after_ms: int = 1800
    """No reply audio this long after the turn's end: a filler. An end that was seen later than `end_pause_ms` after the
    caller's last sound counts from there,"""
    filler_least_ms: int = 500
    """but a reply has this long at least: it is hardly there sooner."""
    fallback_after_ms: int = 5000
    """Still none: the stage's authored line. A caller hears three seconds of silence, behind a filler too, as an end."""
    silence_ms: int = 8000
    """Nobody speaks for this long, or a sound goes on for this long without a word: prompt the caller."""
    unsaid_ms: int = 1000
    """The same after an answer of which nothing could be said, its fallback neither: the caller waits for it."""
    longest_turn_ms: int = 60_000
    """Backstop: a caller's turn is answered, and an agent's cut off, at the latest after this."""
    stuck_ms: int = 15_000
    """Backstop: no audio this long after the fallback was asked for; the floor is open again."""
    torn_before_ms: int = 250
    """Speech that is heard this soon on a stream that takes a call up began before it: its beginning is lost."""
    drain_ms: int = 300
    """Between the last mark and the hang-up, so that the last word is not clipped on the line."""


@dataclass(slots=True, kw_only=True)
class TurnCounts:
    """What became of a call's turns so far. Written by the machine alone."""

    turns_answered: int = 0
    turns_taken_back: int = 0
    """Answers that nobody heard, because the caller went on."""
    ahead_begun: int = 0
    ahead_committed: int = 0
    ahead_dropped: int = 0
    """Begun ahead and paid for in vain."""
    pauses_resumed: int = 0
    """Sounds over a reply that were nothing."""
    pauses_yielded: int = 0
    """Sounds over a reply that took the floor."""
