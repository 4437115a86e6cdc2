"""The caller makes a sound over the agent, on a running gateway: held at once, then given up or gone on with."""

from __future__ import annotations

import asyncio

from media_gateway.speech.ports import VoiceChange
from media_gateway.turns.types import SpeechStarted
from media_gateway.wire import Wire
from tests.gateway.conftest import Gateway, Line
from workflows.contracts.payloads import TurnKind

YES: tuple[str, dict[str, str], list[str]] = (
    "permission_given",
    {},
    ["Thank you, this will not take long."],
)
ANSWER = "Thank you, this will not take long. Do you own the house you live in?"


async def answering(gateway: Gateway) -> Line:
    """The answer to the caller's first words is being heard."""
    gateway.dialogue.replies.append(YES)
    gateway.voice.slowness = 8
    line = await gateway.stream()
    await line.agent_done()
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await gateway.link.until_turns(2)
    line.heard.clear()
    await line.until(lambda: len(line.heard) > 8 * 500)
    gateway.ears.last.is_deaf = True
    return line


def spoken_ms(line: Line) -> int:
    return (len(line.heard) - line.heard.count(0xFF)) // 8


async def test_a_cough_holds_the_agent_who_goes_on_and_says_all_of_it(gateway: Gateway) -> None:
    line = await answering(gateway)
    ear = gateway.ears.last

    ear.sound(True)
    await line.until(lambda: bool(line.events("clear")))
    await line.until(lambda: line.quiet_frames > 5)
    assert gateway.voice.cancelled == 0
    ear.sound(False)

    await line.until(lambda: line.quiet_frames == 0)
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    turn = gateway.link.turns[1]
    assert (turn.heard_words, turn.interrupted) == (ANSWER, False)
    assert len(line.events("clear")) == 1
    whole_ms = 20 * 8 * len(ANSWER.split())
    assert whole_ms <= spoken_ms(line) <= whole_ms + 600, "a word at most is said twice"
    assert not gateway.link.differed


async def test_an_uh_huh_is_no_turn_and_stops_nobody(gateway: Gateway) -> None:
    line = await answering(gateway)
    ear = gateway.ears.last

    ear.sound(True)
    gateway.recogniser.streams[0].interim("uh-huh")
    await line.until(lambda: line.quiet_frames > 2)
    gateway.recogniser.words.append("Uh-huh.")
    ear.sound(False)

    await line.until(lambda: line.quiet_frames == 0)
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    assert [turn.kind for turn in gateway.link.turns] == [TurnKind.OPENING, TurnKind.REPLY]
    assert gateway.link.turns[1].heard_words == ANSWER


async def test_words_take_the_floor_and_what_was_heard_is_kept(gateway: Gateway) -> None:
    line = await answering(gateway)
    ear = gateway.ears.last

    ear.sound(True)
    await line.until(lambda: bool(line.events("clear")))
    gateway.recogniser.streams[0].interim("wait what is this about")

    await line.until(lambda: gateway.voice.cancelled == 1)
    await line.hang_up()
    await gateway.link.until_lost()
    turn, left = gateway.link.turns[1:]
    assert turn.interrupted
    assert ANSWER.startswith(turn.heard_words)
    assert 0 < len(turn.heard_words) < len(ANSWER)
    assert (left.kind, left.caller_words) == (TurnKind.HANG_UP, "wait what is this about")
    assert len(line.events("clear")) == 1, "held once, and not cleared again"


async def test_a_sound_while_the_answer_is_made_holds_it_and_lets_it_go(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)
    gateway.dialogue.holds.clear()
    line = await gateway.stream()
    await line.agent_done()
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await line.until(lambda: bool(gateway.dialogue.requests))
    ear = gateway.ears.last
    ear.is_deaf = True
    said = len(gateway.voice.said)

    ear.sound(True)
    gateway.dialogue.holds.set()
    await line.until(lambda: len(gateway.voice.said) >= said + 2)
    assert len(gateway.link.told) == 1, "made, and held"
    ear.sound(False)

    turns = await gateway.link.until_turns(2)
    assert turns[1].caller_words == "yes sure"
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    assert gateway.link.turns[1].heard_words == ANSWER


async def test_a_sound_after_the_last_word_is_the_callers_turn(gateway: Gateway) -> None:
    line = await answering(gateway)
    ear = gateway.ears.last
    line.echoes = False  # the marks are late
    await line.until(lambda: line.quiet_frames > 10)

    ear.sound(True)
    gateway.recogniser.streams[0].interim("yes I own it")
    gateway.dialogue.replies.append(("owns", {"is_homeowner": "yes"}, ["Good."]))
    ear.sound(False)
    gateway.recogniser.streams[0].final("yes I own it")

    turns = await gateway.link.until_turns(3)
    assert (turns[1].heard_words, turns[1].interrupted) == (ANSWER, False)
    assert turns[2].caller_words == "yes I own it"
    assert not line.events("clear")
    await line.close()


# --- the way out -----------------------------------------------------------------------------


async def test_a_clear_overtakes_what_the_socket_has_not_taken() -> None:
    may_send, sent = asyncio.Semaphore(0), []

    async def send(message: str) -> None:
        sent.append(message)
        await may_send.acquire()

    wire = Wire(send, lambda: None)
    running = asyncio.create_task(wire.run())
    for number in range(3):
        wire.post(f"audio {number}", audio_ms=20)
    while not sent:
        await asyncio.sleep(0)
    assert wire.unsent_ms == 40

    wire.overtake("clear")
    assert wire.unsent_ms == 0
    wire.post("audio anew", audio_ms=20)
    may_send.release()
    may_send.release()
    while len(sent) < 3:
        await asyncio.sleep(0)

    assert sent == ["audio 0", "clear", "audio anew"]
    running.cancel()


async def test_a_sound_of_a_stream_whose_clock_is_slow_was_when_our_clock_says(
    gateway: Gateway,
) -> None:
    line = await gateway.stream()
    await line.agent_done()
    ear = gateway.ears.last
    ear.is_deaf = True
    now_s = asyncio.get_running_loop().time()
    ear.finds(VoiceChange(speaking=True, at_ms=0, at_s=now_s))
    event, now = gateway.recorder.tapes[-1].events[-1]
    assert isinstance(event, SpeechStarted)
    assert event.at is not None
    assert now > 100
    assert abs(now - event.at) <= 2
    await line.close()
