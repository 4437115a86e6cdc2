"""When a turn is over: belief, the recogniser's own end, fixed pauses; late, early and missing words."""

from __future__ import annotations

from dataclasses import replace

from media_gateway.turns.types import (
    BeginReply,
    CommitReply,
    EndOfTurnEstimated,
    FinalWords,
    Floor,
    InterimWords,
    InterruptReply,
    Ms,
    PromptCaller,
    RecogniserLost,
    ReplyPlayed,
    ReplyStarted,
    SpeechStarted,
    SpeechStopped,
    VendorEndOfTurn,
)
from tests.core.turn_driver import POLICY, Driver, answering, opened, speaking


def _said(words: str = "yes sure") -> Driver:
    """He spoke from 1500 to 2000, and the recogniser finished at 2180."""
    driver = opened().at(1500, SpeechStarted()).at(2150, SpeechStopped(at=Ms(2000)))
    return driver.at(2180, FinalWords(text=words))


def _over(driver: Driver) -> list[int]:
    return [
        ms
        for ms, command in driver.commands(BeginReply, CommitReply)
        if not (isinstance(command, BeginReply) and command.is_ahead)
    ]


def test_a_sure_belief_ends_the_turn_after_the_least_pause() -> None:
    assert _over(_said().at(2190, EndOfTurnEstimated(p=0.8)).at(3000)) == [2200]
    assert _over(_said().at(2290, EndOfTurnEstimated(p=0.8)).at(3000)) == [2290]


def test_a_belief_below_commit_waits_as_long_as_it_is_renewed() -> None:
    driver = _said()
    for ms in range(2200, 4500, 100):
        driver.at(ms, EndOfTurnEstimated(p=0.3))
    assert _over(driver) == [2000 + POLICY.longest_pause_ms]


def test_an_ear_that_falls_silent_in_a_pause_leaves_it_to_the_fixed_pauses() -> None:
    driver = _said().at(2650, EndOfTurnEstimated(p=0.3)).at(4000)
    assert _over(driver) == [2950], "300 ms after the last estimate"


def test_a_sure_belief_that_is_stale_before_the_least_pause_ends_nothing() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1600, FinalWords(text="yes sure"))
    driver.at(1650, EndOfTurnEstimated(p=0.9)).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2400, FinalWords(text="")).at(4000)
    assert _over(driver) == [2700]


def test_a_final_before_the_silence_is_known_settles_the_words() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2160, FinalWords(text="yes sure"))
    driver.at(2190, EndOfTurnEstimated(p=0.95)).at(2210, SpeechStopped(at=Ms(2000)))
    assert _over(driver) == [2210]


def test_a_final_that_came_too_soon_to_hold_the_last_word_does_not() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2050, FinalWords(text="yes"))
    driver.at(2210, SpeechStopped(at=Ms(2000))).at(2220, EndOfTurnEstimated(p=0.95))
    assert _over(driver) == []
    driver.at(2250, FinalWords(text="sure")).at(2260, EndOfTurnEstimated(p=0.95))
    assert driver.commands(BeginReply)[-1] == (
        2260,
        BeginReply(reply_id=3, caller_words="yes sure"),
    )


def test_the_recognisers_own_end_of_turn_stands_in_for_a_dead_ear() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1900, InterimWords(text="yes sure"))
    driver.at(2100, SpeechStopped(at=Ms(2000))).at(2250, VendorEndOfTurn())
    assert _over(driver) == [2250], "words are settled, and it is strong evidence"


def test_it_settles_the_words_for_the_ears_belief() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1900, InterimWords(text="yes sure"))
    driver.at(2100, SpeechStopped(at=Ms(2000))).at(2240, EndOfTurnEstimated(p=0.9))
    assert _over(driver) == []
    assert _over(driver.at(2250, VendorEndOfTurn())) == [2250]


def test_it_may_come_before_the_ear_tells_of_the_silence() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1900, InterimWords(text="yes sure"))
    driver.at(2150, VendorEndOfTurn()).at(2200, EndOfTurnEstimated(p=0.9))
    driver.at(2210, SpeechStopped(at=Ms(2000)))
    assert _over(driver) == [2210]


def test_a_sound_after_it_is_the_turn_going_on() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1900, FinalWords(text="we own the"))
    driver.at(2150, SpeechStopped(at=Ms(2000))).at(2190, VendorEndOfTurn())
    driver.at(2195, SpeechStarted()).at(9000)
    assert _over(driver) == []


def test_an_operators_longer_pause_is_not_cut_short() -> None:
    driver = Driver(replace(POLICY, unfinished_pause_ms=3000))
    driver.at(1500, SpeechStarted()).at(2150, SpeechStopped(at=Ms(2000)))
    driver.at(2180, FinalWords(text="we own the")).at(6000)
    assert _over(driver) == [5000]


def test_it_does_not_overrule_an_ear_that_lives() -> None:
    driver = _said().at(2240, EndOfTurnEstimated(p=0.2)).at(2250, VendorEndOfTurn())
    assert _over(driver) == []
    assert _over(driver.at(4000)) == [2540]


def test_it_ends_a_turn_over_which_a_television_sounds_on() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2000, FinalWords(text="yes sure"))
    driver.at(2100, VendorEndOfTurn()).at(9000)
    assert _over(driver) == [2100 + POLICY.unfinished_pause_ms]


def test_words_after_it_are_the_turn_going_on() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2000, FinalWords(text="yes sure"))
    driver.at(2100, VendorEndOfTurn()).at(3000, InterimWords(text="and")).at(9000)
    assert _over(driver) == []
    assert driver.machine.floor is Floor.CALLER


def test_words_without_any_sound_are_waited_for_while_they_grow() -> None:
    driver = opened()
    for ms, words in ((1500, "we"), (1900, "we own"), (2400, "we own the house")):
        driver.at(ms, InterimWords(text=words))
    driver.at(2700, FinalWords(text="we own the house")).at(6000)
    assert driver.commands(BeginReply) == [
        (3400, BeginReply(reply_id=2, caller_words="we own the house"))
    ]


def test_a_hesitation_is_no_turn() -> None:
    driver = opened().at(1500, InterimWords(text="Um,")).at(1700, FinalWords(text="Um.")).at(6000)
    assert driver.machine.floor is Floor.OPEN
    assert driver.machine.caller_words == ""


def test_a_sound_that_goes_on_without_a_word_is_asked_about_too() -> None:
    driver = opened().at(1500, SpeechStarted()).at(10_000)
    assert driver.commands(PromptCaller) == [(9500, PromptCaller(reply_id=2))]


def test_a_slow_recognisers_words_are_a_turn_of_their_own() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1600, SpeechStopped()).at(4100)
    assert driver.machine.floor is Floor.OPEN
    driver.at(4600, FinalWords(text="yes")).at(9000)
    assert driver.commands(BeginReply) == [(5300, BeginReply(reply_id=2, caller_words="yes"))]


# --- words answered before their final form came -------------------------------------------------


def _early(words: str = "i have fifteen") -> Driver:
    """Answered as reply 2 at 2310, as the words stood."""
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2200, InterimWords(text=words)).at(2310, EndOfTurnEstimated(p=0.9))
    assert _over(driver) == [2310]
    return driver


def test_a_final_that_differs_before_anything_is_heard_is_one_turn_with_one_answer() -> None:
    driver = _early().at(2400, FinalWords(text="I have fifty windows."))
    assert driver.said[-1] == (2400, InterruptReply(reply_id=2))
    driver.at(3000)
    assert driver.commands(BeginReply)[1:] == [
        (2700, BeginReply(reply_id=3, caller_words="I have fifty windows."))
    ]
    assert driver.machine.counts.turns_taken_back == 1


def test_the_rest_of_a_sentence_whose_answer_is_heard_waits_its_turn() -> None:
    driver = _early("i have fifteen").at(2700, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(2800, FinalWords(text="I have fifteen and two doors."))
    assert driver.machine.caller_words == "and two doors."
    assert driver.commands(InterruptReply) == []
    driver.at(5000, ReplyPlayed(reply_id=2)).at(5100)
    assert driver.commands(BeginReply)[-1] == (
        5000,
        BeginReply(reply_id=3, caller_words="and two doors."),
    )


def test_a_rest_that_may_be_an_opt_out_does_not_wait() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2300, InterimWords(text="yes")).at(2300, EndOfTurnEstimated(p=0.95))
    driver.at(2500, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(2700, FinalWords(text="Yes, stop calling me.")).at(4000)
    assert driver.commands(InterruptReply) == [(2700, InterruptReply(reply_id=2))]
    assert driver.commands(BeginReply)[-1] == (
        3400,
        BeginReply(reply_id=3, caller_words="stop calling me."),
    )


def test_the_final_form_in_two_parts_is_nothing_new() -> None:
    driver = _early("yes sure we own it").at(2400, FinalWords(text="Yes, sure."))
    driver.at(2500, InterimWords(text="we own")).at(2600, FinalWords(text="We own it."))
    assert driver.commands(InterruptReply) == []
    assert driver.machine.caller_words == ""


def test_one_utterance_that_is_finished_twice_is_answered_once() -> None:
    driver = _early("yes sure").at(2400, FinalWords(text="Yes, sure."))
    driver.at(2500, FinalWords(text="Yes, sure.")).at(2700, FinalWords(text="Yes, sure."))
    assert driver.commands(InterruptReply) == []
    assert len(driver.commands(BeginReply)) == 1
    assert driver.machine.caller_words == ""


def test_what_he_says_again_is_said_twice() -> None:
    driver = opened()
    for ms in (1500, 2500):
        driver.at(ms, SpeechStarted()).at(ms + 600, SpeechStopped(at=Ms(ms + 500)))
        driver.at(ms + 650, FinalWords(text="I said no"))
    assert driver.machine.caller_words == "I said no I said no"


def test_a_no_that_looks_like_a_later_form_of_answered_words_is_not_lost() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2300, InterimWords(text="you can call me tomorrow")).at(
        2300, EndOfTurnEstimated(p=0.95)
    )
    # Its final form is lost, and he speaks again over the answer.
    driver.at(2900, ReplyStarted(reply_id=2, interruptible=True)).at(3900, SpeechStarted())
    driver.at(4200, InterimWords(text="don't call me"))
    assert driver.said[-1] == (4200, InterruptReply(reply_id=2))
    assert driver.machine.caller_words == "don't call me"


def test_a_no_that_only_the_final_form_knows_is_a_turn_though_the_answer_is_heard() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2300, InterimWords(text="you can call me")).at(2300, EndOfTurnEstimated(p=0.95))
    driver.at(2500, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(2600, FinalWords(text="Don't you call me!"))
    assert driver.machine.caller_words == "Don't you call me!"


def test_a_form_that_comes_very_late_is_taken_for_new_words() -> None:
    driver = _early("yes").at(2500, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(3200, ReplyPlayed(reply_id=2)).at(2310 + POLICY.words_wait_ms)
    driver.at(4900, FinalWords(text="Yes.")).at(6000)
    assert driver.commands(BeginReply)[-1] == (5600, BeginReply(reply_id=3, caller_words="Yes."))


def test_a_new_yes_after_the_answer_is_not_the_old_one() -> None:
    driver = _early("yes").at(2500, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(3200, ReplyPlayed(reply_id=2)).at(3500, SpeechStarted())
    driver.at(3700, InterimWords(text="yes")).at(3900, SpeechStopped(at=Ms(3800)))
    driver.at(4000, FinalWords(text="Yes.")).at(5000)
    assert driver.commands(BeginReply)[-1] == (4500, BeginReply(reply_id=3, caller_words="Yes."))


def test_a_new_yes_over_the_answers_last_words_is_not_the_old_one_whose_final_form_was_lost() -> (
    None
):
    driver = _early("yes").at(2600, ReplyStarted(reply_id=2, interruptible=True))
    driver.unheard_ms = 300
    driver.at(3600, SpeechStarted()).at(3800, InterimWords(text="yes"))
    driver.at(4000, SpeechStopped(at=Ms(3900))).at(4200, FinalWords(text="Yes.")).at(6000)
    begun = [command for _, command in driver.commands(BeginReply)]
    assert [c.caller_words for c in begun if isinstance(c, BeginReply)] == ["yes", "Yes."]


def test_unfinished_words_that_come_again_are_not_new() -> None:
    driver = opened().at(1100, SpeechStarted()).at(1300, SpeechStopped(at=Ms(1150)))
    driver.at(1700, FinalWords(text="")).at(3500, SpeechStarted())
    driver.at(4100, SpeechStopped(at=Ms(4000))).at(4200, InterimWords(text="yes"))
    driver.at(4310, EndOfTurnEstimated(p=0.9))
    driver.at(4400, InterimWords(text="Yes")).at(4500, FinalWords(text="Yes.")).at(8000)
    assert len(_over(driver)) == 1


def test_a_recogniser_lost_in_every_floor_takes_no_word_along() -> None:
    caller = opened().at(1500, SpeechStarted()).at(1700, InterimWords(text="we own"))
    caller.at(1800, RecogniserLost()).at(2100, SpeechStopped(at=Ms(2000))).at(9000)
    assert caller.commands(BeginReply) == [(3800, BeginReply(reply_id=2, caller_words="we own"))]

    thinking = answering().at(2800, InterimWords(text="and")).at(2810, RecogniserLost())
    assert thinking.machine.caller_words == "yes sure and"

    agent = speaking().at(3500, RecogniserLost())
    assert agent.machine.floor is Floor.AGENT

    overlap = speaking().at(3500, SpeechStarted()).at(3600, RecogniserLost())
    assert overlap.at(3700, InterimWords(text="no wait")).commands(InterruptReply)


def test_a_caller_who_speaks_as_he_is_asked_whether_he_is_there_has_all_of_a_turn() -> None:
    driver = opened(replace(POLICY, longest_turn_ms=5000)).at(9050, SpeechStarted())
    driver.at(9200, InterimWords(text="wait")).at(9900, InterimWords(text="wait I am looking"))
    assert driver.machine.floor is Floor.CALLER
    assert driver.commands(PromptCaller, BeginReply) == [(9000, PromptCaller(reply_id=2))]


def test_a_caller_who_tells_a_long_story_is_answered_at_the_backstop_counted_from_its_beginning() -> (
    None
):
    driver = opened()
    ms = 1500
    while ms < 1500 + POLICY.longest_turn_ms:
        driver.at(ms, SpeechStarted()).at(ms + 300, FinalWords(text="and"))
        ms += 1000
        driver.at(ms - 100, SpeechStopped())
    driver.at(ms, SpeechStarted()).at(ms + 2000)
    assert _over(driver)[0] == 1500 + POLICY.longest_turn_ms


def test_the_backstop_counts_through_answers_that_were_taken_back() -> None:
    driver = Driver(replace(POLICY, longest_turn_ms=5000))
    driver.at(1500, SpeechStarted()).at(2150, SpeechStopped(at=Ms(2000)))
    driver.at(2180, FinalWords(text="yes sure")).at(2800, SpeechStarted())
    driver.at(3000, InterimWords(text="and another thing")).at(9000)
    assert _over(driver)[:2] == [2700, 6500]


def test_a_final_form_that_is_lost_holds_up_a_sure_end_for_a_while_only() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1900, InterimWords(text="yes sure"))
    driver.at(2100, SpeechStopped(at=Ms(2000)))
    for ms in range(2110, 4000, 40):
        driver.at(ms, EndOfTurnEstimated(p=0.95))
    (answered_ms, _), *_ = driver.commands(CommitReply)
    assert answered_ms == 2000 + POLICY.final_wait_ms
