"""PURE. Knows phrases by their sound: on a line that loses nothing, a known phrase is the same frames every time.

What did not arrive is not heard: no audio, no words. An `Ear` follows a line frame by frame and says which phrase is
heard, from where to where; `words_within` says which words those frames hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from media_gateway.twilio.mulaw import FRAME_BYTES, SILENCE
from rehearsal.audio import Samples, to_mulaw

FRAME_MS = 20
LONGEST_STALL = 50
"""Frames: a second."""
_QUIET = bytes([SILENCE]) * FRAME_BYTES
_NEGATIVE_ZERO = bytes.maketrans(b"\x7f", b"\xff")
"""Both bytes are digital silence; arithmetic on the way turns one into the other."""
News = Iterable[tuple[str, Samples]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A known phrase."""

    words: str
    frames: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A stretch of a phrase, in frames of 20 ms; `to` is behind the last."""

    phrase: Phrase
    from_: int
    to: int
    is_certain: bool = True
    """False where it broke off while it could still have been another phrase, which begins alike."""
    stalled: int = 0
    """Frames of silence within it that are no part of the phrase: the sender was late."""
    ago: int = 0
    """Frames since it ended."""

    @property
    def words(self) -> str:
        """The words that these frames hold."""
        return words_within(self.phrase.words, self.from_, self.to, len(self.phrase.frames))

    @property
    def is_whole(self) -> bool:
        """From its first frame to its last."""
        return self.from_ == 0 and self.to == len(self.phrase.frames)


class PhraseBook:
    """Known phrases by their frames. `news` is asked for more whenever an unknown sound is looked up."""

    def __init__(self, news: Callable[[], News] = lambda: ()) -> None:
        self._news = news
        self._places: dict[bytes, list[tuple[Phrase, int]]] = {}

    def add(self, words: str, samples: Samples) -> None:
        """Learn a phrase; silence at its ends is no part of it."""
        frames = frames_of(to_mulaw(samples))
        sounds = [number for number, frame in enumerate(frames) if frame != _QUIET]
        if not sounds:
            return
        phrase = Phrase(words=words, frames=tuple(frames[sounds[0] : sounds[-1] + 1]))
        for number, frame in enumerate(phrase.frames):
            if frame != _QUIET:
                self._places.setdefault(frame, []).append((phrase, number))

    def places(self, frame: bytes) -> list[tuple[Phrase, int]]:
        """Where this frame occurs; nowhere for silence."""
        if frame == _QUIET:
            return []
        if frame not in self._places:
            for words, samples in self._news():
                self.add(words, samples)
        return self._places.get(frame, [])


class Ear:
    """Follows one line. Each `hear` takes 20 ms of mu-law and returns a phrase that ended before it, if one did.

    A phrase that falls silent in its middle and goes on where it stopped within `LONGEST_STALL` is one phrase: so a
    person understands it too.
    """

    def __init__(self, book: PhraseBook) -> None:
        self._book = book
        self._following: list[Heard] = []
        """What this may be, of phrases that begin alike; the nearest to its phrase's beginning first."""
        self._quiet = 0
        """Frames of silence since they broke off."""

    def hear(self, mulaw: bytes) -> Heard | None:
        """The line's next frame."""
        frame = _plain(mulaw)
        following = [
            replace(heard, to=heard.to + 1, stalled=heard.stalled + self._quiet)
            for heard in self._following
            if heard.to < len(heard.phrase.frames) and heard.phrase.frames[heard.to] == frame
        ]
        if following:
            self._following, self._quiet = following, 0
            return None
        ended = self.now()
        if (
            ended is not None
            and frame == _QUIET
            and not ended.is_whole
            and ended.ago < LONGEST_STALL
        ):
            self._quiet += 1
            return None
        places = sorted(self._book.places(frame), key=lambda place: place[1])
        if ended is not None and (longer := _gone_on(ended, places)):
            self._following, self._quiet = longer, 0
            return None
        self._quiet = 0
        self._following = [Heard(phrase=phrase, from_=at, to=at + 1) for phrase, at in places]
        return ended

    def now(self) -> Heard | None:
        """What is being heard, as far as it came; of phrases that sound alike so far one that is whole, else any."""
        following = self._following
        if not following:
            return None
        likeliest = min(following, key=lambda heard: not heard.is_whole)
        return replace(
            likeliest, is_certain=likeliest.is_whole or len(following) == 1, ago=self._quiet
        )


def _gone_on(ended: Heard, places: list[tuple[Phrase, int]]) -> list[Heard]:
    """Phrases that begin like the one that seemed to end here, and were learned only now."""
    heard = ended.phrase.frames[ended.from_ : ended.to]
    return [
        Heard(phrase=phrase, from_=at - len(heard), to=at + 1, stalled=ended.stalled + ended.ago)
        for phrase, at in places
        if phrase is not ended.phrase
        and at >= len(heard)
        and phrase.frames[at - len(heard) : at] == heard
    ]


class LookupRecogniser:
    """Stands in for a recogniser where many calls share a small machine: the words of known phrases, by their frames."""

    def __init__(self, book: PhraseBook) -> None:
        self._book = book

    def words(self, samples: Samples) -> str:
        """What is said in these 8 kHz samples, whose length and place are whole frames of the line."""
        ear = Ear(self._book)
        ended = [ear.hear(frame) for frame in frames_of(to_mulaw(samples))]
        said = [heard.words for heard in (*ended, ear.now()) if heard is not None]
        return " ".join(filter(None, said))


def frames_of(mulaw: bytes) -> list[bytes]:
    """Cut into frames, the last one filled up with silence."""
    padded = _plain(mulaw) + _QUIET[len(mulaw) % FRAME_BYTES or FRAME_BYTES :]
    return [padded[at : at + FRAME_BYTES] for at in range(0, len(padded), FRAME_BYTES)]


def words_within(text: str, from_: int, to: int, frames: int) -> str:
    """The words that lie wholly between two frames, time being spread over the words by their letters."""
    words = text.split()
    per_letter = frames / max(1, sum(len(word) + 1 for word in words))
    within, at = [], 0.0
    for word in words:
        # The gap behind a word is no part of it; the half frame forgives rounding.
        end = at + len(word) * per_letter
        if at >= from_ - 0.5 and end <= to + 0.5:
            within.append(word)
        at = end + per_letter
    return " ".join(within)


def _plain(mulaw: bytes) -> bytes:
    return mulaw.translate(_NEGATIVE_ZERO)
