"""Scripted steps of a simulated voice, and sound in which every word can be found again."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from dataclasses import dataclass, field

BYTES_PER_MS = 8


@dataclass(frozen=True, kw_only=True)
class Connect:
    """A client connects."""

    status: int = 101
    retry_after: str = ""
    stalls: bool = False
    """The handshake is never answered."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with a text, after so many of its words were spoken."""

    after_words: int = 0
    close: int = 0
    """Close code."""
    reason: str = ""
    aborts: bool = False
    """The connection ends without a close frame."""
    is_silent: bool = False
    """Nothing more comes of it."""
    error: str = ""
    status: int = 500
    is_addressed: bool = True
    """The error names what it is of."""
    raw: str = ""
    """Sent in place of the next message; CONTEXT in it is the context's id."""
    late_s: float = 0.0
    """Before the next word."""


@dataclass(frozen=True, kw_only=True)
class Say:
    """A text to be spoken is asked for."""

    text: str
    fault: Fault | None = None


class Steps:
    """What is to happen. Texts of one wording are used up in their order, different ones in any."""

    def __init__(self, steps: tuple[Connect | Say, ...]) -> None:
        self._connects = deque(step for step in steps if isinstance(step, Connect))
        self._says: dict[str, deque[Say]] = defaultdict(deque)
        for step in steps:
            if isinstance(step, Say):
                self._says[step.text].append(step)
        self.wrong: list[str] = []
        """What was not expected, and what the protocol does not allow."""

    def connects(self) -> Connect:
        if not self._connects:
            self.wrong.append("another connection")
            return Connect(status=500)
        return self._connects.popleft()

    def says(self, text: str) -> Say:
        wanted = self._says[text]
        if not wanted:
            self.wrong.append(f"text {text!r}")
            return Say(text=text)
        return wanted.popleft()

    def check(self) -> None:
        """Raises AssertionError unless everything happened, and nothing else."""
        left = [repr(step) for step in self._connects]
        left += [repr(step) for wanted in self._says.values() for step in wanted]
        assert not self.wrong, f"not expected: {self.wrong}"
        assert not left, f"did not happen: {left}"


@dataclass
class WordSounds:
    """Every word is a run of its own byte, so that audio can be read. Words that follow one another must differ."""

    ms_per_word: int
    first_byte: int
    _bytes: dict[str, int] = field(default_factory=dict)
    _next: itertools.count[int] = field(default_factory=lambda: itertools.count())

    def of(self, word: str) -> bytes:
        if word not in self._bytes:
            self._bytes[word] = self.first_byte + next(self._next)
        return bytes([self._bytes[word]]) * self.ms_per_word * BYTES_PER_MS

    def read(self, byte: int) -> str | None:
        return next((word for word, value in self._bytes.items() if value == byte), None)


def heard(audio: bytes, *sounds: WordSounds) -> list[str]:
    """The words in audio; one that is not whole is told as `word~`."""
    words = []
    for byte, run in itertools.groupby(audio):
        length = len(list(run))
        for voice in sounds:
            word = voice.read(byte)
            if word is not None:
                whole = length == voice.ms_per_word * BYTES_PER_MS
                words.append(word if whole else f"{word}~")
                break
        else:
            words.append(f"?{byte}")
    return words
