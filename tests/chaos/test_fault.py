"""A verdict names what should not be, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from chaos import judgement
from chaos.fault import Control, Verdict, unnoticed
from chaos.faults.calm import control_of
from chaos.seen import Batch, CallSeen, Strike
from tests.chaos.calls import OURS, QUESTIONS, call, line, strike, turn

CONTROL: Control = control_of([Batch(calls=(call(), call()))])


def verdict(*calls: CallSeen, strikes: tuple[Strike, ...] = (strike(8500, 9500),)) -> Verdict:
    return unnoticed("worker", [Batch(calls=calls, strikes=strikes)], CONTROL, QUESTIONS)


def slower(first_ms: int, second_ms: int) -> CallSeen:
    """Both of its turns take longer; the second is the one that is struck."""
    first, second, third = call().agent_sounds
    return call(
        agent_sounds=(
            first,
            replace(second, start_ms=second.start_ms + first_ms),
            replace(third, start_ms=third.start_ms + second_ms),
        )
    )


def test_what_nobody_noticed_has_no_failure() -> None:
    seen = verdict(call(), call())
    assert seen.failures == ()
    assert (seen.rows[0]["lost"], seen.rows[0]["turns struck"]) == (0, 2)


def test_a_turn_that_takes_longer_is_noticed() -> None:
    (failure,) = verdict(slower(0, 200)).failures
    assert failure == "turns took 200 ms longer at the median; 50 are allowed"


def test_what_turns_grew_by_that_were_not_struck_is_not_the_faults() -> None:
    assert verdict(slower(200, 220)).failures == ()


def test_a_fault_that_struck_nothing_proves_nothing() -> None:
    (failure,) = verdict(call(), strikes=(strike(14_500),)).failures
    assert failure == "no turn fell into the fault"


def test_lost_calls_lost_words_and_lost_turns_are_named() -> None:
    lost = call(outcome="hung_up", troubles=("no TwiML: ReadError",))
    assert verdict(lost).failures[0] == "1 of 1 calls lost: 1 × hung_up (no TwiML: ReadError)"
    assert "4 words" in verdict(call(turns=call().turns[:2])).failures[0]
    gap = verdict(call(turns=(*call().turns[:2], turn(4, "booked", OURS, 10_000))))
    assert gap.failures[0] == "1 calls whose turns have gaps or doubles"


def test_other_slots_than_calm_calls_have_are_named() -> None:
    (failure,) = verdict(call(slots={"monthly_bill_usd": 80})).failures
    assert failure == "1 calls ended with other slots than calm ones"


def test_a_question_asked_twice_is_named() -> None:
    again = call(lines=(*call().lines, line("Do you own your house?", 14_000, 14_900)))
    assert judgement.asked_twice(again, QUESTIONS) == []
    again = call(lines=(*call().lines, line("Do you own the house you live in?", 14_000, 14_900)))
    assert "1 questions asked again" in verdict(again).failures[0]
