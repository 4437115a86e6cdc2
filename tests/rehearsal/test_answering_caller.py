"""A caller with replies answers what it hears, as often as it is asked, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from rehearsal.answering import AnsweringCaller
from rehearsal.audio import Samples
from rehearsal.caller import FRAME, Act, HungUp, Said, Understood
from rehearsal.ear import PhraseBook
from rehearsal.timeline import Timeline

QUIET: Samples = np.zeros(FRAME, dtype=np.float32)
REPLIES = [
    {"to": "still there"},
    {"to": "two minutes", "say": "yes sure"},
    {"to": "kind of roof", "say": "a metal roof"},
]


def spoken(words: str) -> Samples:
    """The agent's voice: 100 ms a word, like nothing else."""
    chance = np.random.default_rng(list(words.encode()))
    return chance.uniform(-0.5, 0.5, 800 * len(words.split())).astype(np.float32)


def caller_voice(words: str) -> Samples:
    return np.full(800 * len(words.split()), 0.2, dtype=np.float32)


MINUTES, ROOF = "Have you two minutes?", "Sorry. What kind of roof do you have?"
STILL, OTHER = "Are you still there?", "Got it."


def play(*line: str | int | Samples, patience_ms: int = 10_000) -> list[tuple[int, Act]]:
    """What the caller did and when; the line is phrases, and silence in ms."""
    book = PhraseBook()
    for words in (MINUTES, ROOF, STILL, OTHER):
        book.add(words, spoken(words))
    timeline = Timeline.model_validate(
        {"name": "Test", "replies": REPLIES, "reply_after_ms": 500, "patience_ms": patience_ms}
    )
    caller = AnsweringCaller(timeline, caller_voice, book)
    done, now_ms = [], 0
    for part in line:
        if isinstance(part, int):
            samples: Samples = np.zeros(8 * part, dtype=np.float32)
        else:
            samples = spoken(part) if isinstance(part, str) else part
        for at in range(0, len(samples), FRAME):
            frame = samples[at : at + FRAME]
            frame = np.concatenate((frame, QUIET[len(frame) :]))
            _, acts = caller.hear(frame)
            done += [(now_ms, act) for act in acts]
            now_ms += 20
    return done


def said(done: list[tuple[int, Act]]) -> list[str]:
    return [act.words for _, act in done if isinstance(act, Said)]


def test_it_answers_what_it_is_asked_whatever_the_order() -> None:
    assert said(play(ROOF, 2000, MINUTES, 2000)) == ["a metal roof", "yes sure"]


def test_it_answers_again_when_it_is_asked_again() -> None:
    assert said(play(ROOF, 2000, ROOF, 2000)) == ["a metal roof", "a metal roof"]


def test_it_answers_the_last_question() -> None:
    assert said(play(MINUTES, 100, ROOF, 2000)) == ["a metal roof"]


def test_it_says_the_last_answer_again_when_it_was_not_heard() -> None:
    assert said(play(MINUTES, 2000, STILL, 2000)) == ["yes sure", "yes sure"]


def test_it_is_silent_when_it_is_not_asked() -> None:
    assert said(play(OTHER, 2000)) == []


def test_half_a_question_is_no_question() -> None:
    assert said(play(spoken(ROOF)[: 8 * 300], 3000)) == []


def test_a_question_that_stalled_is_understood() -> None:
    assert said(play(spoken(ROOF)[: 8 * 500], 200, spoken(ROOF)[8 * 500 :], 2000)) == [
        "a metal roof"
    ]


def test_a_question_heard_while_it_speaks_is_answered_afterwards() -> None:
    assert said(play(MINUTES, 520, ROOF, 2000)) == ["yes sure", "a metal roof"]


def test_it_tells_what_it_understood_and_when() -> None:
    heard = [act for _, act in play(100, ROOF, 2000) if isinstance(act, Understood)]
    assert heard == [Understood(words=ROOF, phrase=ROOF, began_ms=100, ended_ms=900, stalled_ms=0)]


def test_it_hangs_up_when_nothing_is_heard_any_more() -> None:
    done = play(OTHER, 3000, patience_ms=2000)
    assert done[-1][1] == HungUp(reason="nothing was heard")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"replies": [{"to": "("}]}, "no regular expression"),
        ({"replies": REPLIES, "steps": [{"say": ["yes"]}]}, "steps or replies, not both"),
    ],
)
def test_a_caller_that_cannot_be_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Timeline.model_validate({"name": "Test"} | changes)
