"""Who has the floor: end of turn, interruption, silence and deadlines, by written times."""

from __future__ import annotations

import pytest

from media_gateway.turns.types import (
    AgentTurnOpened,
    BeginReply,
    DtmfHeard,
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
    PlayFiller,
    PressKey,
    PromptCaller,
    RecogniserLost,
    ReplyFailed,
    ReplyPlayed,
    ReplyStarted,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
)
from tests.core.turn_driver import POLICY, Driver
from tests.core.turn_driver import answering as _answering
from tests.core.turn_driver import opened as _open


def test_a_turn_is_over_after_the_pause_counted_from_the_last_sound() -> None:
    driver = _answering()

    assert driver.commands(BeginReply) == [(2700, BeginReply(reply_id=2, caller_words="yes sure"))]
    assert driver.machine.floor is Floor.THINKING


def test_a_turn_that_ends_in_mid_sentence_gets_a_longer_pause() -> None:
    driver = _answering("we have owned the house since about").at(3499)
    assert driver.commands(BeginReply) == []

    driver.at(3500)

    assert [ms for ms, _ in driver.commands(BeginReply)] == [3500]


def test_speech_within_the_pause_goes_on_with_the_same_turn() -> None:
    driver = _open().at(1500, SpeechStarted()).at(2000, SpeechStopped())
    driver.at(2300, FinalWords(text="we own")).at(2600, SpeechStarted())
    driver.at(3000, SpeechStopped()).at(3300, FinalWords(text="the house")).at(3700)

    assert driver.commands(BeginReply) == [
        (3700, BeginReply(reply_id=2, caller_words="we own the house"))
    ]


def test_the_recogniser_is_asked_to_finish_once_the_pause_is_no_comma() -> None:
    driver = _open().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2300, SpeechStarted()).at(2600, SpeechStopped(at=Ms(2500))).at(3100)

    assert [ms for ms, _ in driver.commands(FlushRecogniser)] == [2950]


def test_final_words_that_never_come_are_waited_for_but_not_for_ever() -> None:
    driver = _open().at(1500, SpeechStarted()).at(1800, InterimWords(text="yes sure"))
    driver.at(2000, SpeechStopped()).at(2000 + POLICY.longest_pause_ms)

    assert driver.commands(BeginReply) == [(3800, BeginReply(reply_id=2, caller_words="yes sure"))]


def test_a_noise_without_words_opens_the_floor_again() -> None:
    driver = _open().at(1500, SpeechStarted()).at(1600, SpeechStopped()).at(4200)

    assert driver.commands(BeginReply) == []
    assert driver.machine.floor is Floor.OPEN


def test_words_without_speech_are_a_turn_too() -> None:
    driver = _open().at(1500, FinalWords(text="yes")).at(2200)

    assert driver.commands(BeginReply) == [(2200, BeginReply(reply_id=2, caller_words="yes"))]


def test_the_final_form_of_words_that_were_answered_early_is_no_new_turn() -> None:
    driver = _open().at(1500, SpeechStarted()).at(1800, InterimWords(text="yes sure"))
    driver.at(2000, SpeechStopped()).at(4500).at(4600, FinalWords(text="Yes, sure."))
    driver.at(4700, ReplyStarted(reply_id=2, interruptible=True)).at(6000, ReplyPlayed(reply_id=2))

    driver.at(7500)

    assert len(driver.commands(BeginReply)) == 1


def test_a_must_say_line_is_not_interrupted() -> None:
    driver = _answering().at(3000, ReplyStarted(reply_id=2, interruptible=False))
    driver.at(3500, SpeechStarted()).at(5000)

    assert driver.commands(InterruptReply) == []


def test_what_was_said_over_a_must_say_line_is_answered_after_it() -> None:
    driver = _answering().at(3000, ReplyStarted(reply_id=2, interruptible=False))
    driver.at(3500, SpeechStarted()).at(4000, SpeechStopped())
    driver.at(4300, FinalWords(text="who is this")).at(6000, ReplyPlayed(reply_id=2)).at(6100)

    assert [command for _, command in driver.commands(BeginReply)][-1] == BeginReply(
        reply_id=3, caller_words="who is this"
    )


def test_a_caller_who_goes_on_before_the_reply_is_audible_is_answered_once() -> None:
    driver = _answering().at(2800, SpeechStarted()).at(3100, InterimWords(text="I"))
    assert driver.commands(InterruptReply) == [(3100, InterruptReply(reply_id=2))]

    driver.at(3500, SpeechStopped()).at(3800, FinalWords(text="I have time")).at(4200)

    assert [command for _, command in driver.commands(BeginReply)][-1] == BeginReply(
        reply_id=3, caller_words="yes sure I have time"
    )


def test_a_slow_reply_gets_a_filler_and_then_the_authored_line() -> None:
    driver = _answering().at(20_000)

    assert driver.commands(PlayFiller) == [(4500, PlayFiller(reply_id=2))]
    assert driver.commands(FallBack) == [(7700, FallBack(reply_id=2))]


def test_silence_is_no_longer_for_an_end_that_was_late_to_be_seen() -> None:
    driver = _open().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2120, InterimWords(text="yes sure")).at(20_000)

    (began_ms, _), *_ = driver.commands(BeginReply)
    assert began_ms == 2000 + POLICY.longest_pause_ms
    filler_ms = 2000 + POLICY.end_pause_ms + POLICY.filler_after_ms
    assert driver.commands(PlayFiller) == [(filler_ms, PlayFiller(reply_id=2))]


def test_a_reply_has_a_moment_before_the_filler_however_late_the_end_was_seen() -> None:
    driver = _open().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(4400, FinalWords(text="yes sure")).at(20_000)

    (began_ms, _), *_ = driver.commands(BeginReply)
    assert driver.commands(PlayFiller) == [
        (began_ms + POLICY.filler_least_ms, PlayFiller(reply_id=2))
    ]


def test_a_reply_that_failed_falls_back_at_once() -> None:
    driver = _answering().at(2900, ReplyFailed(reply_id=2))

    assert driver.commands(FallBack) == [(2900, FallBack(reply_id=2))]


def test_a_caller_to_whom_neither_answer_nor_fallback_could_be_said_is_not_left_in_silence() -> (
    None
):
    driver = _answering().at(2900, ReplyFailed(reply_id=2)).at(3000, ReplyFailed(reply_id=2))
    prompted_ms = 3000 + POLICY.unsaid_ms
    driver.at(prompted_ms)
    assert driver.commands(PromptCaller) == [(prompted_ms, PromptCaller(reply_id=3))]

    driver.at(prompted_ms, ReplyFailed(reply_id=3)).at(prompted_ms, ReplyFailed(reply_id=3))
    driver.at(prompted_ms + POLICY.silence_ms - 1)
    assert len(driver.commands(PromptCaller)) == 1, "a voice that is gone is not asked every second"


def test_one_who_speaks_again_is_answered_and_not_prompted() -> None:
    driver = _answering().at(2900, ReplyFailed(reply_id=2)).at(3000, ReplyFailed(reply_id=2))
    driver.at(3500, SpeechStarted()).at(3900, FinalWords(text="hello?"))
    driver.at(4000, SpeechStopped(at=Ms(3950))).at(6000)
    assert not driver.commands(PromptCaller)
    assert driver.commands(BeginReply)[-1][1] == BeginReply(reply_id=3, caller_words="hello?")


def test_a_reply_that_never_comes_is_given_up_and_the_words_are_answered_anew() -> None:
    driver = _answering().at(2700 + POLICY.fallback_after_ms + POLICY.stuck_ms)

    assert driver.commands(InterruptReply) == [(22_700, InterruptReply(reply_id=2))]
    assert driver.commands(BeginReply)[-1] == (
        22_700,
        BeginReply(reply_id=3, caller_words="yes sure"),
    )


def test_a_caller_who_never_stops_speaking_is_answered_at_the_backstop() -> None:
    driver = _open().at(1500, SpeechStarted()).at(9000, FinalWords(text="and another thing"))
    driver.at(1500 + POLICY.longest_turn_ms + 5000)

    assert [ms for ms, _ in driver.commands(BeginReply)] == [1500 + POLICY.longest_turn_ms]
    assert driver.commands(InterruptReply) == [], (
        "his going on is no reason to take the answer back"
    )


def _resuming() -> Driver:
    """A stream that takes up a call; its line is being made."""
    driver = Driver()
    opened = AgentTurnOpened(reply_id=driver.machine.next_reply_id(), resumes=True)
    return driver.at(0, opened)


def test_the_first_line_of_a_stream_is_not_taken_back_by_a_hello() -> None:
    driver = _resuming().at(100, SpeechStarted()).at(900)
    assert driver.commands(InterruptReply) == []


def test_half_a_sentence_from_a_lost_stream_is_not_answered() -> None:
    driver = _resuming().at(50, SpeechStarted()).at(600, InterimWords(text="vis"))
    driver.at(900, ReplyStarted(reply_id=1, interruptible=False))
    driver.at(1000, InterimWords(text="visit")).at(1200, SpeechStopped())
    driver.at(1900, FinalWords(text="visit."))
    driver.at(4000, ReplyPlayed(reply_id=1)).at(9000)
    assert driver.commands(BeginReply) == []


def test_a_sentence_that_begins_on_the_new_stream_is_whole_though_the_line_is_late() -> None:
    driver = _resuming().at(400, SpeechStarted(at=Ms(320)))
    driver.at(900, ReplyStarted(reply_id=1, interruptible=False)).at(1900, SpeechStopped())
    driver.at(2500, FinalWords(text="it is a metal roof")).at(4200, ReplyPlayed(reply_id=1))
    driver.at(9000)
    assert [c for _, c in driver.commands(BeginReply)] == [
        BeginReply(reply_id=2, caller_words="it is a metal roof")
    ]


def test_a_sentence_that_begins_after_the_resume_line_did_is_whole() -> None:
    driver = _resuming().at(50, SpeechStarted())
    driver.at(900, ReplyStarted(reply_id=1, interruptible=False)).at(1200, SpeechStopped())
    driver.at(1900, FinalWords(text="visit."))
    driver.at(2500, SpeechStarted()).at(3500, SpeechStopped())
    driver.at(4100, FinalWords(text="yes let us do the visit")).at(4200, ReplyPlayed(reply_id=1))
    driver.at(9000)
    assert [c for _, c in driver.commands(BeginReply)] == [
        BeginReply(reply_id=2, caller_words="yes let us do the visit")
    ]


def test_an_answer_that_takes_the_place_of_the_resume_line_drops_no_words() -> None:
    driver = Driver()
    driver.at(0, AgentTurnOpened(reply_id=driver.machine.next_reply_id(), resumes=True))
    driver.at(100, SpeechStarted(at=Ms(80))).at(900, SpeechStopped(at=Ms(800)))
    driver.at(1000, FinalWords(text="who is this")).at(1500, OrderCame())
    driver.at(1600, SpeechStarted()).at(1900, InterimWords(text="I said stop"))

    driver.at(2000, ReplyStarted(reply_id=2, interruptible=True))

    assert driver.machine.caller_words == "I said stop"


def test_words_that_a_lost_recogniser_did_not_finish_count_as_they_stood() -> None:
    driver = _open().at(1500, SpeechStarted()).at(1900, InterimWords(text="dana at example"))
    driver.at(2000, RecogniserLost()).at(2300, InterimWords(text="dot com"))

    assert driver.machine.caller_words == "dana at example dot com"


def test_words_before_a_key_or_an_order_go_with_it() -> None:
    driver = _answering("my bill is one eighty").at(2900, DtmfHeard(digit="9"))
    assert driver.commands(PressKey) == [
        (2900, PressKey(reply_id=3, digit="9", caller_words="my bill is one eighty"))
    ]

    driver = _answering("my bill is one eighty").at(2900, OrderCame())
    assert driver.said[-2:] == [
        (2900, InterruptReply(reply_id=2)),
        (2900, ObeyOrder(reply_id=3, caller_words="my bill is one eighty")),
    ]


def test_words_that_went_with_an_order_are_told_and_answered_no_second_time() -> None:
    driver = _answering("my bill is one eighty").at(2900, OrderCame()).at(2950, OrderCame())
    assert driver.said[-1] == (2950, ObeyOrder(reply_id=4))

    driver.at(40_000)  # the answer never comes
    assert len(driver.commands(BeginReply)) == 1


def test_an_order_does_not_stop_the_last_words_of_a_call() -> None:
    driver = _answering("bye").at(2900, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(2900, ScriptEnded()).at(3000, OrderCame())
    assert driver.commands(ObeyOrder) == []


def test_a_call_is_given_away_between_turns_and_never_in_the_middle_of_one() -> None:
    idle = _open().at(1200, HandOverDue())
    assert idle.commands(HandOver) == [(1200, HandOver())]
    assert idle.machine.floor is Floor.ENDED

    busy = _open().at(1500, SpeechStarted()).at(1600, HandOverDue())
    busy.at(2100, SpeechStopped(at=Ms(2000))).at(2600, FinalWords(text="yes sure"))
    busy.at(2900, ReplyStarted(reply_id=2, interruptible=True))
    assert busy.commands(HandOver) == []
    busy.at(5000, ReplyPlayed(reply_id=2))
    assert busy.commands(HandOver) == [(5000, HandOver())]
    assert busy.machine.deadline is None


def test_a_call_that_ends_anyway_is_not_given_away() -> None:
    driver = _answering("bye").at(2900, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(2900, ScriptEnded()).at(3000, HandOverDue()).at(5000, ReplyPlayed(reply_id=2))
    driver.at(6000)
    assert driver.commands(HandOver) == []
    assert len(driver.commands(HangUp)) == 1


def test_an_agent_that_never_ends_is_cut_off() -> None:
    driver = _answering().at(3000, ReplyStarted(reply_id=2, interruptible=True)).at(63_000)

    assert driver.commands(InterruptReply) == [(63_000, InterruptReply(reply_id=2))]


def test_silence_is_asked_about() -> None:
    driver = _open().at(9000)

    assert driver.commands(PromptCaller) == [(9000, PromptCaller(reply_id=2))]


def test_a_key_is_heard_over_everything() -> None:
    driver = _answering().at(3000, ReplyStarted(reply_id=2, interruptible=False))
    driver.at(3100, DtmfHeard(digit="9"))

    assert [command for _, command in driver.said[-2:]] == [
        InterruptReply(reply_id=2),
        PressKey(reply_id=3, digit="9"),
    ]


def test_late_events_of_an_old_reply_are_dropped() -> None:
    driver = _answering().at(3000, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(3500, SpeechStarted()).at(3800, InterimWords(text="no"))
    driver.at(3900, ReplyPlayed(reply_id=2)).at(3950, ReplyStarted(reply_id=2, interruptible=True))

    assert driver.machine.floor is Floor.CALLER


def test_the_last_words_are_heard_before_the_line_is_closed() -> None:
    driver = _answering().at(3000, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(3000, ScriptEnded()).at(3500, SpeechStarted()).at(6000, ReplyPlayed(reply_id=2))
    assert driver.commands(HangUp) == []

    driver.at(10_000)

    assert driver.commands(HangUp) == [(6300, HangUp())]
    assert driver.machine.deadline is None


def test_nothing_happens_after_the_line_is_lost() -> None:
    driver = _answering().at(3000, LineLost())
    said = len(driver.said)

    driver.at(4000, SpeechStarted()).at(5000, FinalWords(text="hello")).at(99_000)

    assert len(driver.said) == said
    assert driver.machine.deadline is None


def test_time_never_goes_back() -> None:
    driver = _open()

    with pytest.raises(ValueError, match="time goes back"):
        driver.machine.receive(SpeechStarted(), Ms(10))
