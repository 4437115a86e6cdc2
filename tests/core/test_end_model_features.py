"""What the end-of-turn model sees of words, of sound and of a pause."""

from __future__ import annotations

import numpy as np
import pytest

from media_gateway.ears.features import (
    CHECK_COLUMNS,
    CHECK_FEATURES,
    LAST_WORDS,
    SOUND_FEATURES,
    TEXT_EXTRAS,
    UNKNOWN,
    check_row,
    left_open,
    sound_features,
    text_inputs,
    tokens,
)
from media_gateway.ears.ports import Expectation, PauseCheck


def check(
    *,
    silence_ms: int = 300,
    words_age_ms: int = 200,
    is_final: bool = False,
    pauses: tuple[int, ...] = (),
) -> PauseCheck:
    return PauseCheck(
        audio=None,
        text=1.0,
        words_are_final=is_final,
        words_age_ms=words_age_ms,
        silence_ms=silence_ms,
        turn_ms=1500,
        expectation=Expectation.YES_NO,
        pauses_ms=pauses,
    )


def unheard(pause: PauseCheck) -> float:
    return check_row(pause)[CHECK_COLUMNS.index("unheard")]


def test_punctuation_and_capitals_make_no_difference() -> None:
    assert tokens("Yes, we OWN it.") == tokens("yes we own it")


def test_numbers_are_known_by_their_kind_alone() -> None:
    assert tokens("555-1234") == tokens("five five five one two three four")
    assert tokens("twelve years") == tokens("fifteen years")
    assert tokens("the 5th") == tokens("the 21st")


def test_text_inputs_have_the_last_word_last_and_nothing_before_the_first() -> None:
    ids, extras = text_inputs("yes we", "", Expectation.FREE, {"yes": 9, "we": 8})
    assert ids.tolist() == [0] * (LAST_WORDS - 2) + [9, 8]
    assert extras.shape == (TEXT_EXTRAS,)


def test_a_word_that_the_model_does_not_know_is_unknown_and_not_nothing() -> None:
    ids, _ = text_inputs("brzlfk", "", Expectation.FREE, {})
    assert ids[-1] == UNKNOWN


def test_no_words_are_no_error() -> None:
    ids, extras = text_inputs("", "", Expectation.FREE, {})
    assert not ids.any()
    assert np.isfinite(extras).all()


@pytest.mark.parametrize("steps", [8, 30, 125, 400])
def test_sound_of_any_length_gives_as_many_finite_numbers(steps: int) -> None:
    frames = np.random.default_rng(steps).random((steps, 130), dtype=np.float32)
    features = sound_features(frames)
    assert features.shape == (SOUND_FEATURES,)
    assert np.isfinite(features).all()


def test_silence_alone_gives_finite_numbers() -> None:
    assert np.isfinite(sound_features(np.zeros((40, 130), dtype=np.float32))).all()


def test_only_the_last_four_seconds_count() -> None:
    frames = np.random.default_rng(0).random((300, 130), dtype=np.float32)
    assert np.array_equal(sound_features(frames), sound_features(frames[-125:]))


def test_too_little_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        sound_features(np.zeros((3, 130), dtype=np.float32))


def test_a_check_has_its_columns_and_one_kind_of_question() -> None:
    row = check_row(check())
    assert len(row) == CHECK_FEATURES
    assert sum(row[len(CHECK_COLUMNS) :]) == 1


def test_words_that_came_after_the_last_sound_cover_it() -> None:
    assert unheard(check(silence_ms=300, words_age_ms=150)) < 0.1


def test_sound_that_went_on_after_the_words_has_words_to_come() -> None:
    assert unheard(check(silence_ms=0, words_age_ms=600)) > 0.9


def test_words_that_do_not_come_in_time_will_not_come() -> None:
    assert unheard(check(silence_ms=900, words_age_ms=1500)) < 0.01


def test_a_final_after_the_last_sound_leaves_nothing_unheard() -> None:
    assert unheard(check(silence_ms=250, words_age_ms=0, is_final=True)) == 0


def test_a_comma_leaves_words_open_and_a_full_stop_says_nothing() -> None:
    assert left_open("yes,") > 0
    assert left_open("yes.") == left_open("yes") == 0
