"""Sounds and words over the agent: held at once, then given the floor or taken for nothing."""

from __future__ import annotations

import pytest

from media_gateway.turns.types import (
    AgentTurnOpened,
    AgentWords,
    BeginReply,
    Command,
    DtmfHeard,
    FallBack,
    FinalWords,
    Floor,
    FlushRecogniser,
    HangUp,
    InterimWords,
    InterruptReply,
    Ms,
    ObeyOrder,
    OrderCame,
    PauseReply,
    PlayFiller,
    PressKey,
    ReplyFailed,
    ReplyPlayed,
    ReplyStarted,
    ResumeReply,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
)
from tests.core.turn_driver import POLICY, Driver, answering, opened, speaking

PAUSE, RESUME, YIELD = (
    PauseReply(reply_id=2),
    ResumeReply(reply_id=2),
    InterruptReply(reply_id=2),
)


def _held(*, unheard_ms: int | None = 3000, is_whole: bool = True) -> Driver:
    """A sound over reply 2, from 4000 on."""
    driver = speaking()
    driver.unheard_ms, driver.is_whole = unheard_ms, is_whole
    return driver.at(4060, SpeechStarted(at=Ms(4000)))


def _over(driver: Driver) -> list[tuple[int, Command]]:
    return driver.commands(PauseReply, ResumeReply, InterruptReply)


# --- a sound ---------------------------------------------------------------------------------


def test_a_sound_over_the_agent_holds_it_at_once() -> None:
    driver = _held()
    assert _over(driver) == [(4060, PAUSE)]
    assert driver.machine.floor is Floor.OVERLAP


def test_a_faint_sound_holds_nothing() -> None:
    driver = speaking().at(4060, SpeechStarted(is_faint=True)).at(5000, SpeechStopped()).at(6000)
    assert _over(driver) == []


def test_a_faint_sound_that_comes_up_to_his_level_does() -> None:
    driver = speaking().at(4060, SpeechStarted(is_faint=True)).at(4200, SpeechStarted())
    assert _over(driver) == [(4200, PAUSE)]


def test_a_must_say_line_and_the_last_one_are_said_to_their_end() -> None:
    must_say = answering().at(3000, ReplyStarted(reply_id=2, interruptible=False))
    must_say.at(4000, SpeechStarted()).at(4200, InterimWords(text="stop it")).at(5000)
    assert _over(must_say) == []

    last = speaking().at(3000, ScriptEnded()).at(4000, SpeechStarted())
    last.at(4200, FinalWords(text="wait")).at(6000, ReplyPlayed(reply_id=2)).at(9000)
    assert _over(last) == []
    assert last.commands(HangUp) == [(6300, HangUp())]


def test_a_cough_is_over_a_moment_after_its_sound() -> None:
    driver = _held().at(4400, SpeechStopped(at=Ms(4200))).at(6000)
    assert _over(driver) == [(4060, PAUSE), (4500, RESUME)]
    assert driver.commands(FlushRecogniser)[-1] == (4400, FlushRecogniser())
    assert driver.machine.floor is Floor.AGENT
    assert driver.machine.counts.pauses_resumed == 1


def test_a_sound_that_goes_on_without_words_holds_the_agent_only_so_long() -> None:
    driver = _held().at(9000)
    assert _over(driver) == [(4060, PAUSE), (4060 + POLICY.longest_overlap_ms, RESUME)]


def test_a_second_sound_does_not_make_it_longer() -> None:
    driver = _held()
    for ms in range(4300, 6600, 400):
        driver.at(ms, SpeechStopped()).at(ms + 200, SpeechStarted())
    assert _over(driver.at(6600))[:2] == [(4060, PAUSE), (6560, RESUME)]


def test_a_pause_whose_answer_is_lost_is_resumed_all_the_same() -> None:
    driver = _held(unheard_ms=None).at(4400, SpeechStopped(at=Ms(4200))).at(6000)
    assert _over(driver) == [(4060, PAUSE), (4500, RESUME)]


def test_after_two_sounds_that_were_nothing_only_words_stop_a_reply() -> None:
    driver = speaking()
    for ms in (4000, 5000, 6000):
        driver.at(ms, SpeechStarted()).at(ms + 300, SpeechStopped(at=Ms(ms + 200)))
    assert _over(driver) == [(4000, PAUSE), (4500, RESUME), (5000, PAUSE), (5500, RESUME)]

    driver.at(7000, SpeechStarted()).at(7200, InterimWords(text="hold on"))

    assert _over(driver)[4:] == [(7200, YIELD)]


def test_when_everything_was_heard_already_it_is_the_callers_turn() -> None:
    driver = _held(unheard_ms=0)
    assert _over(driver) == [(4060, PAUSE), (4060, YIELD)]
    assert driver.machine.floor is Floor.CALLER


def test_a_voice_that_has_not_delivered_all_has_not_been_heard() -> None:
    driver = _held(unheard_ms=0, is_whole=False)
    assert driver.machine.floor is Floor.OVERLAP


# --- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["stop", "no", "wait", "hold on", "stop calling me", "hello", "what", "yeah but how much"],
)
def test_words_that_want_the_floor_get_it(words: str) -> None:
    driver = _held().at(4300, InterimWords(text=words))
    assert _over(driver) == [(4060, PAUSE), (4300, YIELD)]
    assert driver.machine.floor is Floor.CALLER
    assert driver.machine.caller_words == words
    assert driver.machine.counts.pauses_yielded == 1

    driver.at(4700, SpeechStopped(at=Ms(4500))).at(4800, FinalWords(text=words)).at(7000)
    assert driver.commands(BeginReply)[-1] == (5200, BeginReply(reply_id=3, caller_words=words))


@pytest.mark.parametrize("words", ["uh-huh", "Okay.", "right", "yeah", "mm-hmm", "Oh, I see."])
def test_a_backchannel_lets_the_agent_go_on_when_its_sound_stops_and_is_no_turn(words: str) -> None:
    driver = _held().at(4200, InterimWords(text=words)).at(4400, SpeechStopped(at=Ms(4300)))
    assert _over(driver) == [(4060, PAUSE), (4400, RESUME)]

    driver.at(4600, FinalWords(text=words)).at(7000, ReplyPlayed(reply_id=2)).at(9000)

    assert driver.machine.floor is Floor.OPEN
    assert len(driver.commands(BeginReply)) == 1


def test_backchannel_words_after_the_sound_let_it_go_on_at_once() -> None:
    driver = _held().at(4350, SpeechStopped(at=Ms(4200))).at(4400, FinalWords(text="uh-huh"))
    assert _over(driver) == [(4060, PAUSE), (4400, RESUME)]


def test_real_words_after_a_few_backchannels_stop_it() -> None:
    driver = _held().at(4200, InterimWords(text="uh-huh")).at(4400, SpeechStopped(at=Ms(4300)))
    driver.at(4500, FinalWords(text="uh-huh"))
    driver.at(5000, SpeechStarted()).at(5150, InterimWords(text="okay"))
    driver.at(5400, InterimWords(text="okay but what does it cost"))
    assert _over(driver)[2:] == [(5000, PAUSE), (5400, YIELD)]
    assert driver.machine.caller_words == "okay but what does it cost"


@pytest.mark.parametrize("words", ["yes", "yeah", "Sure.", "uh-huh", "okay"])
def test_a_yes_near_the_end_of_the_question_is_the_answer(words: str) -> None:
    driver = _held(unheard_ms=POLICY.answered_ahead_ms).at(4300, InterimWords(text=words))
    assert _over(driver) == [(4060, PAUSE), (4300, YIELD)]
    assert driver.machine.caller_words == words


def test_a_yes_near_the_end_that_is_recognised_late_is_the_answer_too() -> None:
    driver = _held(unheard_ms=600).at(4400, SpeechStopped(at=Ms(4200)))
    driver.at(4500).at(5200, ReplyPlayed(reply_id=2)).at(5300, FinalWords(text="yes")).at(9000)
    assert driver.commands(BeginReply)[-1] == (6000, BeginReply(reply_id=3, caller_words="yes"))


def test_a_yes_is_no_answer_while_the_voice_still_delivers() -> None:
    driver = _held(unheard_ms=300, is_whole=False).at(4300, InterimWords(text="yes"))
    assert driver.machine.floor is Floor.OVERLAP


def test_finals_that_come_after_the_agent_went_on_stop_it_again() -> None:
    driver = _held().at(4400, SpeechStopped(at=Ms(4200))).at(4500)
    driver.at(5700, FinalWords(text="I am not interested"))
    assert _over(driver) == [(4060, PAUSE), (4500, RESUME), (5700, YIELD)]
    driver.at(6000)
    assert driver.commands(BeginReply)[-1] == (
        5700,
        BeginReply(reply_id=3, caller_words="I am not interested"),
    )


def test_what_he_says_again_over_the_answer_is_no_echo_of_the_recogniser() -> None:
    driver = answering("not interested at all")
    driver.at(3000, ReplyStarted(reply_id=2, interruptible=True)).at(4060, SpeechStarted())
    driver.at(4400, SpeechStopped(at=Ms(4200))).at(5000, FinalWords(text="not interested at all"))
    assert _over(driver) == [(4060, PAUSE), (4500, RESUME), (5000, YIELD)]


def test_a_backchannel_that_is_recognised_after_the_reply_is_no_turn() -> None:
    driver = _held().at(4400, SpeechStopped(at=Ms(4200))).at(4500)
    driver.at(5200, ReplyPlayed(reply_id=2)).at(5700, FinalWords(text="uh-huh")).at(9000)
    assert len(driver.commands(BeginReply)) == 1


def test_words_without_a_sound_stop_the_agent_or_not() -> None:
    driver = speaking().at(4000, InterimWords(text="yeah")).at(4300, FinalWords(text="yeah"))
    assert _over(driver) == []
    driver.at(5500, InterimWords(text="who is this"))
    assert _over(driver) == [(5500, YIELD)]
    assert driver.machine.caller_words == "who is this"
    assert driver.machine.floor is Floor.PAUSE
    driver.at(5600, FinalWords(text="Who is this?")).at(7000)
    assert driver.commands(BeginReply)[-1] == (
        6300,
        BeginReply(reply_id=3, caller_words="Who is this?"),
    )


def test_a_yes_without_a_sound_in_the_last_moment_is_the_answer() -> None:
    driver = speaking().at(4000, FinalWords(text="yes")).at(4500, ReplyPlayed(reply_id=2))
    assert driver.machine.caller_words == "yes"
    early = speaking().at(4000, FinalWords(text="yes")).at(5000, ReplyPlayed(reply_id=2))
    assert early.machine.floor is Floor.OPEN


# --- echo, second voices, greetings ----------------------------------------------------------


def test_the_agents_own_words_are_not_the_callers() -> None:
    driver = speaking().at(3000, AgentWords(reply_id=2, text="So is now a good time for you?"))
    driver.at(4000, InterimWords(text="is now a good time")).at(
        4400, FinalWords(text="is now a good time")
    )
    assert _over(driver) == []
    driver.at(6000, ReplyPlayed(reply_id=2)).at(6100)
    assert driver.machine.floor is Floor.OPEN


def test_an_echo_that_is_recognised_after_the_reply_is_no_turn() -> None:
    driver = speaking().at(3000, AgentWords(reply_id=2, text="So is now a good time for you?"))
    driver.at(4000, ReplyPlayed(reply_id=2)).at(4800, FinalWords(text="a good time for you"))
    assert driver.machine.floor is Floor.OPEN


def test_what_he_repeats_of_an_offer_is_his() -> None:
    driver = speaking().at(3000, AgentWords(reply_id=2, text="Thursday at ten or Friday at two?"))
    driver.at(4000, SpeechStarted()).at(4300, InterimWords(text="friday at two"))
    assert _over(driver)[1:] == [(4300, YIELD)]


def test_a_second_voice_waits_but_an_opt_out_is_heard_at_any_level() -> None:
    driver = speaking().at(4000, SpeechStarted(is_faint=True))
    driver.at(4400, InterimWords(text="dinner is ready"))
    assert _over(driver) == []
    driver.at(4800, InterimWords(text="dinner is ready stop calling"))
    assert _over(driver) == [(4800, YIELD)]


def test_a_faint_voice_after_a_cough_holds_nothing_and_keeps_its_words() -> None:
    driver = _held().at(4300, SpeechStopped(at=Ms(4200)))
    driver.at(4350, SpeechStarted(is_faint=True)).at(4450, InterimWords(text="dinner is ready"))
    assert _over(driver.at(5000)) == [(4060, PAUSE), (4650, RESUME)]
    assert driver.machine.caller_words == "dinner is ready"


def test_a_voice_that_was_faint_over_one_reply_says_nothing_of_the_next() -> None:
    driver = speaking().at(4000, SpeechStarted(is_faint=True)).at(4300, SpeechStopped())
    driver.at(4400, FinalWords(text="")).at(5000, ReplyPlayed(reply_id=2))
    driver.at(13_500, ReplyStarted(reply_id=3, interruptible=True))
    driver.at(15_000, InterimWords(text="who is this"))
    assert _over(driver) == [(15_000, InterruptReply(reply_id=3))]


def test_words_that_no_sound_came_with_are_at_no_level() -> None:
    driver = speaking().at(4000, SpeechStarted(is_faint=True)).at(4100, SpeechStopped())
    driver.at(4400, FinalWords(text="")).at(5000, ReplyPlayed(reply_id=2))
    driver.at(5100, FinalWords(text="how much is it"))
    driver.at(6700, ReplyStarted(reply_id=3, interruptible=True))
    driver.at(7000, InterimWords(text="who is this"))
    assert _over(driver) == [(7000, InterruptReply(reply_id=3))]


def test_how_near_the_end_one_reply_was_says_nothing_of_the_next() -> None:
    driver = _held(unheard_ms=300).at(4300, InterimWords(text="yes"))
    driver.at(4600, SpeechStopped(at=Ms(4400))).at(4700, FinalWords(text="yes")).at(5200)
    driver.at(5500, ReplyStarted(reply_id=3, interruptible=True))
    driver.at(7000, InterimWords(text="okay"))
    assert driver.machine.floor is Floor.AGENT


def _first_line() -> Driver:
    driver = Driver()
    driver.at(0, AgentTurnOpened(reply_id=driver.machine.next_reply_id()))
    return driver.at(100, ReplyStarted(reply_id=1, interruptible=False))


def test_a_hello_on_picking_up_is_answered_by_the_first_line() -> None:
    driver = _first_line().at(300, SpeechStarted()).at(700, SpeechStopped(at=Ms(500)))
    driver.at(800, FinalWords(text="Hello?")).at(3000, ReplyStarted(reply_id=1, interruptible=True))
    driver.at(6000, ReplyPlayed(reply_id=1)).at(7000)
    assert _over(driver) == []
    assert driver.machine.floor is Floor.OPEN


def test_a_yes_on_picking_up_is_no_answer_to_the_question_that_follows() -> None:
    driver = Driver()
    driver.at(0, AgentTurnOpened(reply_id=driver.machine.next_reply_id()))
    driver.at(50, FinalWords(text="Yes?")).at(100, ReplyStarted(reply_id=1, interruptible=False))
    driver.at(4000, ReplyPlayed(reply_id=1))
    assert driver.machine.floor is Floor.OPEN
    assert driver.machine.caller_words == ""


def test_what_was_said_over_a_must_say_line_stops_what_follows_it() -> None:
    driver = _first_line().at(300, SpeechStarted()).at(1700, SpeechStopped(at=Ms(1500)))
    driver.at(1800, FinalWords(text="take me off your list"))
    assert _over(driver) == []
    driver.at(3000, ReplyStarted(reply_id=1, interruptible=True))
    assert _over(driver) == [(3000, InterruptReply(reply_id=1))]


def test_who_still_speaks_when_the_must_say_line_ends_holds_what_follows() -> None:
    driver = _first_line().at(2500, SpeechStarted())
    driver.at(3000, ReplyStarted(reply_id=1, interruptible=True))
    assert _over(driver) == [(3000, PauseReply(reply_id=1))]


# --- over a reply that has no audio yet ------------------------------------------------------


def test_a_sound_while_the_reply_is_made_holds_it_and_words_take_it_back() -> None:
    driver = answering().at(2800, SpeechStarted()).at(3000, InterimWords(text="okay"))
    assert _over(driver) == [(2800, PAUSE), (3000, YIELD)]
    assert driver.machine.caller_words == "yes sure okay"


def test_a_reply_of_which_nothing_was_made_yet_has_not_been_heard() -> None:
    driver = answering()
    driver.unheard_ms = 0
    driver.at(2800, SpeechStarted())
    assert driver.machine.floor is Floor.OVERLAP


def test_a_cough_while_the_reply_is_made_costs_nothing() -> None:
    driver = answering().at(2800, SpeechStarted()).at(3100, SpeechStopped(at=Ms(2900))).at(3300)
    assert _over(driver) == [(2800, PAUSE), (3200, RESUME)]
    assert driver.machine.floor is Floor.THINKING

    driver.at(20_000)

    assert driver.commands(PlayFiller) == [(4500, PlayFiller(reply_id=2))]
    assert driver.commands(FallBack) == [(7700, FallBack(reply_id=2))], "from the turn's end on"


def test_the_late_form_of_answered_words_is_no_word_over_the_reply() -> None:
    driver = opened().at(1500, SpeechStarted()).at(1900, InterimWords(text="yes sure"))
    driver.at(2000, SpeechStopped()).at(4000)
    driver.at(4100, SpeechStarted()).at(4200, FinalWords(text="Yes, sure."))
    assert driver.machine.floor is Floor.OVERLAP
    driver.at(4400, SpeechStopped(at=Ms(4300))).at(5000)
    assert _over(driver) == [(4100, PAUSE), (4600, RESUME)]


def test_a_reply_that_fails_while_it_is_held_falls_back_and_goes_on_being_held() -> None:
    driver = answering().at(2800, SpeechStarted()).at(2900, ReplyFailed(reply_id=2))
    assert driver.said[-1] == (2900, FallBack(reply_id=2))
    assert driver.machine.floor is Floor.OVERLAP


def test_a_part_that_must_be_said_goes_on_at_once() -> None:
    driver = answering().at(2800, SpeechStarted())
    driver.at(2900, ReplyStarted(reply_id=2, interruptible=True))
    assert _over(driver) == [(2800, PAUSE)]
    driver.at(2950, ReplyStarted(reply_id=2, interruptible=False))
    assert _over(driver) == [(2800, PAUSE), (2950, RESUME)]
    assert driver.machine.floor is Floor.AGENT


# --- keys, orders, ends ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "last"),
    [
        (DtmfHeard(digit="9"), PressKey(reply_id=3, digit="9")),
        (OrderCame(), ObeyOrder(reply_id=3)),
    ],
)
def test_a_key_or_an_order_cuts_what_is_held(event: DtmfHeard | OrderCame, last: Command) -> None:
    driver = _held().at(4200, event)
    assert driver.since(4200) == [(4200, YIELD), (4200, last)]


def test_a_key_over_a_reply_that_is_made_takes_the_words_along() -> None:
    driver = answering().at(2800, SpeechStarted()).at(2900, DtmfHeard(digit="1"))
    assert driver.said[-1] == (2900, PressKey(reply_id=3, digit="1", caller_words="yes sure"))


def test_a_goodbye_that_is_held_goes_on() -> None:
    driver = _held().at(4200, ScriptEnded())
    assert _over(driver) == [(4060, PAUSE), (4200, RESUME)]
    driver.at(6000, ReplyPlayed(reply_id=2)).at(9000)
    assert driver.commands(HangUp) == [(6300, HangUp())]


def test_old_news_of_a_reply_that_was_stopped_changes_nothing() -> None:
    driver = _held().at(4300, InterimWords(text="no"))
    driver.at(4310, ReplyStarted(reply_id=2, interruptible=True))
    driver.at(4320, ReplyPlayed(reply_id=2)).at(4330, ReplyFailed(reply_id=2))
    assert driver.machine.floor is Floor.CALLER
    assert _over(driver) == [(4060, PAUSE), (4300, YIELD)]


def test_an_offer_repeated_as_its_last_word_is_said_is_the_answer_to_it() -> None:
    driver = speaking()
    driver.unheard_ms = 400
    driver.at(
        3000, AgentWords(reply_id=2, text="Thursday at ten or Friday at two in the afternoon?")
    )
    driver.at(4000, SpeechStarted()).at(4300, InterimWords(text="friday at two in the afternoon"))
    assert _over(driver)[1:] == [(4300, YIELD)]


def test_a_voice_in_the_background_does_not_take_a_paused_turn_up_again() -> None:
    driver = opened().at(1500, SpeechStarted()).at(2100, SpeechStopped(at=Ms(2000)))
    driver.at(2200, FinalWords(text="yes sure")).at(2300, SpeechStarted(is_faint=True))
    assert driver.machine.floor is Floor.PAUSE
    driver.at(9000)
    assert [command for _, command in driver.commands(BeginReply)] == [
        BeginReply(reply_id=2, caller_words="yes sure")
    ]


def test_a_yes_after_a_must_say_line_whose_last_mark_was_lost_is_the_answer_to_it() -> None:
    driver = answering().at(3000, ReplyStarted(reply_id=2, interruptible=False))
    driver.at(4300, SpeechStarted()).at(4600, InterimWords(text="yes"))
    driver.at(4700, SpeechStopped(at=Ms(4550))).at(4800, FinalWords(text="Yes."))
    driver.at(5700, ReplyPlayed(reply_id=2, at=Ms(4200))).at(9000)
    assert driver.commands(BeginReply)[-1] == (5700, BeginReply(reply_id=3, caller_words="Yes."))


def test_one_over_the_middle_of_it_is_still_no_turn() -> None:
    driver = answering().at(3000, ReplyStarted(reply_id=2, interruptible=False))
    driver.at(3100, SpeechStarted()).at(3300, InterimWords(text="yes"))
    driver.at(3400, SpeechStopped(at=Ms(3250))).at(3500, FinalWords(text="Yes."))
    driver.at(5700, ReplyPlayed(reply_id=2, at=Ms(4200))).at(9000)
    assert len(driver.commands(BeginReply)) == 1
