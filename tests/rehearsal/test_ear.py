"""A known phrase is known by its frames: as far as they came, and no further."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rehearsal.audio import Samples, from_mulaw, to_mulaw
from rehearsal.ear import (
    FRAME_MS,
    LONGEST_STALL,
    Ear,
    Heard,
    LookupRecogniser,
    PhraseBook,
    frames_of,
    words_within,
)
from rehearsal.shelf import Shelf

QUIET = b"\xff" * 160
SORRY = "Sorry, we were cut off."
ROOF, BILL = f"{SORRY} What roof?", f"{SORRY} What bill?"


def sound(seed: str, ms: int) -> Samples:
    """Noise that is the same for the same seed, and like no other."""
    chance = np.random.default_rng(list(seed.encode()))
    return chance.uniform(-0.5, 0.5, 8 * ms).astype(np.float32)


PHRASES: dict[str, Samples] = {
    "Yes, of course I do.": sound("yes", 900),
    ROOF: np.concatenate((sound("sorry", 600), sound("roof", 410))),
    BILL: np.concatenate((sound("sorry", 600), sound("bill", 410))),
}


def book() -> PhraseBook:
    found = PhraseBook()
    for words, samples in PHRASES.items():
        found.add(words, samples)
    return found


def listen(*frames: bytes) -> list[Heard]:
    """Everything heard, the line falling silent for good at the end."""
    ear = Ear(book())
    heard = [ear.hear(frame) for frame in (*frames, *[QUIET] * (LONGEST_STALL + 2))]
    return [h for h in heard if h is not None]


def line(words: str) -> list[bytes]:
    return frames_of(to_mulaw(PHRASES[words]))


def test_a_phrase_is_heard_whole() -> None:
    (heard,) = listen(QUIET, QUIET, *line(ROOF), QUIET)
    assert (heard.words, heard.is_whole, heard.is_certain) == (ROOF, True, True)


def test_two_phrases_that_touch_are_two() -> None:
    heard = listen(*line(ROOF), *line(BILL))
    assert [h.words for h in heard] == [ROOF, BILL]


def test_what_did_not_arrive_was_not_said() -> None:
    (heard,) = listen(*line(ROOF)[:42])
    assert not heard.is_whole
    assert ROOF.startswith(heard.words)
    assert SORRY in heard.words
    assert heard.phrase.words == ROOF


def test_what_broke_off_while_it_could_be_either_is_neither_for_certain() -> None:
    (heard,) = listen(*line(ROOF)[:10])
    assert not heard.is_certain


def test_a_stall_in_mid_phrase_does_not_make_two_of_it() -> None:
    frames = line(ROOF)
    (heard,) = listen(*frames[:20], *[QUIET] * 9, *frames[20:])
    assert (heard.words, heard.stalled) == (ROOF, 9)


def test_silence_longer_than_a_stall_ends_it_and_the_end_is_where_it_broke_off() -> None:
    frames = line(ROOF)
    first, second = listen(*frames[:40], *[QUIET] * (LONGEST_STALL + 5), *frames[40:])
    assert first.ago == LONGEST_STALL
    assert (first.to, second.from_) == (40, 40)


def test_an_unknown_sound_is_no_phrase() -> None:
    assert listen(*frames_of(to_mulaw(sound("a cough", 500)))) == []


def test_the_recogniser_gives_the_words_of_what_it_was_given() -> None:
    recogniser = LookupRecogniser(book())
    silence = np.zeros(160 * 15, dtype=np.float32)
    # Over the wire and back, as a recogniser gets it.
    yes = from_mulaw(b"".join(line("Yes, of course I do.")))
    assert recogniser.words(np.concatenate((silence, yes, silence))) == "Yes, of course I do."
    assert recogniser.words(np.concatenate((silence, yes[: len(yes) // 2]))) == "Yes, of"
    assert recogniser.words(silence) == ""


def test_words_are_spread_by_their_letters() -> None:
    assert words_within("aa bb cc", 0, 9, 9) == "aa bb cc"
    assert words_within("aa bb cc", 0, 5, 9) == "aa bb"
    assert words_within("aa bb cc", 3, 9, 9) == "bb cc"
    assert words_within("aa bb cc", 4, 5, 9) == ""


def test_a_book_learns_what_is_said_while_it_listens(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    ear = Ear(PhraseBook(Shelf(tmp_path).news))
    kept = shelf.put("New words.", sound("new", 200))
    heard = [ear.hear(frame) for frame in (*frames_of(to_mulaw(kept)), QUIET)]
    assert [h.words for h in heard if h] == ["New words."]


def test_a_shelf_keeps_phrases_for_other_processes(tmp_path: Path) -> None:
    kept = Shelf(tmp_path).put("Hello.", sound("hello", 100))
    again = Shelf(tmp_path).get("Hello.")
    assert again is not None
    assert to_mulaw(again) == to_mulaw(kept)
    assert Shelf(tmp_path).get("Goodbye.") is None


def test_a_shelf_tells_each_phrase_once(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("One.", sound("one", 100))
    assert [text for text, _ in shelf.news()] == ["One."]
    assert list(shelf.news()) == []


def test_frames_are_20_ms() -> None:
    assert FRAME_MS == 20
    assert [len(frame) for frame in frames_of(b"\x10" * 170)] == [160, 160]


def test_a_phrase_that_begins_like_a_known_one_and_is_learned_only_meanwhile_is_one_phrase() -> (
    None
):
    news = [(BILL, PHRASES[BILL])]

    def tell() -> list[tuple[str, Samples]]:
        told, news[:] = list(news), []
        return told

    found = PhraseBook(tell)
    found.add(ROOF, PHRASES[ROOF])
    ear = Ear(found)

    heard = [ear.hear(frame) for frame in (*line(BILL), *[QUIET] * (LONGEST_STALL + 2))]

    (only,) = [h for h in heard if h is not None]
    assert (only.words, only.is_whole) == (BILL, True)
