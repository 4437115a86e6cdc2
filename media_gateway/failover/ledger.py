"""PURE. Of one reply: what was to be said, how much of it one voice delivered, and what is left for the next.

A switch happens between two words. Where the voice tells word times they say which; where it does not, the words are
spread over the audio at the pace that the voice was found to speak at.

    words      Hello   there,   how are | you today?
    delivered  ├────────────────────────|──┤ broke off in "you"
    taken back                          ├──┤
    next voice                          you today?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from media_gateway.speech.ports import WordTime

BYTES_PER_MS = 8
MS_PER_LETTER = 65.0
"""Before a voice's own pace is known: 15 letters and spaces a second."""


@dataclass(slots=True)
class Pace:
    """How fast a voice speaks, of what it spoke last."""

    ms_per_letter: float = MS_PER_LETTER

    def learn(self, text: str, audio_ms: int) -> None:
        """A whole segment took so long. Short ones teach nothing."""
        if len(text) >= 12 and audio_ms:
            self.ms_per_letter += 0.2 * (audio_ms / (len(text) + 1) - self.ms_per_letter)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where another voice goes on in a segment that was begun."""

    segment: int
    at_ms: int
    words: tuple[WordTime, ...]
    """Of the words before it, that nobody told the times of: for who keeps account of what is heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What the next voice has to say, and the cut before it, if one is needed."""

    parts: tuple[tuple[int, str], ...]
    cut: Cut | None


@dataclass(slots=True)
class _Spoken:
    segment: int
    text: str
    """Of it, what is to be said from `base_ms` on."""
    base_ms: int = 0
    """Where the present voice's audio begins: 0, or where it took over."""
    audio_bytes: int = 0
    """Delivered, from `base_ms` on."""
    words: list[WordTime] = field(default_factory=list)
    """Times that the present voice told, from `base_ms` on."""
    is_done: bool = False

    @property
    def audio_ms(self) -> int:
        return self.audio_bytes // BYTES_PER_MS


class Ledger:
    """One reply's. Segments are taken in the order in which they are to be spoken."""

    def __init__(self) -> None:
        self._segments: list[_Spoken] = []

    def said(self, segment: int, text: str) -> None:
        """To be spoken behind all that was said before."""
        self._segments.append(_Spoken(segment=segment, text=text))

    def delivered(self, segment: int, mulaw_bytes: int, words: Sequence[WordTime]) -> int | None:
        """The voice gave more of a segment. Returns what has to be added to the times of its words; None: too late."""
        spoken = self._find(segment)
        if spoken is None or spoken.is_done:
            return None
        spoken.audio_bytes += mulaw_bytes
        spoken.words += words
        return spoken.base_ms

    def done(self, segment: int, pace: Pace) -> tuple[WordTime, ...]:
        """A segment is whole. Returns times for the words of a second voice that told none: half an account is none."""
        spoken = self._find(segment)
        if spoken is None or spoken.is_done:
            return ()
        spoken.is_done = True
        if not spoken.base_ms:
            pace.learn(spoken.text, spoken.audio_ms)
        if spoken.words or not spoken.base_ms:
            return ()
        return shifted(_spread(spoken.text, spoken.audio_ms), spoken.base_ms)

    @property
    def is_pending(self) -> bool:
        """Something was said that the voice has not delivered whole."""
        return any(not spoken.is_done for spoken in self._segments)

    @property
    def has_mute(self) -> bool:
        """Something has words, and no sound was delivered of them."""
        return any(not s.audio_bytes and not s.is_done and _letters(s.text) for s in self._segments)

    @property
    def has_words(self) -> bool:
        """Something that is not whole has words."""
        return any(not s.is_done and _letters(s.text) for s in self._segments)

    @property
    def undone(self) -> tuple[int, ...]:
        """Segments that are not whole."""
        return tuple(spoken.segment for spoken in self._segments if not spoken.is_done)

    def rest(self, pace: Pace) -> Rest:
        """What another voice would have to say now. No effect."""
        parts: list[tuple[int, str]] = []
        cut: Cut | None = None
        for spoken in self._segments:
            if spoken.is_done:
                continue
            if not spoken.audio_bytes:
                parts.append((spoken.segment, spoken.text))
                continue
            at_ms, text, words = _cut(spoken, pace)
            cut = Cut(segment=spoken.segment, at_ms=spoken.base_ms + at_ms, words=words)
            parts.append((spoken.segment, text))
        return Rest(parts=tuple(parts), cut=cut)

    def taken_over(self, rest: Rest) -> None:
        """Another voice speaks from here on what `rest` told of it."""
        texts = dict(rest.parts)
        for spoken in self._segments:
            if spoken.is_done or spoken.segment not in texts:
                continue
            spoken.text = texts[spoken.segment]
            spoken.audio_bytes, spoken.words = 0, []
            if rest.cut is not None and rest.cut.segment == spoken.segment:
                spoken.base_ms = rest.cut.at_ms

    def _find(self, segment: int) -> _Spoken | None:
        return next((spoken for spoken in self._segments if spoken.segment == segment), None)


def _cut(spoken: _Spoken, pace: Pace) -> tuple[int, str, tuple[WordTime, ...]]:
    """Where in the present voice's audio to cut, the words left, and times of those before that nobody told."""
    tokens = spoken.text.split()
    if spoken.words:
        whole = [word for word in spoken.words if word.end_ms <= spoken.audio_ms]
        count = _tokens_in(tokens, whole)
        if count is not None:
            at_ms = whole[-1].end_ms if whole else 0
            follows = spoken.words[len(whole) : len(whole) + 1]
            if follows and follows[0].start_ms <= spoken.audio_ms:
                at_ms = max(at_ms, follows[0].start_ms)  # the pause between two words is kept
            return at_ms, " ".join(tokens[count:]), ()
    times = _spread(spoken.text, round((len(spoken.text) + 1) * pace.ms_per_letter))
    # All but the last word at most: a guess must not take for spoken what nobody said was.
    before = [word for word in times[:-1] if word.end_ms <= spoken.audio_ms]
    at_ms = before[-1].end_ms if before else 0
    told = () if spoken.words else shifted(before, spoken.base_ms)
    return at_ms, " ".join(tokens[len(before) :]), told


def _tokens_in(tokens: Sequence[str], words: Sequence[WordTime]) -> int | None:
    """How many words of the text these are, by their letters; None when the two do not agree."""
    wanted = sum(len(_letters(word.word)) for word in words)
    said = "".join(_letters(word.word) for word in words)
    reached = 0
    for count, token in enumerate(tokens):
        letters = _letters(token)
        if reached == wanted and letters:
            return count
        if said[reached : reached + len(letters)] != letters:
            return None
        reached += len(letters)
    return len(tokens) if reached == wanted else None


def _letters(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def _spread(text: str, total_ms: int) -> list[WordTime]:
    tokens = text.split()
    letters = sum(len(token) + 1 for token in tokens)
    times, reached = [], 0
    for token in tokens:
        start = total_ms * reached // letters
        reached += len(token) + 1
        times.append(WordTime(word=token, start_ms=start, end_ms=total_ms * reached // letters))
    return times


def shifted(words: Sequence[WordTime], by_ms: int) -> tuple[WordTime, ...]:
    """The same words, so much later."""
    return tuple(
        WordTime(word=w.word, start_ms=w.start_ms + by_ms, end_ms=w.end_ms + by_ms) for w in words
    )
