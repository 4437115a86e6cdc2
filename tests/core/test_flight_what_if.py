"""Another policy on a recorded call: the caller as he was, the agent's side from its recorded figures."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from callspine.turn_differences import Comparison, compare, gaps_ms
from callspine.turn_performance import AUDIBLE_MS, LATENCY_MS
from callspine.turn_story import Story, tell_story
from callspine.turn_what_if import WhatIf, what_if
from media_gateway.flight.encoding import Step
from media_gateway.turns.types import (
    BeginReply,
    CommitReply,
    DropReply,
    EndOfTurnEstimated,
    FallBack,
    HangUp,
    Ms,
    PauseReply,
    ReplyFailed,
    ReplyPaused,
    ReplyPlayed,
    ReplyStarted,
    ScriptEnded,
    SpeechStarted,
    SpeechStopped,
    TurnPolicy,
)
from tests.core.flights import Call
from tests.core.turn_driver import POLICY


def _tried(call: Call, **changed: Any) -> tuple[Story, WhatIf, Story]:
    """The record's story, another policy's run and its story."""
    steps = call.machine.steps
    recorded = tell_story(steps)
    would_be = what_if(steps, recorded, replace(call.policy, **changed))
    return recorded, would_be, tell_story(would_be.steps)


def _compared(call: Call, **changed: Any) -> Comparison:
    recorded, _, after = _tried(call, **changed)
    return compare(recorded, after)


def _paused_call() -> Call:
    """He pauses 1100 ms in mid-turn, is answered in it, goes on 200 ms later; then he is done."""
    call = Call().says(1500, 2000, "we own it").until(2700)
    call.driver.at(2900, ReplyStarted(reply_id=2, interruptible=True))
    call.says(3100, 4000, "and it is ours")
    return call.until(4700).answer(3, 5200, 7200).until(9000)


def _plain_call() -> Call:
    """Two turns: answered 500 and 900 ms after their end, heard for 1500 and 2500 ms."""
    call = Call().says(1500, 2000, "yes we own it").answer(2, 3200, 4700)
    return call.says(6000, 7000, "it is a metal roof").answer(3, 8600, 11_100).until(12_000)


def _events(run: WhatIf) -> list[tuple[Ms, Any]]:
    return [(step.now, step.event) for step in run.steps]


def _commands(run: WhatIf | list[Step]) -> list[tuple[Ms, Any]]:
    steps = run if isinstance(run, list) else run.steps
    return [(step.now, command) for step in steps for command in step.commands or ()]


@pytest.mark.parametrize("call", [_plain_call(), _paused_call()], ids=["plain", "cut in"])
def test_the_recorded_policy_does_what_was_recorded(call: Call) -> None:
    recorded, would_be, after = _tried(call)
    assert _commands(would_be) == _commands(call.machine.steps)
    assert gaps_ms(after) == gaps_ms(recorded)
    assert all(pause.sooner_ms == 0 for pause in compare(recorded, after).pauses)


def test_a_shorter_pause_answers_sooner_and_each_reply_keeps_its_own_figures() -> None:
    _, would_be, after = _tried(_plain_call(), end_pause_ms=500)

    told = _events(would_be)
    assert (Ms(3000), ReplyStarted(reply_id=2, interruptible=True)) in told
    assert (Ms(4500), ReplyPlayed(reply_id=2)) in told
    assert (Ms(8400), ReplyStarted(reply_id=3, interruptible=True)) in told
    assert (Ms(10_900), ReplyPlayed(reply_id=3)) in told
    assert would_be.replies_assumed == 0
    assert gaps_ms(after) == [1000, 1400]
    both = _compared(_plain_call(), end_pause_ms=500)
    assert [pause.sooner_ms for pause in both.pauses] == [200, 200]
    assert both.median_sooner_ms == 200
    assert (both.new_cut_ins, both.spared_cut_ins) == ((), ())


def test_a_longer_pause_spares_a_cut_in() -> None:
    both = _compared(_paused_call(), end_pause_ms=1200)

    (spared,) = both.spared_cut_ins
    assert (spared.stop, spared.resume, spared.before_ms) == (2000, 3100, 900)
    assert spared.after_ms is None
    assert both.commands["BeginReply"] == (2, 1)
    assert both.commands["PauseReply"] == (1, 0)


def test_a_shorter_pause_cuts_in_where_he_went_on() -> None:
    call = Call(TurnPolicy(end_pause_ms=1000)).says(1500, 2000, "we own it")
    call.says(2800, 4000, "and it is ours").answer(2, 5300, 7200).until(9000)
    assert not _compared(call, end_pause_ms=650).new_cut_ins  # 300 ms of latency: he goes on before

    (cut_in,) = _compared(call, end_pause_ms=450).new_cut_ins

    assert (cut_in.stop, cut_in.resume) == (2000, 2800)
    assert (cut_in.before_ms, cut_in.after_ms) == (None, 750)


def _overlapped_call() -> Call:
    """Something is heard over the answer from 3500 to 3700; it is held, and goes on."""
    call = Call().says(1500, 2000, "yes we own it")
    call.driver.at(3000, ReplyStarted(reply_id=2, interruptible=True))
    call.driver.at(3500, SpeechStarted(at=Ms(3500))).at(3750, SpeechStopped(at=Ms(3700)))
    call.driver.at(7000, ReplyPlayed(reply_id=2))
    return call.until(16_000)


def test_a_reply_that_is_held_goes_on_for_as_long_as_it_had_left() -> None:
    recorded, would_be, after = _tried(_overlapped_call(), overlap_wait_ms=800)

    assert recorded.count()["PauseReply"] == 1
    reply = next(reply for reply in after.replies if reply.reply_id == 2)
    (first, second) = reply.spans
    assert first == (3000, 3500)
    assert second[0] == 4500  # 800 ms after the last sound
    original = next(reply for reply in recorded.replies if reply.reply_id == 2)
    assert reply.audible_ms(Ms(9000)) == original.audible_ms(Ms(9000)) == 3500
    assert (Ms(3500), ReplyPaused(reply_id=2, unheard_ms=3000, is_whole=True)) in _events(would_be)


def test_a_policy_that_never_holds_a_reply_lets_it_run() -> None:
    _, would_be, after = _tried(_overlapped_call(), most_pauses=0)
    assert PauseReply not in {type(command) for _, command in _commands(would_be)}
    reply = next(reply for reply in after.replies if reply.reply_id == 2)
    assert reply.spans == [(3000, 6500)]


def test_an_answer_that_is_begun_ahead_waits_until_it_is_let_out() -> None:
    call = Call().says(1500, 2000, "yes we own it")
    call.driver.at(2150, EndOfTurnEstimated(p=0.5)).at(2250, EndOfTurnEstimated(p=0.9))
    call.driver.at(2450, EndOfTurnEstimated(p=0.9))
    call.answer(2, 2600, 4000).until(6000)
    recorded, would_be, after = _tried(call)
    kinds = [type(command) for _, command in _commands(would_be)]
    assert BeginReply in kinds
    assert CommitReply in kinds
    assert gaps_ms(after) == gaps_ms(recorded) == [600]

    _, would_be, after = _tried(call, commit_p=1.0)
    let_out = next(at for at, command in _commands(would_be) if isinstance(command, CommitReply))
    assert let_out > 2700
    assert gaps_ms(after) == [let_out - 2000]  # it had been ready


def test_nothing_is_told_of_a_reply_while_it_is_held() -> None:
    call = Call().says(1500, 2000, "yes we own it")
    call.driver.at(3000, ReplyStarted(reply_id=2, interruptible=True))
    call.driver.at(3500, SpeechStarted(at=Ms(3500))).at(3750, SpeechStopped(at=Ms(3700)))
    call.driver.at(5300, ReplyPlayed(reply_id=2)).at(16_000)  # 1300 ms were left at 4000
    _, would_be, _ = _tried(call, overlap_wait_ms=2200, longest_overlap_ms=5000)
    assert (Ms(5900 + 1300), ReplyPlayed(reply_id=2)) in _events(would_be)


def test_an_answer_that_is_dropped_leaves_its_figures_to_the_next_one() -> None:
    call = Call(TurnPolicy(eager_p=1.0, end_pause_ms=1000)).says(1500, 2000, "we own it")
    call.driver.at(2250, EndOfTurnEstimated(p=0.5))
    call.says(2800, 4000, "and it is ours").answer(2, 5300, 7200).until(9000)
    _, would_be, _ = _tried(call, eager_p=0.4)
    kinds = [type(command) for _, command in _commands(would_be)]
    assert kinds.count(BeginReply) == 2
    assert DropReply in kinds
    assert would_be.replies_assumed == 0


def test_an_answer_that_was_ready_before_it_was_let_out_was_ready_as_soon_as_others_are() -> None:
    call = Call().says(1500, 2000, "yes we own it").answer(2, 3000, 4000)  # 300 ms
    call.says(6000, 7000, "it is metal")
    for ms in range(7150, 7900, 250):
        call.driver.at(ms, EndOfTurnEstimated(p=0.5))
    call.driver.at(7950, EndOfTurnEstimated(p=0.9))
    call.answer(3, 7950, 9000).until(10_000)
    recorded, would_be, _ = _tried(call, eager_p=1.0)
    assert next(reply for reply in recorded.replies if reply.reply_id == 3).opened == 7150
    assert would_be.replies_assumed == 1
    assert (Ms(7950 + 300), ReplyStarted(reply_id=3, interruptible=True)) in _events(would_be)


def test_what_the_record_does_not_know_is_the_median_and_counted() -> None:
    call = _plain_call()
    call.says(13_000, 14_000, "what does it cost").until(14_800)
    call.driver.at(14_900, SpeechStarted(at=Ms(14_900)))  # taken back before it was heard
    call.says(14_950, 16_000, "about").until(18_500).until(20_000)
    assert [r.reply_id for r in tell_story(call.machine.steps).replies if r.started is None] == [
        4,
        5,
    ]

    _, would_be, _ = _tried(call)

    assert would_be.replies_assumed == 2
    (_, begun), *_ = [
        (c, at)
        for at, c in _commands(would_be)
        if c == BeginReply(reply_id=5, caller_words="what does it cost about")
    ]
    assert (begun + (500 + 900) // 2, ReplyStarted(reply_id=5, interruptible=True)) in _events(
        would_be
    )


def test_a_record_without_any_answer_has_something_to_assume() -> None:
    call = Call().says(1500, 2000, "yes we own it").until(12_000)
    _, would_be, _ = _tried(call, end_pause_ms=600)
    assert (Ms(2600 + LATENCY_MS), ReplyStarted(reply_id=2, interruptible=True)) in _events(
        would_be
    )
    assert (Ms(2600 + LATENCY_MS + AUDIBLE_MS), ReplyPlayed(reply_id=2)) in _events(would_be)


def test_a_reply_that_only_its_fallback_spoke_waits_for_the_fallback() -> None:
    call = Call().says(1500, 2000, "yes we own it").until(2700 + POLICY.fallback_after_ms)
    call.answer(2, 2700 + POLICY.fallback_after_ms + 250, 12_000).until(13_000)
    _, would_be, _ = _tried(call, fallback_after_ms=3000)
    assert (Ms(5700), FallBack(reply_id=2)) in _commands(would_be)
    assert (Ms(5950), ReplyStarted(reply_id=2, interruptible=True)) in _events(would_be)


def test_a_reply_that_failed_fails_again_and_ends_as_it_did() -> None:
    call = Call().says(1500, 2000, "yes we own it").until(2700)
    call.driver.at(3000, ReplyFailed(reply_id=2)).at(3400, ReplyFailed(reply_id=2))
    call.until(6000)
    _, would_be, after = _tried(call, end_pause_ms=500)
    assert (Ms(2800), ReplyFailed(reply_id=2)) in _events(would_be)
    assert next(r for r in after.replies if r.reply_id == 2).how == "failed"


def test_the_last_reply_ends_the_call_in_the_other_run_too() -> None:
    call = Call().says(1500, 2000, "goodbye").until(2700)
    call.driver.at(3000, ScriptEnded())
    call.answer(2, 3000, 4000).until(6000)
    _, would_be, _ = _tried(call, end_pause_ms=500)
    assert _commands(would_be)[-1] == (3800 + POLICY.drain_ms, HangUp())
    assert would_be.notes == ()


def test_a_run_that_ends_before_the_record_says_so() -> None:
    call = Call().says(1500, 2000, "goodbye").until(2700)
    call.driver.at(3000, ScriptEnded())
    call.driver.at(3000, ReplyStarted(reply_id=2, interruptible=True))
    call.driver.at(3200, SpeechStarted(at=Ms(3200))).at(8900, SpeechStopped())
    call.driver.at(9000, ReplyPlayed(reply_id=2)).at(9900)
    _, would_be, _ = _tried(call, end_pause_ms=500, drain_ms=0)
    assert would_be.notes == (
        "the call would have ended at 8800 ms: the rest of the record is not used",
    )


def test_a_policy_without_any_pause_is_given_up_at_once() -> None:
    none = {field.name: 0 for field in fields(TurnPolicy) if field.name.endswith("_ms")}
    _, would_be, _ = _tried(_plain_call(), **none)
    assert "circles" in would_be.notes[-1]
    assert len(would_be.steps) < 1000
