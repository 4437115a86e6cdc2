"""Answers begun before the caller's turn is over, on a running gateway: held, let out, dropped, and without effect until then."""

from __future__ import annotations

from dataclasses import replace

import httpx

from tests.gateway.conftest import Gateway, Line
from tests.gateway.fakes import FakeEar, FakeRecognition
from workflows.contracts.payloads import Directive, TurnKind

YES: tuple[str, dict[str, str], list[str]] = ("permission_given", {}, ["Thank you."])
ANSWER = "Thank you. Do you own the house you live in?"


async def opened(gateway: Gateway) -> tuple[Line, FakeEar, FakeRecognition]:
    """The opening was heard; from here on the ear finds what the test tells it."""
    line = await gateway.stream()
    await line.agent_done()
    gateway.ears.last.is_deaf = True
    line.messages.clear()
    return line, gateway.ears.last, gateway.recogniser.streams[-1]


async def begun(gateway: Gateway, words: str) -> tuple[Line, FakeEar, FakeRecognition]:
    """The caller said these words, and their answer is being held."""
    line, ear, recognition = await opened(gateway)
    said = len(gateway.voice.said)
    ear.sound(True)
    recognition.interim(words)
    await line.until(lambda: ear.known_words[-1:] == [(words, False)])
    ear.believes(0.5)
    await line.until(lambda: len(gateway.voice.said) >= said + 2)
    return line, ear, recognition


async def ends(line: Line, ear: FakeEar, recognition: FakeRecognition, words: str) -> None:
    """The turn is over, with these words."""
    ear.sound(False, ago_ms=300)
    recognition.final(words)
    await line.until(lambda: ear.known_words[-1] == (words, True))
    ear.believes(0.95)


async def totals(gateway: Gateway) -> dict[str, int]:
    async with httpx.AsyncClient() as http:
        found: dict[str, int] = (await http.get(gateway.url + "/health")).json()
    return found


async def test_an_answer_begun_ahead_is_held_and_nobody_knows_of_it(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)
    line, _, _ = await begun(gateway, "yes sure")

    await line.until(lambda: line.quiet_frames > 50)

    assert line.messages == []
    assert len(gateway.link.told) == 1
    await line.close()


async def test_it_is_let_out_at_once_when_the_turn_is_over(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)
    line, ear, recognition = await begun(gateway, "yes sure")
    line.agent_spoke = False

    await ends(line, ear, recognition, "Yes, sure.")

    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    assert not gateway.link.differed
    turn = gateway.link.turns[1]
    assert (turn.caller_words, turn.heard_words) == ("Yes, sure.", ANSWER)
    assert (turn.move, turn.stage) == ("permission_given", "homeowner")
    assert len(gateway.dialogue.requests) == 1
    timings = turn.timings
    assert timings.begun_ahead is not None
    assert timings.end_of_turn is not None
    assert timings.first_audio is not None
    assert timings.first_audio_sent is not None
    assert timings.begun_ahead <= timings.first_audio < timings.end_of_turn
    assert 0 <= timings.first_audio_sent - timings.end_of_turn <= 5, "the audio was there"
    figures = await totals(gateway)
    assert (figures["ahead_begun"], figures["ahead_committed"]) == (1, 1)
    assert figures["ahead_wasted_tokens"] == 0


async def test_it_is_dropped_when_the_caller_goes_on_and_what_it_cost_is_counted(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies += [("permission_given", {}, ["Oh."]), YES]
    line, ear, recognition = await begun(gateway, "yes")
    line.agent_spoke = False

    recognition.interim("yes but who is this")
    await line.until(lambda: gateway.voice.cancelled == 1)
    assert len(gateway.link.told) == 1
    await ends(line, ear, recognition, "yes but who is this")

    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    assert not gateway.link.differed
    (turn,) = gateway.link.turns[1:]
    assert (turn.caller_words, turn.heard_words) == ("yes but who is this", ANSWER)
    assert not line.events("clear"), "nothing of it ever went out"
    figures = await totals(gateway)
    assert (figures["ahead_begun"], figures["ahead_dropped"]) == (2, 1)
    assert figures["ahead_wasted_tokens"] == 11


async def test_the_model_is_left_at_once_when_its_answer_is_dropped(gateway: Gateway) -> None:
    gateway.dialogue.holds.clear()
    line, ear, recognition = await opened(gateway)
    ear.sound(True)
    recognition.interim("yes")
    await line.until(lambda: bool(ear.known_words))
    ear.believes(0.5)
    await line.until(lambda: bool(gateway.dialogue.requests))

    recognition.interim("yes but who is this")

    await line.until(lambda: gateway.dialogue.closed_early == 1)
    await line.close()


async def test_a_state_that_is_corrected_meanwhile_has_the_answer_made_anew(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies += [YES, ("interest_known", {"wants_battery": "yes"}, ["Good."])]
    line, ear, recognition = await begun(gateway, "yes a battery would be good")
    line.agent_spoke = False
    right = replace(gateway.link.book.state, stage="interest")
    directive = Directive(call_id="call-1", epoch=1, state=right, after_seq=1)

    assert gateway.parts is not None
    assert gateway.parts.sessions.direct(directive).accepted

    await ends(line, ear, recognition, "yes a battery would be good")
    await gateway.link.until_turns(2)
    assert gateway.link.told[1].stage == "pitch"
    assert [request.state.stage for request in gateway.dialogue.requests] == [
        "permission",
        "interest",
    ]
    await line.close()


async def test_an_opt_out_is_believed_though_he_hung_up_before_the_turn_was_over(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(("opt_out", {}, []))
    line, ear, recognition = await opened(gateway)
    ear.sound(True)
    recognition.interim("stop calling me")
    await line.until(lambda: bool(ear.known_words))
    ear.believes(0.5)
    await line.until(lambda: "taken you off our list" in " ".join(gateway.voice.said))

    await line.hang_up()

    await gateway.link.until_lost()
    assert gateway.link.book.wants_no_calls
    assert [turn.kind for turn in gateway.link.turns] == [TurnKind.OPENING, TurnKind.REPLY]
    assert gateway.link.turns[-1].caller_words == "stop calling me"


async def test_any_other_answer_that_was_held_never_happened_when_he_hangs_up(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(YES)
    line, _, _ = await begun(gateway, "yes sure")

    await line.hang_up()

    await gateway.link.until_lost()
    last = gateway.link.turns[-1]
    assert (last.kind, last.caller_words, last.stage) == (
        TurnKind.HANG_UP,
        "yes sure",
        "permission",
    )
    await line.until(lambda: gateway.voice.cancelled == 1)


async def test_a_voice_that_fails_ahead_costs_nothing_but_the_head_start(gateway: Gateway) -> None:
    gateway.dialogue.replies += [YES, YES]
    line, ear, recognition = await opened(gateway)
    gateway.voice.breaks = 1
    ear.sound(True)
    recognition.interim("yes sure")
    await line.until(lambda: bool(ear.known_words))
    ear.believes(0.5)
    await line.until(lambda: not gateway.voice.breaks)
    await line.until(lambda: gateway.voice.cancelled == 1)
    line.agent_spoke = False

    await ends(line, ear, recognition, "yes sure")

    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    turn = gateway.link.turns[1]
    assert (turn.heard_words, turn.refusal) == (ANSWER, "")


async def test_a_key_over_an_answer_begun_ahead_takes_its_place(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)
    line, _, _ = await begun(gateway, "yes sure")

    await line.send({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "9"}})

    await line.until(line.closed.is_set)
    turns = gateway.link.turns
    assert [turn.kind for turn in turns] == [TurnKind.OPENING, TurnKind.DTMF]
    assert turns[1].caller_words == "yes sure"
    assert "taken you off our list" in turns[1].heard_words
