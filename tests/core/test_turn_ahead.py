"""Answers begun before the turn is over: when, for which words, at what cost, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media_gateway.turns.types import (
    AgentTurnOpened,
    AgentWords,
    BeginReply,
    Command,
    CommitReply,
    DropReply,
    DtmfHeard,
    EndOfTurnEstimated,
    FallBack,
    FinalWords,
    Floor,
    FlushRecogniser,
    HandOver,
    HandOverDue,
    HangUp,
    InterimWords,
    InterruptReply,
    LineLost,
    Ms,
    ObeyOrder,
    OrderCame,
    PressKey,
    RecogniserLost,
    ReplyFailed,
    ReplyPlayed,
    ReplyStarted,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
    TurnPolicy,
    VendorEagerEnd,
)
from tests.core.turn_driver import POLICY, Driver, opened


def _paused() -> Driver:
    """He said "yes sure" from 1500 to 2000; the ear tells of the silence at 2100."""
    driver = opened().at(1500, SpeechStarted()).at(1900, InterimWords(text="yes sure"))
    return driver.at(2100, SpeechStopped(at=Ms(2000)))


def _ahead() -> Driver:
    """Reply 2 is being made ahead since 2110."""
    return _paused().at(2110, EndOfTurnEstimated(p=0.5))


def _begun(driver: Driver) -> list[tuple[int, Command]]:
    return driver.commands(BeginReply, CommitReply, DropReply)


AHEAD = BeginReply(reply_id=2, caller_words="yes sure", is_ahead=True)


def test_an_answer_is_begun_ahead_and_the_recogniser_asked_to_finish() -> None:
    driver = _ahead()

    assert driver.said[-2:] == [(2110, FlushRecogniser()), (2110, AHEAD)]
    assert driver.machine.floor is Floor.PAUSE
    assert driver.machine.caller_words == "yes sure"


def test_a_weak_belief_begins_nothing() -> None:
    assert _begun(_paused().at(2110, EndOfTurnEstimated(p=0.39)).at(2200)) == []


def test_an_answer_may_be_begun_while_the_last_word_still_sounds() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1900, InterimWords(text="yes sure"))
    driver.at(1950, EndOfTurnEstimated(p=0.6))

    assert driver.said[-1:] == [(1950, AHEAD)], "nothing to flush while he speaks"
    assert driver.machine.floor is Floor.CALLER


def test_nothing_is_begun_ahead_without_words() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    assert _begun(driver.at(2110, EndOfTurnEstimated(p=0.9)).at(2300)) == []
    driver.at(2310, InterimWords(text="um")).at(2320, EndOfTurnEstimated(p=0.5))
    assert _begun(driver) == []

    driver = _ahead().at(2120, InterimWords(text="um")).at(2130, EndOfTurnEstimated(p=0.5))
    assert _begun(driver)[1:] == [(2120, DropReply(reply_id=2))]


def test_the_answer_is_let_out_once_the_turn_is_over() -> None:
    driver = _ahead().at(2150, FinalWords(text="Yes, sure.")).at(2190, EndOfTurnEstimated(p=0.8))
    assert _begun(driver) == [(2110, AHEAD)], "too short a silence"

    driver.at(2300)

    assert _begun(driver)[1:] == [(2200, CommitReply(reply_id=2, caller_words="Yes, sure."))]
    assert driver.machine.floor is Floor.THINKING
    assert driver.machine.caller_words == ""


def test_unfinished_words_are_settled_when_they_come_well_after_the_last_sound() -> None:
    driver = _ahead().at(2149, InterimWords(text="yes sure"))
    driver.at(2210, EndOfTurnEstimated(p=0.9)).at(2300, EndOfTurnEstimated(p=0.9))
    assert len(_begun(driver)) == 1

    driver.at(2310, InterimWords(text="yes sure"))

    assert _begun(driver)[1:] == [(2310, CommitReply(reply_id=2, caller_words="yes sure"))]


def test_a_belief_of_other_words_ends_no_turn() -> None:
    driver = _paused().at(2210, EndOfTurnEstimated(p=0.9)).at(2250, FinalWords(text="yes sure but"))
    assert driver.commands(CommitReply) == []
    assert driver.machine.floor is Floor.PAUSE

    driver.at(2260, EndOfTurnEstimated(p=0.9))

    assert _begun(driver)[-1] == (2260, BeginReply(reply_id=3, caller_words="yes sure but"))


def test_other_words_drop_the_answer_and_the_next_belief_begins_another() -> None:
    driver = _ahead().at(2130, InterimWords(text="Yes. Sure"))
    assert driver.commands(DropReply) == [], "capitals and points are no other words"

    driver.at(2140, InterimWords(text="yes sure but not")).at(2150, EndOfTurnEstimated(p=0.5))

    again = BeginReply(reply_id=3, caller_words="yes sure but not", is_ahead=True)
    assert _begun(driver)[1:] == [(2140, DropReply(reply_id=2)), (2150, again)]


def test_the_same_words_are_begun_once() -> None:
    driver = _ahead().at(2120, EndOfTurnEstimated(p=0.6)).at(2130, EndOfTurnEstimated(p=0.7))
    assert _begun(driver) == [(2110, AHEAD)]


def test_a_turn_has_so_many_answers_ahead_and_no_more() -> None:
    driver = _ahead()
    for ms, words in ((2120, "yes a"), (2130, "yes b"), (2140, "yes c"), (2150, "yes d")):
        driver.at(ms, InterimWords(text=words)).at(ms + 1, EndOfTurnEstimated(p=0.5))
    ahead = [c for _, c in driver.commands(BeginReply) if isinstance(c, BeginReply) and c.is_ahead]
    assert len(ahead) == POLICY.ahead_per_turn == 3


def test_a_call_that_wasted_its_share_is_answered_in_time_and_not_before() -> None:
    driver = Driver(replace(POLICY, waste_free=0, waste_share=1.0))
    driver.at(1500, SpeechStarted()).at(1600, InterimWords(text="yes"))
    driver.at(1700, EndOfTurnEstimated(p=0.5)).at(1800, InterimWords(text="yes well"))
    assert driver.commands(DropReply) == [(1800, DropReply(reply_id=1))]

    driver.at(1900, EndOfTurnEstimated(p=0.5))

    assert len(driver.commands(BeginReply)) == 1
    assert (driver.machine.counts.ahead_begun, driver.machine.counts.ahead_dropped) == (1, 1)


def test_the_same_words_in_another_turn_are_begun_again() -> None:
    driver = _ahead().at(2160, FinalWords(text="yes sure")).at(2210, EndOfTurnEstimated(p=0.9))
    driver.at(2400, ReplyStarted(reply_id=2, interruptible=True)).at(4000, ReplyPlayed(reply_id=2))
    driver.at(5000, SpeechStarted()).at(5300, InterimWords(text="yes sure"))
    driver.at(5310, EndOfTurnEstimated(p=0.5))
    assert driver.said[-1] == (
        5310,
        BeginReply(reply_id=3, caller_words="yes sure", is_ahead=True),
    )


def test_a_caller_who_goes_on_keeps_the_answer_until_other_words_come() -> None:
    driver = _ahead().at(2300, SpeechStarted())
    assert driver.machine.floor is Floor.CALLER
    assert driver.commands(DropReply) == []

    driver.at(2500, InterimWords(text="yes sure and"))

    assert driver.commands(DropReply) == [(2500, DropReply(reply_id=2))]


def test_an_answer_that_failed_before_its_time_is_begun_anew_at_the_end_of_the_turn() -> None:
    driver = _ahead().at(2130, ReplyFailed(reply_id=2)).at(2140, EndOfTurnEstimated(p=0.5))
    assert _begun(driver)[1:] == [(2130, DropReply(reply_id=2))], "not at once again"
    assert driver.commands(FallBack) == []

    driver.at(2160, FinalWords(text="yes sure")).at(2210, EndOfTurnEstimated(p=0.9))

    assert _begun(driver)[2:] == [(2210, BeginReply(reply_id=3, caller_words="yes sure"))]


def test_news_of_an_answer_that_was_dropped_is_late() -> None:
    driver = _ahead().at(2120, InterimWords(text="yes sure but"))
    driver.at(2130, ReplyStarted(reply_id=2, interruptible=True)).at(2140, ReplyFailed(reply_id=2))
    assert driver.machine.floor is Floor.PAUSE
    assert driver.commands(FallBack) == []


def test_an_answer_that_is_held_cannot_start_by_itself() -> None:
    driver = _ahead().at(2120, ReplyStarted(reply_id=2, interruptible=True))
    assert driver.machine.floor is Floor.PAUSE


def test_a_committed_answer_is_taken_back_like_any_other() -> None:
    driver = _ahead().at(2160, FinalWords(text="yes sure")).at(2210, EndOfTurnEstimated(p=0.9))
    driver.at(2300, SpeechStarted()).at(2450, InterimWords(text="but not today"))

    assert driver.commands(InterruptReply) == [(2450, InterruptReply(reply_id=2))]
    assert driver.machine.caller_words == "yes sure but not today"


@pytest.mark.parametrize(
    ("event", "last"),
    [
        (DtmfHeard(digit="9"), PressKey(reply_id=3, digit="9", caller_words="yes sure")),
        (OrderCame(), ObeyOrder(reply_id=3, caller_words="yes sure")),
    ],
)
def test_a_key_or_an_order_drops_what_was_begun_ahead(
    event: DtmfHeard | OrderCame, last: Command
) -> None:
    driver = _ahead().at(2130, event)
    assert driver.said[-2:] == [(2130, DropReply(reply_id=2)), (2130, last)]
    assert driver.commands(InterruptReply) == []


def test_a_script_that_ends_drops_what_was_begun_ahead_and_hangs_up() -> None:
    driver = _ahead().at(2130, ScriptEnded()).at(2140, EndOfTurnEstimated(p=1.0)).at(9000)
    assert driver.said[-2:] == [(2130, DropReply(reply_id=2)), (2430, HangUp())]


def test_a_call_is_not_given_away_while_an_answer_is_begun() -> None:
    driver = _ahead().at(2130, HandOverDue()).at(2160, FinalWords(text="yes sure"))
    driver.at(2210, EndOfTurnEstimated(p=0.9))
    assert driver.commands(HandOver) == []
    assert driver.machine.floor is Floor.THINKING


def test_nothing_is_said_of_what_was_begun_when_the_line_goes() -> None:
    driver = _ahead().at(2130, LineLost()).at(9000)
    assert driver.said[-1] == (2110, AHEAD)


def test_a_lost_recogniser_leaves_the_words_and_the_answer() -> None:
    driver = _ahead().at(2130, RecogniserLost()).at(2210, EndOfTurnEstimated(p=0.9))
    assert _begun(driver)[1:] == [(2210, CommitReply(reply_id=2, caller_words="yes sure"))]


def _held(
    p: float,
    *,
    opener_ms: int | None = None,
    policy: TurnPolicy = TurnPolicy(),  # noqa: B008 - frozen
) -> Driver:
    """He falls silent at 2000; the answer is begun ahead at 2100, and this is believed from then on."""
    driver = Driver(policy)
    driver.at(0, AgentTurnOpened(reply_id=driver.machine.next_reply_id()))
    driver.at(100, ReplyStarted(reply_id=1, interruptible=True)).at(1000, ReplyPlayed(reply_id=1))
    driver.at(1500, SpeechStarted()).at(1900, InterimWords(text="yes sure"))
    driver.at(2100, SpeechStopped(at=Ms(2000))).at(2100, FinalWords(text="Yes, sure."))
    for ms in range(2110, 2700, 30):
        if opener_ms is not None and opener_ms <= ms:
            driver.at(opener_ms, AgentWords(reply_id=2, text="Got it.", are_opener=True))
            opener_ms = None
        driver.at(ms, EndOfTurnEstimated(p=p))
    return driver


def _let_out_ms(driver: Driver) -> list[int]:
    return [ms for ms, _ in driver.commands(CommitReply)]


def test_an_answer_begun_ahead_is_held_as_long_as_it_is_hardly_ready_anyway() -> None:
    assert _let_out_ms(_held(0.95)) == [2500]


def test_an_opener_is_let_out_after_a_short_pause_when_the_end_is_sure() -> None:
    assert _let_out_ms(_held(0.95, opener_ms=2120)) == [2300]


def test_an_opener_that_comes_late_is_let_out_when_it_comes() -> None:
    assert _let_out_ms(_held(0.95, opener_ms=2400)) == [2400]


def test_an_opener_waits_like_the_rest_when_the_end_is_not_that_sure() -> None:
    cautious = TurnPolicy(opener_p=0.9)
    assert _let_out_ms(_held(0.85, opener_ms=2120, policy=cautious)) == [2500]


def test_an_opener_of_a_dropped_answer_counts_for_nothing() -> None:
    driver = _held(0.5, opener_ms=2120)
    driver.at(2710, InterimWords(text="and")).at(2720, FinalWords(text="and we own it"))
    driver.at(2730, AgentWords(reply_id=2, text="Got it.", are_opener=True))
    driver.at(2740, EndOfTurnEstimated(p=0.95))
    assert isinstance(driver.said[-1][1], BeginReply)
    assert [ms for ms, _ in driver.commands(CommitReply)] == []


def test_the_recognisers_eager_end_begins_an_answer_as_the_ears_belief_does() -> None:
    driver = _paused().at(2120, VendorEagerEnd())
    assert _begun(driver) == [(2120, AHEAD)]
    assert driver.machine.floor is Floor.PAUSE, "it ends no turn"


def test_an_eager_end_that_is_taken_back_takes_the_answer_with_it() -> None:
    driver = _paused().at(2120, VendorEagerEnd()).at(2200, VendorEagerEnd(is_taken_back=True))
    assert _begun(driver) == [(2120, AHEAD), (2200, DropReply(reply_id=2))]
    assert driver.at(2210, VendorEagerEnd(is_taken_back=True)).since(2210) == []


def test_an_eager_end_of_nothing_or_over_a_reply_begins_nothing() -> None:
    assert _begun(opened().at(1500, SpeechStarted()).at(1600, VendorEagerEnd())) == []
    answered = _paused().at(2120, VendorEagerEnd()).at(9000)
    begun = _begun(answered)
    assert _begun(answered.at(9001, VendorEagerEnd())) == begun
