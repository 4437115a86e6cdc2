"""What the workflow tells a running gateway, and how a gateway gives its calls away."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from media_gateway.sessions import Sessions
from media_gateway.turns.types import ReplyPlayed
from tests.gateway.conftest import Gateway, Line
from tests.gateway.fakes import FakeSpeech
from workflows.contracts.payloads import Directive, DirectiveDone, TurnKind
from workflows.script.events import Order
from workflows.script.model import Outcome


async def opened(gateway: Gateway) -> Line:
    line = await gateway.stream()
    await line.agent_done()
    return line


def sessions(gateway: Gateway) -> Sessions:
    assert gateway.parts is not None
    return gateway.parts.sessions


def direct(gateway: Gateway, **fields: object) -> DirectiveDone:
    given: dict[str, object] = {"call_id": "call-1", "epoch": 1}
    return sessions(gateway).direct(Directive(**(given | fields)))  # type: ignore[arg-type]


async def test_a_forced_stage_is_said_at_once_and_told_as_a_turn(gateway: Gateway) -> None:
    gateway.voice.slowness = 8
    line = await gateway.stream()
    await line.until(lambda: line.agent_spoke)

    assert direct(gateway, order=Order.FORCE_STAGE, target="appointment").accepted

    turns = await gateway.link.until_turns(2)
    assert (turns[1].kind, turns[1].stage) == (TurnKind.ORDER, "appointment")
    assert turns[0].interrupted
    await line.until(lambda: bool(line.events("clear")))
    assert not gateway.link.differed
    await line.close()


async def test_an_order_to_hang_up_says_goodbye_first(gateway: Gateway) -> None:
    line = await opened(gateway)

    assert direct(gateway, order=Order.HANG_UP).accepted

    await line.until(line.closed.is_set)
    await gateway.link.until_lost()
    assert (
        gateway.link.turns[-1].heard_words
        == "Thank you for your time. Goodbye from Brightfield Solar."
    )
    late = direct(gateway, order=Order.HANG_UP)
    assert not late.accepted
    assert "does not carry" in late.reason


async def test_orders_for_another_stream_or_another_call_are_refused(gateway: Gateway) -> None:
    line = await opened(gateway)

    assert not direct(gateway, epoch=2, order=Order.HANG_UP).accepted
    assert not direct(gateway, call_id="call-2", order=Order.HANG_UP).accepted

    assert not line.closed.is_set()
    await line.close()


async def test_a_corrected_state_is_what_the_next_turn_begins_from(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(("interest_known", {"wants_battery": "yes"}, ["Good."]))
    line = await opened(gateway)
    right = replace(gateway.link.book.state, stage="interest")

    assert not direct(gateway, state=right, after_seq=0).accepted, "a turn was told since"
    assert direct(gateway, state=right, after_seq=1).accepted

    gateway.recogniser.words.append("yes a battery would be good")
    line.speak(300)
    await gateway.link.until_turns(2)
    assert gateway.link.told[1].stage == "pitch"
    assert gateway.link.told[1].before is not None
    assert "disclosure.opening" in gateway.link.told[1].before.lines_heard
    await line.close()


async def test_a_draining_gateway_gives_an_idle_call_away_at_once_and_takes_no_other(
    gateway: Gateway,
) -> None:
    line = await opened(gateway)

    assert await sessions(gateway).drain(within_s=5) == 0

    await line.until(line.closed.is_set)
    lost = await gateway.link.until_lost()
    assert lost.clean
    assert lost.heard is not None
    with pytest.raises(InvalidStatus):
        await gateway.connect()
    async with httpx.AsyncClient() as http:
        assert (await http.get(gateway.url + "/health")).status_code == 503


async def test_a_turn_that_is_under_way_is_finished_before_the_call_is_given_away(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(("permission_given", {}, ["Thank you."]))
    line = await opened(gateway)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await line.until(lambda: not gateway.recogniser.words)

    assert await sessions(gateway).drain(within_s=10) == 0

    await gateway.link.until_lost()
    last = gateway.link.turns[-1]
    assert last.heard_words == "Thank you. Do you own the house you live in?"
    assert not last.interrupted


async def test_a_call_that_never_comes_to_a_boundary_is_broken_off(gateway: Gateway) -> None:
    line = await opened(gateway)
    line.speak(60_000)
    await line.until(lambda: line.speaking_ms < 59_000)

    assert await sessions(gateway).drain(within_s=0.3) == 1

    await line.until(line.closed.is_set)


async def test_the_next_stream_goes_on_where_the_last_one_was_lost(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(("permission_given", {}, ["Thank you."]))
    gateway.voice.slowness = 8
    line = await opened(gateway)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await gateway.link.until_turns(2)
    await line.socket.close()  # in the middle of the answer
    await gateway.link.until_lost()

    again = await gateway.stream()

    turns = await gateway.link.until_turns(3)
    assert (turns[2].kind, turns[2].stage, turns[2].seq) == (TurnKind.RESUME, "homeowner", 3)
    assert "AI assistant" not in turns[2].saying
    assert not gateway.link.differed
    await again.close()


async def test_a_call_whose_workflow_is_gone_is_broken_off(gateway: Gateway) -> None:
    line = await opened(gateway)

    sessions(gateway).break_off("call-1")
    sessions(gateway).break_off("no such call")

    await line.until(line.closed.is_set)


# --- a key or an order is a fact, whatever comes of its answer -----------------------------------------


async def press_nine(line: Line) -> None:
    await line.send({"event": "dtmf", "streamSid": "MZ1", "dtmf": {"digit": "9"}})


async def test_nine_counts_though_he_hangs_up_before_the_answer(gateway: Gateway) -> None:
    line = await opened(gateway)
    gateway.voice.latency_s = 5.0
    await press_nine(line)

    await line.hang_up()

    await gateway.link.until_lost()
    assert gateway.link.book.wants_no_calls
    assert gateway.link.turns[-1].kind is TurnKind.DTMF


async def test_nine_counts_while_he_goes_on_speaking(gateway: Gateway) -> None:
    line = await opened(gateway)
    gateway.voice.latency_s = 0.3
    gateway.recogniser.words += ["stop", "stop"]
    line.speak(1500)
    await line.until(lambda: line.speaking_ms < 1000)

    await press_nine(line)

    await line.until(line.closed.is_set)
    turns = gateway.link.turns
    assert turns[1].kind is TurnKind.DTMF
    assert "taken you off our list" in turns[1].saying


async def test_nine_counts_over_the_last_words_of_a_call(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(("goodbye", {}, []))
    gateway.voice.slowness = 10
    line = await opened(gateway)
    gateway.recogniser.words.append("not interested bye")
    line.speak(300)
    await gateway.link.until_turns(2)
    await line.until(lambda: line.agent_spoke)

    await press_nine(line)

    await line.until(line.closed.is_set)
    await gateway.link.until_lost()
    assert gateway.link.book.wants_no_calls
    assert not gateway.link.differed
    goodbye = gateway.link.turns[1]
    assert (goodbye.heard_words, goodbye.interrupted) == (
        "Thank you for your time. Goodbye from Brightfield Solar.",
        False,
    )


async def test_nine_after_the_last_word_takes_nothing_of_what_was_heard_away(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(("goodbye", {}, []))
    line = await opened(gateway)
    gateway.recogniser.words.append("not interested bye")
    line.speak(300)
    await gateway.link.until_turns(2)
    tape = gateway.recorder.tapes[-1]
    await line.until(lambda: sum(isinstance(event, ReplyPlayed) for event, _ in tape.events) == 2)

    await press_nine(line)

    await line.until(line.closed.is_set)
    await gateway.link.until_lost()
    assert gateway.link.book.wants_no_calls
    assert gateway.link.turns[1].heard_words.endswith("Goodbye from Brightfield Solar.")


async def test_an_order_does_not_unsay_an_opt_out(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(("opt_out", {}, []))
    line = await opened(gateway)
    gateway.voice.latency_s = 0.5
    gateway.recogniser.words.append("stop calling me")
    line.speak(300)
    await line.until(lambda: bool(gateway.dialogue.requests) and not gateway.dialogue.replies)

    assert not direct(gateway, order=Order.FORCE_STAGE, target="appointment").accepted

    await line.until(line.closed.is_set)
    assert gateway.link.book.wants_no_calls
    assert gateway.link.turns[-1].stage == "opted_out"


async def test_a_call_that_is_broken_off_answers_nothing_more(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: FakeSpeech) -> None:
        await asyncio.sleep(1.2)

    gateway.voice.slowness = 20
    line = await gateway.stream()
    await line.until(lambda: line.agent_spoke)
    monkeypatch.setattr(FakeSpeech, "cancel", hang)

    sessions(gateway).break_off("call-1")
    await gateway.link.until_lost()
    told = len(gateway.link.told)
    await press_nine(line)
    gateway.recogniser.streams[-1].final("yes sure")
    await line.until(line.closed.is_set)

    assert len(gateway.link.told) == told


async def test_a_model_that_heard_an_opt_out_is_believed_though_nobody_waited(
    gateway: Gateway,
) -> None:
    gateway.dialogue.replies.append(("opt_out", {}, []))
    line = await opened(gateway)
    gateway.voice.latency_s = 5.0
    gateway.recogniser.words.append("stop calling me")
    line.speak(300)
    await line.until(lambda: bool(gateway.dialogue.requests))
    await line.until(lambda: not gateway.dialogue.replies)

    await line.hang_up()

    await gateway.link.until_lost()
    assert gateway.link.book.wants_no_calls


async def test_a_noise_does_not_take_an_order_back(gateway: Gateway) -> None:
    line = await opened(gateway)
    gateway.voice.latency_s = 0.4
    assert direct(gateway, order=Order.HANG_UP).accepted

    line.speak(200)

    await line.until(line.closed.is_set)
    assert gateway.link.turns[1].kind is TurnKind.ORDER


async def test_a_second_order_does_not_unsay_the_first(gateway: Gateway) -> None:
    line = await opened(gateway)
    gateway.voice.latency_s = 0.3
    assert direct(gateway, order=Order.FORCE_STAGE, target="interest").accepted
    assert direct(gateway, order=Order.FORCE_STAGE, target="appointment").accepted

    await gateway.link.until_turns(3)

    assert [turn.stage for turn in gateway.link.turns] == ["permission", "interest", "appointment"]
    await line.close()


async def test_a_state_that_is_corrected_to_its_end_ends_the_call(gateway: Gateway) -> None:
    line = await opened(gateway)
    over = replace(gateway.link.book.state, stage="goodbye", outcome=Outcome.GOODBYE)

    assert direct(gateway, state=over, after_seq=1).accepted

    await line.until(line.closed.is_set, within_s=2)


async def test_a_correction_waits_for_the_turn_that_is_being_decided(gateway: Gateway) -> None:
    gateway.dialogue.replies.append(("permission_given", {}, ["Thank you."]))
    gateway.voice.latency_s = 0.5
    line = await opened(gateway)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await line.until(lambda: not gateway.dialogue.replies)

    right = replace(gateway.link.book.state, stage="interest")
    done = direct(gateway, state=right, after_seq=1)

    assert not done.accepted
    assert done.is_here
    await line.close()


async def test_the_end_is_told_though_a_vendor_fails_to_end(gateway: Gateway) -> None:
    gateway.voice.slowness = 20
    line = await gateway.stream()
    await line.until(lambda: line.agent_spoke)
    gateway.voice.cancel_fails = True

    await line.close()

    lost = await gateway.link.until_lost()
    assert lost.heard is not None
