"""Whole turns on a running gateway: real socket, real clock, fakes behind the ports."""

from __future__ import annotations

import base64

import pytest

from media_gateway.errors import NoUsableReply
from tests.gateway.conftest import Gateway, Line
from workflows.contracts.payloads import TurnCompleted, TurnKind

YES: tuple[str, dict[str, str], list[str]] = ("permission_given", {}, ["Thank you."])


async def _answered(
    gateway: Gateway, words: str, line: Line | None = None
) -> tuple[Line, TurnCompleted]:
    """The opening is heard, the caller says these words, the reply is over."""
    line = line or await gateway.stream()
    done = len(gateway.link.turns)
    if not done:
        await gateway.link.until_turns(1)
        done = 1
    gateway.recogniser.words.append(words)
    line.speak(300)
    turns = await gateway.link.until_turns(done + 1)
    return line, turns[done]


async def test_the_disclosure_is_the_first_thing_heard(gateway: Gateway) -> None:
    line = await gateway.stream()

    (opening,) = await gateway.link.until_turns(1)

    assert opening.kind is TurnKind.OPENING
    assert opening.seq == 1
    assert opening.heard_words.startswith("Hi, this is Joe, an AI assistant calling from")
    assert "disclosure.opening" in opening.lines_heard
    assert not opening.interrupted
    await line.close()


async def test_a_reply_is_the_models_words_and_then_the_authored_question(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)

    line, turn = await _answered(gateway, "yes sure")

    assert turn.caller_words == "yes sure"
    assert turn.move == "permission_given"
    assert turn.stage == "homeowner"
    assert turn.heard_words == "Thank you. Do you own the house you live in?"
    assert turn.timings.end_of_turn is not None
    assert turn.timings.first_audio_sent is not None
    assert turn.timings.end_of_turn <= turn.timings.first_audio_sent
    await line.close()


async def test_audio_is_never_far_ahead_of_the_playhead(gateway: Gateway) -> None:
    gateway.voice.slowness = 6
    line = await gateway.stream()
    most = 0

    def played() -> bool:
        nonlocal most
        most = max(most, line.buffer.waiting_bytes // 8)
        return bool(gateway.link.turns)

    await line.until(played)

    assert 100 < most <= 600  # 400 ms, and what a busy machine's clock is late
    await line.close()


async def test_a_caller_who_speaks_over_the_agent_stops_it(gateway: Gateway) -> None:
    gateway.voice.slowness = 6
    gateway.dialogue.replies.append(YES)
    line = await gateway.stream()
    await gateway.link.until_turns(1)
    gateway.recogniser.words += ["yes sure", "wait a moment"]
    line.speak(300)
    before = len(line.events("media"))
    await line.until(lambda: len(line.events("media")) > before + 1)

    line.speak(600)

    await line.until(lambda: bool(line.events("clear")))
    turns = await gateway.link.until_turns(2)
    assert turns[1].interrupted
    assert len(turns[1].heard_words) < len("Thank you. Do you own the house you live in?")
    assert gateway.voice.cancelled == 1
    after = line.messages[line.messages.index(line.events("clear")[0]) + 1 :]
    assert (
        not [message for message in after if message["event"] == "media"][:1]
        or turns[1].interrupted
    )
    await line.close()


async def test_the_disclosure_cannot_be_interrupted(gateway: Gateway) -> None:
    gateway.voice.slowness = 6
    gateway.dialogue.replies.append(YES)
    gateway.recogniser.words.append("hello who is this")
    line = await gateway.stream()
    await line.until(lambda: bool(line.events("media")))

    line.speak(400)

    (opening, *_) = await gateway.link.until_turns(1)
    assert "disclosure.opening" in opening.lines_heard
    await line.close()


async def test_a_move_that_is_not_allowed_gives_the_authored_line_and_is_on_record(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(NoUsableReply("move", proposed_move="booked"))

    line, turn = await _answered(gateway, "yes sure")

    assert turn.move == "booked"
    assert turn.refusal == "move"
    assert turn.stage == "permission"
    assert turn.heard_words == "Sorry, is now a good time for two minutes?"
    await line.close()


async def test_broken_json_gives_the_authored_line(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(NoUsableReply("malformed"))

    line, turn = await _answered(gateway, "yes sure")

    assert (turn.move, turn.refusal) == ("", "malformed")
    assert turn.heard_words == "Sorry, is now a good time for two minutes?"
    await line.close()


async def test_a_model_that_never_answers_gives_a_filler_and_then_the_authored_line(
    gateway: Gateway,
) -> None:
    gateway.dialogue.holds.clear()

    line, turn = await _answered(gateway, "yes sure")

    assert turn.refusal == "timeout"
    assert "One moment please." in turn.heard_words
    assert turn.heard_words.endswith("Sorry, is now a good time for two minutes?")
    assert turn.stage == "permission"
    await line.close()


async def test_a_guard_that_does_not_hold_refuses_the_move(gateway: Gateway) -> None:
    gateway.dialogue.replies += [YES, ("owns", {}, ["Great."])]
    line, _ = await _answered(gateway, "yes sure")

    _, turn = await _answered(gateway, "well who knows", line)

    assert turn.refusal == "guard"
    assert turn.stage == "homeowner"
    await line.close()


async def test_a_caller_who_hangs_up_in_mid_sentence_loses_no_word(gateway: Gateway) -> None:
    line = await gateway.stream()
    await gateway.link.until_turns(1)
    gateway.recogniser.words.append("yes sure but the thing is")
    line.speak(200)
    await line.until(lambda: not gateway.recogniser.words)
    line.speak(2000)
    await line.until(lambda: line.speaking_ms < 1900)

    await line.hang_up()

    await gateway.link.until_lost()
    last = gateway.link.turns[-1]
    assert last.kind is TurnKind.HANG_UP
    assert last.caller_words == "yes sure but the thing is"
    assert last.heard_words == ""


async def test_an_agent_cut_by_the_hang_up_tells_only_what_was_heard(gateway: Gateway) -> None:
    gateway.voice.slowness = 8
    line = await gateway.stream()
    await line.until(lambda: len(line.heard) > 8 * 700)

    await line.hang_up()

    lost = await gateway.link.until_lost()
    (opening,) = gateway.link.turns
    assert opening.interrupted
    assert 0 < len(opening.heard_words) < len(opening.reply_words)
    assert "disclosure.opening" not in opening.lines_heard
    assert lost.clean


async def test_a_socket_that_breaks_is_told_as_lost(gateway: Gateway) -> None:
    line = await gateway.stream()
    await gateway.link.until_turns(1)

    await line.close()

    assert not (await gateway.link.until_lost()).clean


async def test_nine_opts_out_even_over_the_disclosure(gateway: Gateway) -> None:
    gateway.voice.slowness = 6
    line = await gateway.stream()
    await line.until(lambda: bool(line.events("media")))

    await line.send({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "9"}})

    turns = await gateway.link.until_turns(2)
    assert turns[0].interrupted
    assert turns[1].kind is TurnKind.DTMF
    assert turns[1].stage == "opted_out"
    assert "taken you off our list" in turns[1].heard_words
    await line.until(line.closed.is_set)


async def test_the_last_word_is_heard_before_the_line_is_closed(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(("goodbye", {}, []))
    line = await gateway.stream()
    await gateway.link.until_turns(1)
    gateway.recogniser.words.append("not interested bye")
    line.speak(300)

    await line.until(line.closed.is_set)

    sent = b"".join(base64.b64decode(m["media"]["payload"]) for m in line.events("media"))
    assert bytes(line.heard).count(bytes([0x10])) == sent.count(bytes([0x10]))
    assert gateway.link.turns[-1].heard_words.endswith("Goodbye from Brightfield Solar.")
    assert not gateway.link.turns[-1].interrupted


async def test_a_silent_caller_is_asked_and_then_let_go(gateway: Gateway) -> None:
    line = await gateway.stream()

    await line.until(line.closed.is_set, within_s=25)

    kinds = [turn.kind for turn in gateway.link.turns]
    assert kinds == [TurnKind.OPENING, TurnKind.SILENCE, TurnKind.SILENCE, TurnKind.SILENCE]
    assert gateway.link.turns[-1].stage == "goodbye"


async def test_a_voice_that_fails_once_speaks_the_authored_line(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)
    line = await gateway.stream()
    await gateway.link.until_turns(1)
    gateway.voice.refusals = 1
    gateway.recogniser.words.append("yes sure")
    line.speak(300)

    turns = await gateway.link.until_turns(2)

    assert turns[1].heard_words
    await line.close()


async def test_a_recogniser_that_refuses_is_asked_again(gateway: Gateway) -> None:
    gateway.recogniser.refusals = 2
    gateway.dialogue.replies.append(YES)

    line, turn = await _answered(gateway, "yes sure")

    assert turn.caller_words == "yes sure"
    await line.close()


async def test_what_the_caller_says_while_the_model_thinks_is_one_turn(gateway: Gateway) -> None:
    gateway.dialogue.holds.clear()
    gateway.dialogue.replies.append(YES)
    line = await gateway.stream()
    await gateway.link.until_turns(1)
    gateway.recogniser.words += ["yes", "i have time"]
    line.speak(200)
    await line.until(lambda: bool(gateway.dialogue.requests))

    line.speak(300)
    await line.until(lambda: gateway.dialogue.closed_early == 1)
    gateway.dialogue.holds.set()

    turns = await gateway.link.until_turns(2)
    assert turns[1].caller_words == "yes i have time"
    assert len(turns) == 2
    await line.close()


async def test_a_line_that_takes_nothing_is_given_up(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media_gateway.session.MOST_OUTGOING", 1)
    line = await gateway.stream()

    await line.until(line.closed.is_set)

    await line.until(lambda: bool(gateway.link.lost))
    assert not gateway.link.lost[0].clean
