"""Speech whose words a simulator can read back from the audio itself, torn ones included.

A word is a run of one byte, loud in mu-law, as long as that word always is: whoever is sent only a part of it hears
something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from media_gateway.twilio.mulaw import BYTES_PER_MS, SILENCE

WORDS = tuple(
    "yes no we own it the house since six years about one hundred dollars month roof asphalt old "
    "what is this not interested thursday at ten fine my husband decides so would have ask him "
    "first rent that too expensive stop please call me again tomorrow morning".split()
)
GAP_MS = 40
FRAME_BYTES = 160


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A word in the audio, ms from the audio's first byte."""

    text: str
    begin_ms: float
    end_ms: float
    is_over: bool
    """Something else follows it."""


def word_ms(number: int) -> int:
    """How long this word always is."""
    return 120 + 20 * (number % 9)


def spoken(numbers: Sequence[int], *, pause_ms: int = GAP_MS) -> bytes:
    """These words, a pause behind each."""
    parts = []
    for number in numbers:
        parts.append(bytes([number]) * word_ms(number) * BYTES_PER_MS)
        parts.append(silence(pause_ms))
    return b"".join(parts)


def silence(ms: int) -> bytes:
    """Nothing."""
    return bytes([SILENCE]) * ms * BYTES_PER_MS


def frames(audio: bytes) -> list[bytes]:
    """As a telephone line delivers it: 20 ms each."""
    return [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]


class Listener:
    """Reads words from audio as it comes."""

    def __init__(self) -> None:
        self.heard_bytes = 0
        self.words: list[Heard] = []
        self._value = SILENCE
        self._begin = 0

    @property
    def heard_ms(self) -> float:
        """Of all audio."""
        return self.heard_bytes / BYTES_PER_MS

    @property
    def quiet_ms(self) -> float:
        """Since the last word."""
        if self._value != SILENCE:
            return 0.0
        return (self.heard_bytes - self._begin) / BYTES_PER_MS

    def hear(self, audio: bytes) -> None:
        """The next audio."""
        for value in audio:
            if value != self._value:
                self._over()
                self._value, self._begin = value, self.heard_bytes
            self.heard_bytes += 1

    def present(self) -> Heard | None:
        """The word that is being spoken."""
        return None if self._value == SILENCE else self._word(is_over=False)

    def _over(self) -> None:
        if self._value != SILENCE:
            self.words.append(self._word(is_over=True))

    def _word(self, *, is_over: bool) -> Heard:
        length = self.heard_bytes - self._begin
        is_whole = length == word_ms(self._value) * BYTES_PER_MS
        return Heard(
            text=WORDS[self._value] if is_whole else f"torn-{WORDS[self._value]}",
            begin_ms=self._begin / BYTES_PER_MS,
            end_ms=self.heard_ms,
            is_over=is_over,
        )
