"""What the bench knows because it made it: callers' words with their times, the agent's words by their sounds' numbers."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import dataclass, field

from bench.turns.sounds import Word

FAULTS_OF_A_CALL = ("silent_stt", "lost_final", "stt_closed", "lost_mark")
FAULTS_OF_A_REQUEST = ("slow_model", "model_500", "voice_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Of the emulated vendors, in ms."""

    interim_ms: float = 100
    """Behind the audio."""
    every_ms: float = 100
    """Between interims while words come."""
    final_ms: float = 250
    """After the last sound, at the earliest."""
    after_finalize_ms: float = 50
    first_token_ms: float = 300
    token_ms: float = 12
    slow_first_token_ms: float = 4500
    first_audio_ms: float = 120
    faster_than_real_time: float = 4.0
    jitter: float = 0.03
    """Standard deviation, as a share; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWord:
    """A word that the voice spoke."""

    number: int
    text: str
    context: str
    """The voice's request that it belongs to."""
    ms: int


@dataclass(slots=True)
class CallTruth:
    """One caller's side."""

    number: int
    words: list[Word] = field(default_factory=list)
    """In ms of the stream, in order; some of them may lie ahead."""
    fault: str = ""
    """What goes wrong with the present utterance."""


@dataclass(slots=True)
class Truth:
    """All calls of a run."""

    latencies: Latencies
    seed: int = 1
    fault_share: float = 0.0
    """Of the model's and the voice's requests."""
    has_word_times: bool = True
    calls: dict[int, CallTruth] = field(default_factory=dict)
    agent_words: dict[int, AgentWord] = field(default_factory=dict)
    contexts: dict[str, list[AgentWord]] = field(default_factory=dict)
    model_requests: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    on_their_way: set[asyncio.Task[None]] = field(default_factory=set)
    """Messages on their way."""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        self._chance.seed(self.seed)

    def seconds(self, ms: float) -> float:
        """A latency as it comes out this time."""
        jitter = self._chance.gauss(0, self.latencies.jitter) if self.latencies.jitter else 0.0
        return max(0.0, ms * (1 + max(-0.1, min(0.1, jitter))) / 1000)

    def strikes(self, fault: str) -> bool:
        """Whether this request gets the fault."""
        if self._chance.random() >= self.fault_share:
            return False
        self.count(fault)
        return True

    def count(self, fault: str) -> None:
        """A fault happened."""
        self.faults[fault] = self.faults.get(fault, 0) + 1

    def speak(self, context: str, text: str, ms: int) -> AgentWord:
        """A new word of the agent's."""
        word = AgentWord(number=next(self._numbers), text=text, context=context, ms=ms)
        self.agent_words[word.number] = word
        self.contexts.setdefault(context, []).append(word)
        return word
