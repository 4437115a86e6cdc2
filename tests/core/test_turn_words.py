"""What words over the agent mean, which texts say the same, and what a caller's pauses teach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.turns.backchannels import OverAgent, is_urgent, judge
from media_gateway.turns.pauses import Pauses
from media_gateway.turns.types import (
    AgentWords,
    BeginReply,
    CommitReply,
    EndOfTurnEstimated,
    FinalWords,
    InterimWords,
    Ms,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
)
from media_gateway.turns.words import beyond, looks_unfinished, normalised, unstammered
from tests.core.turn_driver import Driver, opened

AGENT = normalised(
    "We would save you about forty dollars a month. Is now a good time to talk about it?"
)


@pytest.mark.parametrize(
    "words",
    "uh-huh|Uh huh.|mm-hmm|Mhm|okay|OK.|right|Yeah.|yeah yeah|oh I see|got it|sounds good|all right|alright|"
    "Yes.|sure|Oh, wow.|that makes sense".split("|"),
)
def test_words_that_say_go_on(words: str) -> None:
    assert judge(words, agent_words=AGENT) is OverAgent.BACKCHANNEL


@pytest.mark.parametrize(
    "words",
    "stop|no|nope|wait|hold on|uh-uh|nuh uh|mm-mm|hello|hello?|what|huh|sorry|yeah no|right now I can't|"
    "okay stop|stop calling me|take me off your list|remove me|not interested|don't call|who is this|"
    "yeah yeah yeah yeah yeah|I'm driving|goodbye|bye|yes but|okay so how much|shut up|enough|cancel".split(
        "|"
    ),
)
def test_words_that_want_the_floor(words: str) -> None:
    assert judge(words, agent_words=AGENT) is OverAgent.REAL


@pytest.mark.parametrize("words", ["", "um", "uh, er", "...", "Uhm."])
def test_hesitations_are_no_words(words: str) -> None:
    assert judge(words, agent_words=AGENT) is OverAgent.NOTHING


@pytest.mark.parametrize("words", ["is now a good time", "forty dollars a month is now"])
def test_the_agents_own_words_in_its_own_order_are_an_echo(words: str) -> None:
    assert judge(words, agent_words=AGENT) is OverAgent.ECHO


@pytest.mark.parametrize(
    "words", ["a good time", "is now a bad time", "time good a now", "now a good time no"]
)
def test_a_few_of_them_or_others_among_them_are_not(words: str) -> None:
    assert judge(words, agent_words=AGENT) is OverAgent.REAL


def test_a_faint_sound_needs_fewer_words_to_be_an_echo_but_never_holds_an_opt_out() -> None:
    assert judge("good time", agent_words=AGENT, is_faint=True) is OverAgent.ECHO
    agent = normalised("You can say stop calling at any time.")
    assert judge("stop calling", agent_words=agent, is_faint=True) is OverAgent.REAL


def test_urgent_words() -> None:
    assert is_urgent("please stop that")
    assert is_urgent("uh-uh")
    assert not is_urgent("dinner is ready")


@given(
    st.lists(st.sampled_from("uh-huh|okay|right|yeah|I see|sure|got it".split("|")), max_size=3),
    st.sampled_from(
        "stop|no|don't|wait|hold on|remove|never|not|quit|cancel|enough|uh-uh".split("|")
    ),
    st.integers(0, 3),
)
def test_no_word_that_may_be_an_opt_out_hides_among_backchannels(
    friendly: list[str], urgent: str, where: int
) -> None:
    words = " ".join([*friendly[:where], urgent, *friendly[where:]])
    assert judge(words, agent_words=AGENT) is OverAgent.REAL


def test_texts_that_say_the_same() -> None:
    assert normalised("Yes, SURE — um, that's fine.") == normalised("yes sure thats fine")
    assert normalised("$1,250") == normalised("1250")
    assert normalised("OK") == normalised("okay")
    assert normalised("Uh-huh") == normalised("uh huh") != normalised("uh-uh")
    assert normalised("um, uh") == ()


@pytest.mark.parametrize(
    ("known", "text", "more"),
    [
        ("yes sure", "Yes, sure.", ""),
        ("yes sure", "Yes, sure. I have time.", "I have time."),
        ("yes sure", "yes", ""),
        ("i have fifteen", "I have fifty windows", "fifty windows"),
        ("yeah sure", "Yes, sure", ""),
        ("", "Hello there", "Hello there"),
        ("", "um", ""),
        ("uh-huh", "Uh huh, who is this?", "who is this?"),
        ("no", "yes", "yes"),
    ],
)
def test_what_a_text_says_beyond_what_is_known(known: str, text: str, more: str) -> None:
    assert beyond(known, text) == more


@pytest.mark.parametrize(
    "text",
    [
        "we own",
        "my house and",
        "We own the house since about.",
        "um",
        "it is a,",
        "I think it's...",
        "Honestly.",
        "Honestly, honestly, honestly, honestly",
        "to be honest",
        "I, I",
        "but, but, but, but.",
    ],
)
def test_words_that_sound_unfinished(text: str) -> None:
    assert looks_unfinished(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yes",
        "Yes we do.",
        "Thank you.",
        "about $180 a month",
        "I do",
        "no thanks",
        "hold on",
        "who is this",
        "no, no, no",
        "I can't, honestly",
        "that is it",
    ],
)
def test_words_that_sound_finished(text: str) -> None:
    assert not looks_unfinished(text)


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("Honestly, honestly, honestly, honestly", "Honestly"),
        ("well the the the roof", "well the roof"),
        ("no no", "no no"),
        ("five five five", "five five five"),
        ("5 5 5", "5 5 5"),
        ("a a a", "a a a"),
        ("on only only", "on only only"),
        ("", ""),
    ],
)
def test_a_word_again_and_again_is_said_once_but_numbers_and_letters(text: str, once: str) -> None:
    assert unstammered(text) == once


# --- pauses ----------------------------------------------------------------------------------


def test_a_false_cut_in_counts_at_once_and_is_forgotten_slowly() -> None:
    pauses = Pauses(most_ms=800)
    pauses.cut_in(450)
    assert pauses.learnt_ms == 550
    pauses.ended_well()
    assert 400 < pauses.learnt_ms < 550
    for _ in range(30):
        pauses.ended_well()
    assert pauses.learnt_ms < 10


def test_what_is_learnt_is_capped() -> None:
    pauses = Pauses(most_ms=800)
    pauses.cut_in(1900)
    for _ in range(50):
        pauses.went_on(1900)
    assert pauses.learnt_ms == 800


def test_ordinary_pauses_draw_the_silence_slowly_and_short_ones_never_shorten_it() -> None:
    pauses = Pauses(most_ms=800)
    pauses.went_on(700)
    assert pauses.learnt_ms == 70
    pauses.went_on(20)
    assert pauses.learnt_ms == 70
    assert pauses.all_ms == (700, 20)


def test_the_pauses_of_a_long_call_are_the_newest() -> None:
    pauses = Pauses(most_ms=800)
    for pause_ms in range(100):
        pauses.went_on(pause_ms)
    assert pauses.all_ms == tuple(range(60, 100))


def _cut_in(*, opener_ms: int | None = None) -> Driver:
    """He paused at 2000, was taken for ready at 2210, and goes on at 2400."""
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2180, FinalWords(text="yes sure")).at(2190, EndOfTurnEstimated(p=0.5))
    if opener_ms is not None:
        opener = AgentWords(reply_id=2, text="Got it.", are_opener=True)
        driver.at(opener_ms, opener)
    driver.at(2210, EndOfTurnEstimated(p=0.9))
    return driver.at(2400, SpeechStarted()).at(2550, InterimWords(text="and we own it"))


def test_an_answer_that_nobody_heard_cut_in_on_nobody() -> None:
    driver = _cut_in().at(3100, SpeechStopped(at=Ms(3000)))
    driver.at(3200, FinalWords(text="and we own it")).at(3210, EndOfTurnEstimated(p=0.9))
    assert driver.machine.pauses_ms == (400,)
    assert driver.commands(BeginReply)[-1] == (
        3210,
        BeginReply(reply_id=3, caller_words="yes sure and we own it"),
    )


def test_a_caller_who_was_cut_in_on_is_left_a_longer_silence() -> None:
    driver = _cut_in(opener_ms=2205).at(3100, SpeechStopped(at=Ms(3000)))
    driver.at(3200, FinalWords(text="and we own it")).at(3210, EndOfTurnEstimated(p=0.9))
    driver.at(3400, EndOfTurnEstimated(p=0.9)).at(3600)
    assert driver.machine.pauses_ms == (400,)
    assert driver.machine.counts.turns_taken_back == 1
    assert driver.commands(CommitReply)[1:] == [
        (3500, CommitReply(reply_id=3, caller_words="yes sure and we own it"))
    ]


def test_who_goes_on_into_the_first_moment_of_the_answer_was_cut_in_on_too() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2180, FinalWords(text="yes sure")).at(2210, EndOfTurnEstimated(p=0.9))
    driver.at(2500, ReplyStarted(reply_id=2, interruptible=True)).at(2600, SpeechStarted())
    driver.at(2800, InterimWords(text="and we own it"))
    assert driver.machine.pauses_ms == (600,)


def test_a_pause_after_which_he_goes_on_is_his_own() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1900, FinalWords(text="we own"))
    driver.at(2100, SpeechStopped(at=Ms(2000))).at(2500, SpeechStarted(at=Ms(2450)))
    assert driver.machine.pauses_ms == (450,)


def test_a_cough_before_any_word_is_no_pause_of_his() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1700, SpeechStopped()).at(2500, SpeechStarted())
    assert driver.machine.pauses_ms == ()
