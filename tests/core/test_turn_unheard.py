"""Speech of which no word came: who is asked about it, when, and how often."""

from __future__ import annotations

import pytest

from media_gateway.turns.types import (
    BeginReply,
    Event,
    FinalWords,
    Floor,
    Ms,
    PromptCaller,
    RecogniserLost,
    ReplyPlayed,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    VendorEndOfTurn,
)
from tests.core.turn_driver import POLICY, Driver, opened


def _sound(driver: Driver, ms: int, for_ms: int, *, is_faint: bool = False) -> Driver:
    driver.at(ms, SpeechStarted(is_faint=is_faint))
    return driver.at(ms + for_ms + 100, SpeechStopped(at=Ms(ms + for_ms)))


def _asked(driver: Driver) -> list[int]:
    return [ms for ms, _ in driver.commands(PromptCaller)]


def _question_heard(driver: Driver, ms: int) -> Driver:
    """The last reply is heard, to its end at `ms`."""
    _, last = driver.at(ms - 900).commands(PromptCaller, BeginReply)[-1]
    assert isinstance(last, PromptCaller | BeginReply)
    driver.at(ms - 900, ReplyStarted(reply_id=last.reply_id, interruptible=True))
    return driver.at(ms, ReplyPlayed(reply_id=last.reply_id))


@pytest.mark.parametrize("for_ms", [220, 400, 1000])
def test_a_word_to_which_the_recogniser_says_nothing_is_asked_about(for_ms: int) -> None:
    driver = _sound(opened(), 1500, for_ms).at(5500)
    assert _asked(driver) == [1500 + for_ms + POLICY.words_wait_ms]


def test_one_of_which_the_ear_told_late_has_its_time_to_be_recognised() -> None:
    driver = opened().at(4900, SpeechStarted(at=Ms(1500))).at(5000, SpeechStopped(at=Ms(1900)))
    driver.at(5000 + POLICY.end_pause_ms - 1, FinalWords(text="yes")).at(8000)
    assert not _asked(driver)


def test_a_click_is_not() -> None:
    assert not _asked(_sound(opened(), 1500, 100).at(8000))


def test_short_noises_are_asked_about_once_until_there_are_words_again() -> None:
    driver = _question_heard(_sound(opened(), 1500, 400), 6000)
    _sound(driver, 7000, 400).at(12_000)
    assert _asked(driver) == [4400], "the second one is left to the long silence"

    _sound(driver, 12_100, 400).at(12_700, FinalWords(text="yes")).at(13_500)
    _sound(_question_heard(driver, 15_000), 16_000, 400).at(19_000)
    assert _asked(driver) == [4400, 18_900]


def test_a_longer_speech_is_asked_about_again() -> None:
    driver = _question_heard(_sound(opened(), 1500, 1000), 6500)
    _sound(driver, 7000, 1000).at(11_000)
    assert _asked(driver) == [5000, 10_500]


def test_what_was_said_as_he_is_asked_is_his_turn() -> None:
    driver = _sound(opened(), 1500, 400).at(4600, FinalWords(text="yes")).at(9000)
    assert driver.commands(BeginReply) == [(4600, BeginReply(reply_id=3, caller_words="yes"))]


@pytest.mark.parametrize("nothing", [FinalWords(text=""), VendorEndOfTurn()])
@pytest.mark.parametrize("for_ms", [400, 1000])
def test_a_noise_that_the_recogniser_heard_as_nothing_is_not_asked_about(
    nothing: Event, for_ms: int
) -> None:
    driver = _sound(opened(), 1500, for_ms).at(2900, nothing).at(5500)
    assert not _asked(driver)
    assert driver.machine.floor is Floor.OPEN


def test_a_long_clear_speech_that_it_heard_as_nothing_is_asked_about_once() -> None:
    driver = _sound(opened(), 1500, 1500).at(3500, FinalWords(text=""))
    _question_heard(driver, 7000)
    assert _asked(driver) == [3000 + POLICY.words_wait_ms]

    _sound(driver, 8000, 1500).at(10_000, FinalWords(text="")).at(14_000)
    assert len(_asked(driver)) == 1, "a crying child is no reason to ask again and again"


def test_words_of_it_that_come_after_all_are_answered() -> None:
    driver = _sound(opened(), 1500, 1500).at(3500, FinalWords(text=""))
    driver.at(4500, FinalWords(text="we own the house")).at(6000)
    assert not _asked(driver)
    assert len(driver.commands(BeginReply)) == 1


def test_a_faint_voice_that_it_heard_as_nothing_is_not_asked_about() -> None:
    driver = _sound(opened(), 1500, 300)
    _sound(driver, 2000, 1500, is_faint=True).at(4000, FinalWords(text="")).at(8000)
    assert not _asked(driver)


def test_a_noise_over_the_agent_counts_for_nothing_afterwards() -> None:
    driver = opened().at(1100, SpeechStarted()).at(1300, FinalWords(text="yes"))
    driver.at(1400, SpeechStopped()).at(2100)
    driver.at(2200, ReplyStarted(reply_id=2, interruptible=False))
    _sound(driver, 2500, 2000).at(5000, FinalWords(text="")).at(6000, ReplyPlayed(reply_id=2))
    _sound(driver, 7000, 300).at(7500, FinalWords(text="")).at(11_000)
    assert not _asked(driver)


def test_what_was_said_to_a_recogniser_that_was_lost_before_any_word_is_asked_about() -> None:
    driver = _sound(opened(), 1500, 2000)
    driver.at(3700, RecogniserLost()).at(3900, RecogniserLost()).at(7000)
    assert _asked(driver) == [6000]
