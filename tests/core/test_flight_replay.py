"""A recorded stream replays as it was, and anything that would go otherwise is found, with its time."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from callspine.turn_replay import retrace
from callspine.turn_story import tell_story
from callspine.turn_what_if import what_if
from media_gateway.flight.encoding import Step
from media_gateway.flight.reading import Flight
from media_gateway.turns.types import (
    AgentTurnOpened,
    BeginReply,
    Event,
    FinalWords,
    Floor,
    Ms,
    ReplyPlayed,
    ReplyStarted,
    SpeechStarted,
    TurnPolicy,
)
from tests.core.flights import Call, flight, noted
from tests.core.test_turn_properties import News, _streams
from tests.core.turn_driver import POLICY, Driver


def _any_call(stream: list[tuple[int, Event | News]], unheard_ms: int | None) -> list[Step]:
    """Some call's steps: news are of the reply that was begun last."""
    driver = Driver()
    machine = noted(driver)
    driver.unheard_ms = unheard_ms
    driver.at(0, AgentTurnOpened(reply_id=driver.machine.next_reply_id()))
    now = 0
    for step, event in stream:
        now += step
        driver.at(now)
        last = max((getattr(command, "reply_id", 1) for _, command in driver.said), default=1)
        driver.at(now, event.of(last) if isinstance(event, News) else event)
    return machine.steps


_calls = st.builds(_any_call, _streams, st.sampled_from([2000, 300, 0, None]))
_policies = st.builds(
    TurnPolicy,
    eager_p=st.floats(0, 1),
    commit_p=st.floats(0, 1),
    least_pause_ms=st.integers(0, 1000),
    end_pause_ms=st.integers(0, 1500),
    unfinished_pause_ms=st.integers(1500, 3000),
    words_wait_ms=st.integers(0, 3000),
    overlap_wait_ms=st.integers(0, 2000),
    most_pauses=st.integers(0, 3),
    filler_after_ms=st.integers(0, 3000),
    fallback_after_ms=st.integers(0, 6000),
    silence_ms=st.integers(500, 9000),
)


@settings(max_examples=200, deadline=None)
@given(_calls)
def test_whatever_happened_the_same_machine_does_it_again(steps: list[Step]) -> None:
    again = retrace(flight(steps), same_rules=False)
    assert again.differences == ()
    assert again.steps == len(steps)
    assert again.commands == sum(len(step.commands or ()) for step in steps)
    assert again.latest_ms == 0


@settings(max_examples=100, deadline=None)
@given(_calls, _policies)
def test_another_policy_can_be_tried_on_whatever_happened(
    steps: list[Step], policy: TurnPolicy
) -> None:
    told = tell_story(steps)
    would_be = what_if(steps, told, policy)
    times = [step.now for step in would_be.steps]
    assert times == sorted(times)
    assert not [note for note in would_be.notes if "circles" in note or "refuses" in note]
    assert not times or times[-1] <= steps[-1].now
    assert retrace(flight(list(would_be.steps), policy), same_rules=False).differences == ()
    tell_story(would_be.steps)


def _short_call(policy: TurnPolicy = POLICY) -> Call:
    return Call(policy).says(1500, 2000, "yes we own it").answer(2, 3500, 5000).until(6000)


def _with_policy(recorded: Flight, **changed: int) -> Flight:
    policy = replace(recorded.header.policy, **changed)
    return replace(recorded, header=replace(recorded.header, policy=policy))


def test_a_machine_that_answers_later_is_found_at_the_time_it_should_have() -> None:
    recorded = _short_call().flight
    begun = next(
        step for step in recorded.steps if BeginReply in {type(c) for c in step.commands or ()}
    )

    first, *_ = retrace(_with_policy(recorded, end_pause_ms=1000), same_rules=False).differences

    assert (first.now, first.cause) == (begun.now, "timer")
    assert first.expected == begun.commands
    assert first.got == ()
    assert first.notes == (f"no deadline is due: the next is at {begun.now + 300} ms",)
    assert recorded.steps[first.line - 2] == begun


def test_a_machine_that_answers_sooner_is_found_though_its_commands_come_out_the_same() -> None:
    recorded = _short_call(TurnPolicy(end_pause_ms=1000)).flight
    sooner = _with_policy(recorded, end_pause_ms=500)

    (first, *_) = retrace(sooner, same_rules=False).differences
    assert first.expected == first.got
    assert first.notes == ("a deadline was due at 2500 ms",)

    # By the same rules only the loop can have been late.
    again = retrace(sooner, same_rules=True)
    assert again.differences == ()
    assert again.latest_ms == 500


def test_another_command_is_shown_beside_the_recorded_one() -> None:
    recorded = _short_call().flight
    steps = [
        replace(step, event=FinalWords(text="no")) if isinstance(step.event, FinalWords) else step
        for step in recorded.steps
    ]
    (difference,) = retrace(flight(steps), same_rules=True).differences
    assert difference.expected == (BeginReply(reply_id=2, caller_words="yes we own it"),)
    assert difference.got == (BeginReply(reply_id=2, caller_words="no"),)


def test_a_reply_id_that_the_machine_would_not_give_is_a_difference() -> None:
    steps = [Step(now=Ms(0), event=AgentTurnOpened(reply_id=3), commands=())]
    (difference,) = retrace(flight(steps), same_rules=True).differences
    assert difference.notes == ("the machine refuses: its next reply is 1, the record's 3",)


def test_the_floors_are_those_of_the_call() -> None:
    floors = retrace(_short_call().flight, same_rules=True).floors
    assert [floor for _, floor in floors] == [
        Floor.OPEN,
        Floor.THINKING,
        Floor.AGENT,
        Floor.OPEN,
        Floor.CALLER,
        Floor.PAUSE,
        Floor.THINKING,
        Floor.AGENT,
        Floor.OPEN,
    ]


def test_an_empty_flight_is_equal() -> None:
    assert retrace(flight([]), same_rules=True).differences == ()


def test_news_of_a_reply_that_nobody_begun_harms_no_story() -> None:
    steps = [
        Step(now=Ms(0), event=ReplyStarted(reply_id=9, interruptible=True), commands=()),
        Step(now=Ms(5), event=SpeechStarted(), commands=None),
        Step(now=Ms(9), event=ReplyPlayed(reply_id=9), commands=()),
    ]
    story = tell_story(steps)
    assert story.replies == []
    assert [(sound.start, sound.end) for sound in story.sounds] == [(5, 9)]
