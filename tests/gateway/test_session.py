"""Whole turns on a running gateway: real socket, real clock, fakes behind the ports."""

from __future__ import annotations

import asyncio
import base64

import pytest

from media_gateway.errors import NoUsableReply
from tests.gateway.conftest import POLICY, Gateway, Line
from tests.gateway.fakes import LOUD, TODAY, FakeRecognition, FakeSpeech
from workflows.contracts.payloads import TurnKind, TurnRecord
from workflows.script.compiled import disclosure

YES: tuple[str, dict[str, str], list[str]] = ("permission_given", {}, ["Thank you."])


async def _opened(gateway: Gateway) -> Line:
    """The disclosure and the opening were heard."""
    line = await gateway.stream()
    await line.agent_done()
    return line


async def _says(gateway: Gateway, line: Line, words: str) -> None:
    """The caller says these words, and hears the answer to its end."""
    done = len(gateway.link.told)
    gateway.recogniser.words.append(words)
    line.speak(300)
    await gateway.link.until_turns(done + 1)
    await line.agent_done()


async def _records(gateway: Gateway, line: Line) -> list[TurnRecord]:
    """The caller hangs up: every turn as the workflow has it, which agrees with the gateway on all of them."""
    if not line.closed.is_set():
        await line.hang_up()
    await gateway.link.until_lost()
    assert not gateway.link.differed
    return gateway.link.turns


async def _answered(gateway: Gateway, words: str) -> TurnRecord:
    """The record of the answer to a caller's first words."""
    line = await _opened(gateway)
    await _says(gateway, line, words)
    return (await _records(gateway, line))[1]


async def test_the_disclosure_is_the_first_thing_heard(gateway: Gateway) -> None:
    line = await _opened(gateway)

    (opening,) = await _records(gateway, line)

    assert opening.kind is TurnKind.OPENING
    assert opening.seq == 1
    assert opening.heard_words.startswith("Hi, this is Joe, an AI assistant calling from")
    assert "disclosure.opening" in gateway.link.book.state.lines_heard
    assert opening.is_over
    assert not opening.interrupted


async def test_a_turn_is_told_when_its_answer_begins_to_be_heard(gateway: Gateway) -> None:
    gateway.voice.slowness = 8
    line = await gateway.stream()

    (opening,) = await gateway.link.until_turns(1)

    assert len(line.heard) < 8 * 1000, "most of it has not been heard"
    assert "an AI assistant" in opening.saying
    assert opening.saying.endswith("two minutes?")
    assert not opening.is_over
    await line.close()


async def test_a_reply_is_the_models_words_and_then_the_authored_question(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)

    turn = await _answered(gateway, "yes sure")

    assert turn.caller_words == "yes sure"
    assert turn.move == "permission_given"
    assert turn.stage == "homeowner"
    assert turn.heard_words == "Thank you. Do you own the house you live in?"
    assert turn.timings.end_of_turn is not None
    assert turn.timings.first_audio_sent is not None
    assert turn.timings.end_of_turn <= turn.timings.first_audio_sent


async def test_audio_is_never_far_ahead_of_the_playhead(gateway: Gateway) -> None:
    gateway.voice.slowness = 6
    line = await gateway.stream()
    most = 0

    def played() -> bool:
        nonlocal most
        most = max(most, line.buffer.waiting_bytes // 8)
        return line.agent_spoke and line.quiet_frames > 10

    await line.until(played)

    assert 100 < most <= 600  # 400 ms, and what a busy machine's clock is late
    await line.close()


async def test_a_caller_who_speaks_over_the_agent_stops_it(gateway: Gateway) -> None:
    gateway.voice.slowness = 6
    gateway.dialogue.replies.append(YES)
    line = await _opened(gateway)
    gateway.recogniser.words += ["yes sure", "wait a moment"]
    line.speak(300)
    await gateway.link.until_turns(2)
    line.heard.clear()
    await line.until(lambda: len(line.heard) - line.heard.count(0xFF) > 8 * 400)

    line.speak(600)

    await line.until(lambda: bool(line.events("clear")))
    await line.until(lambda: gateway.voice.cancelled == 1)
    answered = len(line.messages)
    turns = await _records(gateway, line)
    cleared = line.messages.index(line.events("clear")[0])
    assert not [m for m in line.messages[cleared:answered] if m["event"] == "media"]
    assert turns[1].interrupted
    assert 0 < len(turns[1].heard_words) < len("Thank you. Do you own the house you live in?")


async def test_the_disclosure_cannot_be_interrupted(gateway: Gateway) -> None:
    gateway.voice.slowness = 6
    gateway.dialogue.replies.append(YES)
    gateway.recogniser.words.append("hello who is this")
    line = await gateway.stream()
    await line.until(lambda: bool(line.events("media")))

    line.speak(400)

    await gateway.link.until_turns(2)
    assert "disclosure.opening" in gateway.link.book.state.lines_heard
    await line.close()


async def test_what_follows_the_disclosure_can_be_interrupted(gateway: Gateway) -> None:
    gateway.voice.slowness = 10
    line = await gateway.stream()
    disclosure_ms = 10 * 20 * len(disclosure("Joe", "Brightfield Solar").text.split())
    await line.until(lambda: len(line.heard) > 8 * (disclosure_ms + 400))

    line.speak(800)

    await line.until(lambda: bool(line.events("clear")))
    await line.close()


async def test_a_move_that_is_not_allowed_gives_the_authored_line_and_is_on_record(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(NoUsableReply("move", proposed_move="booked"))

    turn = await _answered(gateway, "yes sure")

    assert turn.move == "booked"
    assert turn.refusal == "move"
    assert turn.stage == "permission"
    assert turn.heard_words == "Sorry, is now a good time for two minutes?"


async def test_a_reply_that_breaks_off_behind_an_allowed_move_makes_none(gateway: Gateway) -> None:
    refused = NoUsableReply("malformed", proposed_move="permission_given")
    gateway.dialogue.replies.append(refused)

    turn = await _answered(gateway, "yes sure")

    assert (turn.stage, turn.refusal) == ("permission", "malformed")
    assert turn.heard_words == "Sorry, is now a good time for two minutes?"


async def test_broken_json_gives_the_authored_line(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(NoUsableReply("malformed"))

    turn = await _answered(gateway, "yes sure")

    assert (turn.move, turn.refusal) == ("", "malformed")
    assert turn.heard_words == "Sorry, is now a good time for two minutes?"


async def test_a_model_that_never_answers_gives_a_filler_and_then_the_authored_line(
    gateway: Gateway,
) -> None:
    gateway.dialogue.holds.clear()
    line = await _opened(gateway)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await line.agent_done(quiet_ms=100)  # the filler
    await gateway.link.until_turns(2)
    await line.until(lambda: line.quiet_frames == 0)
    await line.agent_done()

    turn = (await _records(gateway, line))[1]

    assert turn.refusal == "timeout"
    assert "One moment please." in turn.heard_words
    assert turn.heard_words.endswith("Sorry, is now a good time for two minutes?")
    assert turn.stage == "permission"


async def test_a_guard_that_does_not_hold_refuses_the_move(gateway: Gateway) -> None:
    gateway.dialogue.replies += [YES, ("owns", {}, ["Great."])]
    line = await _opened(gateway)
    await _says(gateway, line, "yes sure")

    await _says(gateway, line, "well who knows")

    turn = (await _records(gateway, line))[2]
    assert turn.refusal == "guard"
    assert turn.stage == "homeowner"


async def test_a_caller_who_hangs_up_in_mid_sentence_loses_no_word(gateway: Gateway) -> None:
    line = await _opened(gateway)
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
    assert 0 < len(opening.heard_words) < len(opening.saying)
    assert "disclosure.opening" not in gateway.link.book.state.lines_heard
    assert lost.clean


async def test_a_socket_that_breaks_is_told_as_lost(gateway: Gateway) -> None:
    line = await _opened(gateway)

    await line.close()

    assert not (await gateway.link.until_lost()).clean


async def test_nine_opts_out_even_over_the_disclosure(gateway: Gateway) -> None:
    gateway.voice.slowness = 6
    line = await gateway.stream()
    await line.until(lambda: bool(line.events("media")))

    await line.send({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "9"}})

    await line.until(line.closed.is_set)
    turns = await _records(gateway, line)
    assert turns[0].interrupted
    assert turns[1].kind is TurnKind.DTMF
    assert turns[1].stage == "opted_out"
    assert "taken you off our list" in turns[1].heard_words
    assert gateway.link.book.wants_no_calls


async def test_the_last_word_is_heard_before_the_line_is_closed(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(("goodbye", {}, []))
    line = await _opened(gateway)
    gateway.recogniser.words.append("not interested bye")
    line.speak(300)

    await line.until(line.closed.is_set)

    sent = b"".join(base64.b64decode(m["media"]["payload"]) for m in line.events("media"))
    assert bytes(line.heard).count(bytes([0x10])) == sent.count(bytes([0x10]))
    last = (await _records(gateway, line))[-1]
    assert last.heard_words.endswith("Goodbye from Brightfield Solar.")
    assert not last.interrupted


async def test_a_silent_caller_is_asked_and_then_let_go(gateway: Gateway) -> None:
    line = await gateway.stream()

    await line.until(line.closed.is_set, within_s=25)

    kinds = [turn.kind for turn in gateway.link.turns]
    assert kinds == [TurnKind.OPENING, TurnKind.SILENCE, TurnKind.SILENCE, TurnKind.SILENCE]
    assert gateway.link.turns[-1].stage == "goodbye"


@pytest.mark.parametrize("fault", ["refusals", "breaks"])
async def test_a_voice_that_fails_once_takes_nothing_of_the_decision_away(
    gateway: Gateway, fault: str
) -> None:
    gateway.dialogue.replies.append(YES)
    line = await _opened(gateway)
    setattr(gateway.voice, fault, 1)

    await _says(gateway, line, "yes sure")

    turn = (await _records(gateway, line))[1]
    assert (turn.move, turn.stage) == ("permission_given", "homeowner")
    assert turn.heard_words == "Do you own the house you live in?"


@pytest.mark.parametrize("fault", ["refusals", "breaks"])
async def test_the_disclosure_is_said_all_the_same_when_the_voice_fails_first(
    gateway: Gateway, fault: str
) -> None:
    setattr(gateway.voice, fault, 1)
    line = await _opened(gateway)

    (opening,) = await _records(gateway, line)

    assert opening.kind is TurnKind.OPENING
    assert "an AI assistant" in opening.heard_words
    assert "disclosure.opening" in gateway.link.book.state.lines_heard
    assert gateway.link.book.state.today == TODAY


async def test_an_opt_out_stands_when_the_voice_fails(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(("opt_out", {}, []))
    line = await _opened(gateway)
    gateway.voice.breaks = 1
    gateway.recogniser.words.append("stop calling me")
    line.speak(300)
    await line.until(line.closed.is_set)

    turn = (await _records(gateway, line))[1]

    assert (turn.move, turn.stage) == ("opt_out", "opted_out")
    assert "taken you off our list" in turn.heard_words
    assert gateway.link.book.wants_no_calls


async def test_a_turn_without_any_voice_is_on_record_with_the_callers_words(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(YES)
    line = await _opened(gateway)
    gateway.voice.refusals = 9
    gateway.recogniser.words.append("yes sure")
    line.speak(300)

    turns = await gateway.link.until_turns(2)

    assert (turns[1].caller_words, turns[1].stage) == ("yes sure", "homeowner")
    assert turns[1].refusal == "voice"
    await line.close()


@pytest.mark.parametrize("answer", ["yes I have a minute", "yes"])
async def test_marks_that_are_lost_leave_nobody_waiting(gateway: Gateway, answer: str) -> None:
    gateway.dialogue.replies.append(YES)
    line = await gateway.stream()
    line.echoes = False
    await line.until(lambda: bool(line.heard.strip(b"\xff")) and line.quiet_frames > 5)
    gateway.recogniser.words.append(answer)
    line.speak(300)

    turns = await gateway.link.until_turns(2)

    assert turns[1].caller_words == answer
    await line.close()


async def test_a_stream_without_a_voice_is_given_up(gateway: Gateway) -> None:
    line = await _opened(gateway)
    gateway.voice.refusals = 1000

    await line.until(line.closed.is_set, within_s=20)

    assert not (await gateway.link.until_lost()).clean


async def test_a_recogniser_that_refuses_is_asked_again(gateway: Gateway) -> None:
    gateway.recogniser.refusals = 2
    gateway.dialogue.replies.append(YES)

    turn = await _answered(gateway, "yes sure")

    assert turn.caller_words == "yes sure"


async def test_a_recogniser_that_fails_in_an_unknown_way_leaves_no_call_deaf(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: FakeRecognition) -> None:
        raise RuntimeError("a bug")

    gateway.dialogue.replies.append(YES)
    line = await _opened(gateway)
    monkeypatch.setattr(FakeRecognition, "close", fail)
    gateway.recogniser.streams[0].break_off()
    await line.until(lambda: len(gateway.recogniser.streams) == 2)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)

    turns = await gateway.link.until_turns(2)

    assert turns[1].caller_words == "yes sure"
    await line.close()


async def test_what_is_said_while_no_recogniser_is_there_is_heard_by_the_next(
    gateway: Gateway,
) -> None:
    gateway.recogniser.refusals = 3
    line = await gateway.stream()
    line.speak(200)
    await line.until(lambda: bool(gateway.recogniser.streams))
    heard = gateway.recogniser.streams[0].heard
    await line.until(lambda: len(heard) > 160 * 50)

    assert heard.count(LOUD) >= 160 * 10, "every loud frame of the beginning"
    await line.close()


async def test_what_is_said_while_a_lost_recogniser_closes_is_heard_by_the_next(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def close_slowly(_: FakeRecognition) -> None:
        await asyncio.sleep(0.5)

    line = await _opened(gateway)
    monkeypatch.setattr(FakeRecognition, "close", close_slowly)
    gateway.recogniser.streams[0].break_off()
    line.speak(300)
    await line.until(lambda: len(gateway.recogniser.streams) == 2)

    assert gateway.recogniser.streams[1].heard.count(LOUD) >= 160 * 12
    await line.close()


async def test_words_that_a_broken_recogniser_never_finished_are_kept(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(YES)
    line = await _opened(gateway)
    line.speak(700)
    gateway.recogniser.streams[0].interim("my email is dana at example")
    gateway.recogniser.streams[0].break_off()
    await line.until(lambda: len(gateway.recogniser.streams) == 2)
    gateway.recogniser.words.append("dot com")

    turns = await gateway.link.until_turns(2)

    assert turns[1].caller_words == "my email is dana at example dot com"
    await line.close()


async def test_frames_out_of_order_and_of_other_streams_are_not_heard(gateway: Gateway) -> None:
    line = await _opened(gateway)
    payload = base64.b64encode(b"\x42" * 160).decode()
    media = {"track": "inbound", "chunk": "1", "timestamp": "0", "payload": payload}
    await line.send({"event": "media", "streamSid": "MZ1", "media": media})
    late = {**media, "chunk": "999999"}
    await line.send({"event": "media", "streamSid": "MZ2", "media": late})
    gateway.dialogue.replies.append(YES)

    await _says(gateway, line, "yes sure")

    assert 0x42 not in gateway.recogniser.streams[0].heard
    await line.close()


async def test_a_slow_attach_does_not_move_the_stream_clock(gateway: Gateway) -> None:
    gateway.link.attach_takes_s = 0.8
    gateway.dialogue.replies.append(YES)

    turn = await _answered(gateway, "yes sure")

    # The detector dates the last sound by the carrier's clock; both begin with `start`.
    pause_ms = turn.timings.end_of_turn or 0
    assert pause_ms >= POLICY.end_pause_ms


async def test_a_key_without_a_meaning_costs_no_word(gateway: Gateway) -> None:
    gateway.dialogue.holds.clear()
    gateway.dialogue.replies.append(YES)
    line = await _opened(gateway)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await line.until(lambda: bool(gateway.dialogue.requests))

    await line.send({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "5"}})
    gateway.dialogue.holds.set()

    turns = await gateway.link.until_turns(2)
    assert (turns[1].caller_words, turns[1].move) == ("yes sure", "permission_given")
    await line.close()


async def test_words_before_the_opt_out_key_belong_to_its_turn(gateway: Gateway) -> None:
    gateway.dialogue.holds.clear()
    line = await _opened(gateway)
    gateway.recogniser.words.append("my bill is one eighty")
    line.speak(300)
    await line.until(lambda: bool(gateway.dialogue.requests))

    await line.send({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "9"}})

    turns = await gateway.link.until_turns(2)
    assert (turns[1].kind, turns[1].caller_words) == (TurnKind.DTMF, "my bill is one eighty")
    await line.close()


async def test_what_the_caller_says_while_the_model_thinks_is_one_turn(gateway: Gateway) -> None:
    gateway.dialogue.holds.clear()
    gateway.dialogue.replies.append(YES)
    line = await _opened(gateway)
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
    monkeypatch.setattr("media_gateway.wire.MOST_OUTGOING", 1)
    line = await gateway.stream()

    await line.until(line.closed.is_set)

    await line.until(lambda: bool(gateway.link.lost))
    assert not gateway.link.lost[0].clean


async def test_a_voice_that_hangs_is_left_for_another_one_and_the_lines_are_said_once(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.dialogue.replies.append(("robot_question", {}, []))
    line = await _opened(gateway)
    hung: list[FakeSpeech] = []

    async def say(speech: FakeSpeech, segment: int, text: str) -> None:
        if not hung or speech in hung:
            hung.append(speech)  # takes the words, and never speaks
        else:
            await spoken(speech, segment, text)

    async def finish(speech: FakeSpeech) -> None:
        if speech not in hung:
            await finished(speech)

    spoken, finished = FakeSpeech.say, FakeSpeech.finish
    monkeypatch.setattr(FakeSpeech, "say", say)
    monkeypatch.setattr(FakeSpeech, "finish", finish)
    gateway.recogniser.words.append("are you a robot")
    line.speak(300)

    turn = (await _until_answered(gateway, line))[1]

    assert turn.heard_words == (
        "Yes, I am Joe, an AI assistant that works for Brightfield Solar. I am not a person. "
        "Is now a good time for two minutes?"
    )


async def _until_answered(gateway: Gateway, line: Line) -> list[TurnRecord]:
    await gateway.link.until_turns(2)
    await line.agent_done()
    return await _records(gateway, line)
