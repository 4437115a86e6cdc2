"""Whole calls on a running gateway, recorded to files: each replays as it went."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from callspine.turn_replay import retrace
from callspine.turn_story import tell_story
from callspine.turn_what_if import what_if
from media_gateway.flight.files import flights_of
from media_gateway.flight.reading import Flight, read_flight
from media_gateway.flight.recorder import FlightRecorder
from media_gateway.turns.types import (
    BeginReply,
    FinalWords,
    LineLost,
    ReplyPlayed,
    ReplyStarted,
    SpeechStarted,
)
from tests.gateway.conftest import POLICY, Gateway, Line

YES: tuple[str, dict[str, str], list[str]] = ("permission_given", {}, ["Thank you."])


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[FlightRecorder]:
    opened = FlightRecorder(tmp_path)
    yield opened
    opened.close()


async def _flown(gateway: Gateway, line: Line, folder: Path) -> Flight:
    """The caller hangs up; the call's record."""
    await line.hang_up()
    await gateway.link.until_lost()

    def closed() -> bool:
        return any(
            read_flight(path.read_bytes()).is_closed for path in flights_of(folder, "call-1")
        )

    await line.until(closed)
    (path,) = flights_of(folder, "call-1")
    return read_flight(path.read_bytes())


async def _says(gateway: Gateway, line: Line, words: str) -> None:
    done = len(gateway.link.told)
    gateway.recogniser.words.append(words)
    line.speak(300)
    await gateway.link.until_turns(done + 1)
    await line.agent_done()


async def test_a_whole_call_is_recorded_and_replays_as_it_went(
    gateway: Gateway, tmp_path: Path
) -> None:
    gateway.dialogue.replies += [YES, ("homeowner", {"owns_home": "yes"}, ["Great."])]
    line = await gateway.stream()
    await line.agent_done()
    await _says(gateway, line, "yes sure")
    await _says(gateway, line, "yes we own it")
    await line.until(lambda: line.quiet_frames > 20)
    flight = await _flown(gateway, line, tmp_path)

    assert flight.damage is None
    assert flight.header.policy == POLICY
    events = {type(step.event) for step in flight.steps}
    assert {SpeechStarted, FinalWords, ReplyStarted, ReplyPlayed, LineLost} <= events
    begun = [c for step in flight.steps for c in step.commands or () if isinstance(c, BeginReply)]
    assert {"yes sure", "yes we own it"} <= {command.caller_words for command in begun}
    again = retrace(flight, same_rules=True)
    assert again.differences == ()
    assert again.commands >= len(begun)
    _can_be_played_anew(flight)


async def test_a_call_with_speech_over_the_agent_replays_as_it_went(
    gateway: Gateway, tmp_path: Path
) -> None:
    gateway.voice.slowness = 6
    gateway.dialogue.replies.append(YES)
    line = await gateway.stream()
    await line.agent_done()
    gateway.recogniser.words += ["yes sure", "wait a moment"]
    line.speak(300)
    await gateway.link.until_turns(2)
    await line.until(lambda: line.agent_spoke)
    line.speak(600)
    await line.until(lambda: bool(line.events("clear")))
    await line.until(lambda: gateway.voice.cancelled == 1)
    flight = await _flown(gateway, line, tmp_path)

    kinds = {type(c).__name__ for step in flight.steps for c in step.commands or ()}
    assert {"PauseReply", "InterruptReply"} <= kinds
    assert retrace(flight, same_rules=True).differences == ()
    _can_be_played_anew(flight)


def _can_be_played_anew(flight: Flight) -> None:
    """With its own policy, nearly as it went: the same answers, off by what the loop was late."""
    recorded = tell_story(flight.steps)
    anew = tell_story(what_if(flight.steps, recorded, flight.header.policy).steps)
    assert anew.sounds == recorded.sounds
    assert [reply.words for reply in anew.replies] == [reply.words for reply in recorded.replies]
