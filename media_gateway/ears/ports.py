"""What a call session asks of the ears, and what the ears ask of the end-of-turn model. 8 kHz G.711 mu-law, mono."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

import numpy as np
import numpy.typing as npt

from media_gateway.ears.counts import EarCounts
from media_gateway.speech.ports import VoiceChange

STEP_MS = 32
"""Audio of one step of the speech model: 256 samples at 8 kHz."""


class Expectation(Enum):
    """What the stage's question asks for: how an answer to it sounds when it is complete."""

    FREE = "free"
    YES_NO = "yes_no"
    CHOICE = "choice"
    NUMBER = "number"
    """A number, an amount, a telephone number: said in groups, with pauses between them."""
    SPELLED = "spelled"
    """A name or an e-mail address, said slowly or letter by letter."""
    DATE_TIME = "date_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndEstimate:
    """See `media_gateway.turns.types.EndOfTurnEstimated`."""

    p: float


EarEvent = VoiceChange | EndEstimate


class Ear(Protocol):
    """One call's ear. What it finds is handed to the callback that it was opened with, within 10 ms, on the event loop.

    The callback may call the ear, and close it. Events come from a tick, never from within one of the methods below.

    A sound over the agent that is clearly below this caller's own level begins as `VoiceChange(speaking=True,
    is_faint=True)`. When it grows loud, or goes on when the agent has ended, a second `VoiceChange(speaking=True,
    is_faint=False)` follows, of the time when it did; there is one `VoiceChange(speaking=False)` for both, faint only
    when the whole of the sound was. A voice far below the caller's own that talks on for a quarter of a second is taken
    for the background, whoever speaks: the sound ends where it fell, and only a loud one begins over it.
    """

    @property
    def counts(self) -> EarCounts:
        """Bad input of this call so far, a counter for each kind."""

    def hear(self, mulaw: bytes, at_ms: int) -> None:
        """Take the next audio, of any length. Never blocks, never raises; `at_ms` is the stream time of its first sample."""

    def words(self, text: str, *, is_final: bool) -> None:
        """The caller's unanswered words so far, as `TurnMachine.caller_words` has them; empty when a new turn begins."""

    def expect(self, expectation: Expectation, question: str) -> None:
        """What the agent asked last: its kind, and its words."""

    def habits(self, pauses_ms: Sequence[int]) -> None:
        """The caller's own pauses within turns so far, `TurnMachine.pauses_ms`; whenever they change."""

    def agent_speaks(self, is_speaking: bool) -> None:
        """Whether the agent's audio plays: the level gate is for sounds over it."""

    def close(self) -> None:
        """No more events. Idempotent."""


class Ears(Protocol):
    """All calls' ears of a process: one ONNX session, one batch a tick."""

    def open(self, tell: Callable[[EarEvent], None]) -> Ear:
        """An ear with fresh state. On the event loop that the ears belong to."""

    @property
    def counts(self) -> EarCounts:
        """Bad input and failures of all calls so far, those that are over too."""

    def close(self) -> None:
        """Nothing is told any more. After the last call; idempotent."""


Frames = npt.NDArray[np.float32]
"""`[T, 130]`: a row a step of 32 ms: the speech model's hidden state (128), its p(speech), the level in dBFS / 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseCheck:
    """Everything that is known at one moment of one call's pause."""

    audio: float | None
    """`EndModel.audio_scores` of the frames up to the last sound; None when there is too little audio."""
    text: float | None
    """`EndModel.text_score` of the caller's words; None without words."""
    words_are_final: bool
    words_age_ms: int
    """Since the words last changed."""
    silence_ms: int
    """Since the last sound; 0 while he speaks."""
    turn_ms: int
    """From the turn's first sound to its last."""
    expectation: Expectation
    pauses_ms: Sequence[int] = ()
    """This caller's own pauses within turns of this call so far: those after which he went on before the agent spoke."""


class EndModel(Protocol):
    """The end-of-turn model: trained in `endpointing/`, run here. Batched; a call takes well under a millisecond a check."""

    def audio_scores(self, frames: Sequence[Frames]) -> npt.NDArray[np.float32]:
        """Log odds that a turn whose last seconds sound like this is over; one each."""

    def text_score(self, words: str, *, question: str, expectation: Expectation) -> float:
        """Log odds that these words, with or without punctuation, are a whole answer to the question."""

    def estimate(self, checks: Sequence[PauseCheck]) -> npt.NDArray[np.float32]:
        """p(the turn ends in this pause | everything so far), calibrated; one each. Never falls with silence alone."""
