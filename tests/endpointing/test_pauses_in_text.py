"""Where pauses fall in what people say, and where labels of recorded calls come from."""

from __future__ import annotations

import pytest

from endpointing.pauses_in_text import Place, prefixes
from endpointing.questions import expectation_of
from media_gateway.ears.ports import Expectation


def places(turn: str, expectation: Expectation = Expectation.FREE) -> dict[str, Place]:
    return {prefix.words: prefix.place for prefix in prefixes(turn, expectation)}


def weights(turn: str, expectation: Expectation = Expectation.FREE) -> dict[str, float]:
    return {prefix.words: prefix.weight for prefix in prefixes(turn, expectation)}


def test_only_the_whole_turn_is_an_end() -> None:
    found = places("Yes. We own it.")
    assert found["Yes. We own it."] is Place.END
    assert [words for words, place in found.items() if place is Place.END] == ["Yes. We own it."]


def test_a_sentence_within_a_turn_is_a_hold_although_it_is_whole() -> None:
    assert places("I like it. What does it cost?")["I like it."] is Place.SENTENCE


def test_people_pause_before_a_connective_rather_than_inside_a_phrase() -> None:
    found = weights("we want a battery but not now")
    assert found["we want a battery"] > found["we want"]


def test_dictated_digits_are_paused_between_and_an_amount_is_not() -> None:
    assert weights("five five five one two", Expectation.NUMBER)["five five"] > 0.3
    assert weights("about five years", Expectation.NUMBER)["about five"] < 0.1


def test_a_mark_is_a_pause_and_no_word() -> None:
    found = places("well | we rent")
    assert found["well"] is Place.CLAUSE
    assert "well we rent" in found


def test_a_turn_without_words_has_no_pause() -> None:
    assert prefixes("... -", Expectation.FREE) == []


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Do you own the house?", Expectation.YES_NO),
        ("Great. What phone number can I reach you at?", Expectation.NUMBER),
        ("Which day and time would suit you?", Expectation.DATE_TIME),
        ("What is your e-mail?", Expectation.SPELLED),
        ("Would you like tea or coffee?", Expectation.CHOICE),
        ("Their phone number is 415-555-0134.", Expectation.FREE),
        ("", Expectation.FREE),
    ],
)
def test_a_question_tells_what_it_expects(question: str, expected: Expectation) -> None:
    assert expectation_of(question) is expected
