"""PURE. Where in a segment's audio each of its words ends: by the voice's word times, else spread over the letters."""

from __future__ import annotations

from collections.abc import Sequence

from media_gateway.speech.ports import WordTime

MS_PER_LETTER = 80
"""Of a voice that takes its time; for audio that is still coming. Too slow is safe: it books fewer words as heard."""


def word_times(
    text: str, given: Sequence[WordTime], *, audio_ms: int, is_complete: bool
) -> tuple[WordTime, ...]:
    """The words with their times in ms from the segment's first audio.

    Where the voice gives none, each word takes a share of the audio by its letters. Given times may still be coming.
    """
    if given:
        return tuple(given)
    words = text.split()
    letters = sum(len(word) + 1 for word in words)
    total_ms = audio_ms if is_complete else max(audio_ms, letters * MS_PER_LETTER)
    times, reached = [], 0
    for word in words:
        start_ms = total_ms * reached // letters
        reached += len(word) + 1
        times.append(
            WordTime(word=word, start_ms=start_ms, end_ms=-(-total_ms * reached // letters))
        )
    return tuple(times)


def heard_until(times: Sequence[WordTime], position_ms: int) -> str:
    """The words that end at or before this place."""
    return " ".join(word.word for word in times if word.end_ms <= position_ms)


def goes_on_at(times: Sequence[WordTime], position_ms: int, *, is_complete: bool) -> int:
    """Where to speak on so that no word is lost: the start of the first word that ends after this place.

    Past the last of them: this place, when there are no more; else the last known end, since what follows it is unknown.
    """
    for word in times:
        if word.end_ms > position_ms:
            return max(0, word.start_ms)
    return position_ms if is_complete or not times else times[-1].end_ms
