"""Audio that was spoken before, on a running gateway: openers, authored lines; and what the ear and the recorder are told."""

from __future__ import annotations

import asyncio

import pytest

from media_gateway.ears.ports import Expectation
from media_gateway.openers import Opener
from media_gateway.speech.ports import ReadyAudio
from media_gateway.turns.machine import TurnMachine
from media_gateway.turns.types import AgentTurnOpened, AgentWords, Command, PlayFiller
from tests.gateway.conftest import Gateway, Line
from tests.gateway.fakes import LOUD, SCRIPT

YES: tuple[str, dict[str, str], list[str]] = ("permission_given", {}, ["Thank you."])
QUESTION = "Do you own the house you live in?"


def audio(ms: int) -> ReadyAudio:
    return ReadyAudio(mulaw=bytes([LOUD]) * 8 * ms)


@pytest.fixture
def opener(monkeypatch: pytest.MonkeyPatch) -> Opener:
    """What every reply begins with."""
    opener = Opener(text="Good question.", line_id="opener", audio=audio(400))
    monkeypatch.setattr("media_gateway.opener_prefetch.Openers.choose", lambda *_: opener)
    return opener


async def answered(gateway: Gateway) -> Line:
    line = await gateway.stream()
    await line.agent_done()
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    return line


async def test_a_voice_that_fails_after_the_opener_goes_on_behind_it(
    gateway: Gateway, opener: Opener
) -> None:
    gateway.dialogue.replies.append(YES)
    line = await gateway.stream()
    await line.agent_done()
    gateway.voice.breaks = 1
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await gateway.link.until_turns(2)
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()

    assert gateway.link.turns[1].heard_words == f"Good question. {QUESTION}"


async def test_a_line_that_was_spoken_before_asks_nothing_of_the_voice(gateway: Gateway) -> None:
    gateway.lines.speak(QUESTION)
    gateway.dialogue.replies.append(YES)
    line = await answered(gateway)
    await gateway.link.until_turns(2)
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()

    assert gateway.link.turns[1].heard_words == f"Thank you. {QUESTION}"
    assert QUESTION not in gateway.voice.said
    assert "Thank you." in gateway.voice.said


async def test_a_turn_of_ready_lines_alone_needs_no_voice_at_all(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.lines, "ready", lambda _: audio(300))
    gateway.voice.refusals = 1000

    line = await gateway.stream()
    await line.agent_done()
    await line.hang_up()

    await gateway.link.until_lost()
    (opening,) = gateway.link.turns
    assert "an AI assistant" in opening.heard_words
    assert opening.is_over
    assert gateway.voice.said == []


async def test_a_filler_whose_answer_was_ready_before_the_voice_is_not_said_behind_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    fillers = {line.text for line in SCRIPT.filler}
    line = await gateway.stream()
    await line.agent_done()
    monkeypatch.setattr(
        gateway.lines, "ready", lambda text: None if text in fillers else audio(900)
    )
    gateway.dialogue.holds.clear()
    gateway.dialogue.replies.append(("robot_question", {}, []))
    gateway.voice.latency_s = 0.8
    gateway.recogniser.words.append("are you a robot")
    line.speak(300)
    await line.until(lambda: _has(gateway, PlayFiller))

    gateway.dialogue.holds.set()

    await gateway.link.until_turns(2)
    await line.agent_done(quiet_ms=600)
    await line.hang_up()
    await gateway.link.until_lost()
    assert gateway.link.turns[1].heard_words.endswith("Is now a good time for two minutes?")
    assert gateway.voice.cancelled == 1


def _has(gateway: Gateway, kind: type[Command]) -> bool:
    answers = gateway.recorder.tapes[-1].answers
    return any(isinstance(command, kind) for commands in answers for command in commands)


# --- what others are told --------------------------------------------------------------------


async def test_the_ear_knows_the_words_the_question_and_who_speaks(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)
    line = await answered(gateway)
    gateway.recogniser.streams[0].interim("yes")
    await gateway.link.until_turns(2)
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()

    ear = gateway.ears.last
    assert ear.known_words == [("yes", False), ("yes sure", True), ("", True)]
    assert (Expectation.YES_NO, QUESTION) in ear.asked
    assert ear.agent_spoke[:4] == [True, False, True, False]
    assert ear.is_closed


async def test_final_words_stay_final_through_the_empty_news_behind_them(gateway: Gateway) -> None:
    line = await gateway.stream()
    await line.agent_done()
    ear, recognition = gateway.ears.last, gateway.recogniser.streams[0]
    ear.is_deaf = True
    ear.sound(True)
    recognition.final("yes sure")
    await line.until(lambda: bool(ear.known_words))
    recognition.interim("")
    await asyncio.sleep(0.05)
    ear.sound(False)

    assert ear.known_words == [("yes sure", True)]
    await line.close()


async def test_the_recorders_tape_makes_the_machine_do_the_same_again(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)
    line = await answered(gateway)
    await gateway.link.until_turns(2)
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    (tape,) = gateway.recorder.tapes
    await line.until(lambda: tape.is_closed)

    machine = TurnMachine(tape.policy)
    again = []
    for event, now in tape.events:
        if isinstance(event, AgentTurnOpened):
            assert machine.next_reply_id() == event.reply_id
        again.append(machine.on_timer(now) if event is None else machine.receive(event, now))

    assert again == tape.answers
    said = [event.text for event, _ in tape.events if isinstance(event, AgentWords)]
    assert said[-2:] == ["Thank you.", QUESTION]
