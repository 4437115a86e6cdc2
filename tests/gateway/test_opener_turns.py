"""Openers on a running gateway: heard while the model thinks, held with what is begun ahead, told to the model."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from media_gateway.ears.ports import EndEstimate
from media_gateway.opener_prefetch import Openers, OpenerVectors
from media_gateway.openers import Opener
from tests.core.scripts import SAMPLE, SMALL, run
from tests.gateway.conftest import Gateway, Line
from tests.gateway.fakes import FakeEmbedding, FakeLines
from workflows.contracts.payloads import TurnRecord
from workflows.script.parse import parse_script

YES: tuple[str, dict[str, str], list[str]] = ("permission_given", {}, ["Let us begin."])
QUESTION = "Do you own the house you live in?"


@pytest.fixture
async def line(gateway: Gateway) -> Line:
    """The disclosure and the opening were heard; two openers are ready."""
    gateway.lines.speak("Great.", "Thanks.")
    opened = await gateway.stream()
    await opened.agent_done()
    return opened


async def records(gateway: Gateway, line: Line) -> list[TurnRecord]:
    await line.hang_up()
    await gateway.link.until_lost()
    assert not gateway.link.differed
    return gateway.link.turns


async def test_an_opener_is_heard_while_the_model_thinks(gateway: Gateway, line: Line) -> None:
    gateway.dialogue.replies.append(YES)
    gateway.dialogue.holds.clear()
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await line.until(lambda: line.agent_spoke)
    assert gateway.dialogue.requests[-1].already_said == "Great."
    assert len(gateway.link.told) == 1, "nothing is decided for its sake"
    gateway.dialogue.holds.set()
    await gateway.link.until_turns(2)
    await line.agent_done()

    turn = (await records(gateway, line))[1]

    assert turn.heard_words == f"Great. Let us begin. {QUESTION}"
    assert turn.saying.startswith("Great. Let us begin.")
    assert "Great." not in gateway.voice.said
    assert turn.timings.first_audio_sent is not None
    assert not turn.refusal


async def test_no_opener_is_said_whose_audio_is_not_there(gateway: Gateway, line: Line) -> None:
    gateway.lines.spoken.clear()
    gateway.dialogue.replies.append(YES)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await gateway.link.until_turns(2)
    await line.agent_done()
    assert gateway.dialogue.requests[-1].already_said == ""
    assert (await records(gateway, line))[1].heard_words == f"Let us begin. {QUESTION}"


async def test_no_opener_is_said_before_a_no(gateway: Gateway, line: Line) -> None:
    gateway.dialogue.replies.append(("opt_out", {}, []))
    gateway.recogniser.words.append("stop calling me")
    line.speak(300)
    await line.closed.wait()
    assert gateway.dialogue.requests[-1].already_said == ""
    assert (gateway.link.turns)[1].heard_words.startswith("Understood. I have taken you off")


async def begun_ahead(gateway: Gateway, line: Line) -> None:
    """The caller pauses; the ear half believes that he is done, and the reply to his words is made."""
    asked = len(gateway.dialogue.requests)
    line.speak(200)
    gateway.recogniser.streams[-1].interim("yes sure")
    await line.until(lambda: line.speaking_ms <= 0)

    def asked_again() -> bool:
        gateway.ears.last.finds(EndEstimate(p=0.5))
        return len(gateway.dialogue.requests) > asked

    await line.until(asked_again)


async def test_with_a_reply_that_is_begun_ahead_it_waits_for_the_turns_end(
    gateway: Gateway, line: Line
) -> None:
    gateway.dialogue.replies.append(YES)
    gateway.dialogue.holds.clear()
    gateway.recogniser.words.append("Yes, sure.")
    await begun_ahead(gateway, line)
    assert gateway.dialogue.requests[-1].already_said == "Great."
    assert not line.agent_spoke

    def heard() -> bool:
        gateway.ears.last.finds(EndEstimate(p=0.95))
        return line.agent_spoke

    await line.until(heard)
    assert not gateway.voice.said[2:], "the model has not written a word"
    gateway.dialogue.holds.set()
    await gateway.link.until_turns(2)
    await line.agent_done()
    assert (await records(gateway, line))[1].heard_words == f"Great. Let us begin. {QUESTION}"
    assert len(gateway.dialogue.requests) == 1


async def test_a_reply_that_was_dropped_used_up_no_opener(gateway: Gateway, line: Line) -> None:
    gateway.dialogue.replies += [YES, YES]
    gateway.recogniser.words.append("yes sure go ahead")
    await begun_ahead(gateway, line)
    line.speak(300)
    gateway.recogniser.streams[-1].interim("yes sure go ahead")
    await gateway.link.until_turns(2)
    await line.agent_done()
    first, second = gateway.dialogue.requests[:2]
    assert (first.already_said, second.already_said) == ("Great.", "Great.")
    assert (await records(gateway, line))[1].heard_words == f"Great. Let us begin. {QUESTION}"


async def test_an_opener_that_was_heard_is_not_said_again_though_its_reply_was_taken_back(
    gateway: Gateway, line: Line
) -> None:
    gateway.dialogue.replies += [YES, YES]
    gateway.dialogue.holds.clear()
    gateway.recogniser.words += ["yes sure", "yes sure"]
    line.speak(300)
    await line.until(lambda: line.agent_spoke)
    gateway.recogniser.streams[-1].interim("yes sure")
    line.speak(400)
    await line.until(lambda: len(gateway.dialogue.requests) == 2)
    said = [request.already_said for request in gateway.dialogue.requests]
    assert said[0] == "Great."
    assert said[1] != "Great."
    gateway.dialogue.holds.set()
    await line.close()


# --- one call's choice, without a gateway -----------------------------------------------------------

STATE = replace(run(SAMPLE), stage="roof")


async def ready_openers(embedding: FakeEmbedding) -> Openers:
    lines = FakeLines()
    lines.speak("Got it.", "Okay.")
    vectors = OpenerVectors(embedding)
    openers = Openers(SAMPLE, vectors, lines)
    async with asyncio.timeout(5):
        while not vectors.examples(SAMPLE) and not embedding.fails and embedding.may.is_set():
            await asyncio.sleep(0)
    return openers


async def test_the_choice_is_of_the_very_words_that_were_embedded() -> None:
    openers = await ready_openers(FakeEmbedding())
    assert openers.choose("we have a tile roof", STATE) is None, "not embedded"
    await openers.settled("we have a tile roof")
    chosen = openers.choose("We have a tile roof.", STATE)
    assert isinstance(chosen, Opener)
    assert (chosen.text, chosen.line_id) == ("Got it.", "opener.answer.0")
    assert openers.choose("we have a tile roof and a question", STATE) is None
    openers.said(chosen)
    again = openers.choose("We have a tile roof.", STATE)
    assert again is not None
    assert again.text == "Okay."
    openers.close()


async def test_without_an_embedding_nothing_is_said() -> None:
    embedding = FakeEmbedding()
    openers = await ready_openers(embedding)
    embedding.fails = True
    await openers.settled("we have a tile roof")
    assert openers.choose("we have a tile roof", STATE) is None
    embedding.fails = False
    openers.want("it is a shingle roof")
    await openers.settled("it is a shingle roof")
    assert openers.choose("it is a shingle roof", STATE) is not None
    openers.close()


async def test_nobody_waits_long_for_an_embedding() -> None:
    embedding = FakeEmbedding()
    openers = await ready_openers(embedding)
    embedding.may.clear()
    began = asyncio.get_running_loop().time()
    await openers.settled("we have a tile roof")
    assert asyncio.get_running_loop().time() - began < 1
    assert openers.choose("we have a tile roof", STATE) is None
    openers.close()


async def test_off_or_without_openers_in_the_script_nothing_is_embedded() -> None:
    embedding = FakeEmbedding()
    embedding.fails = True
    off = Openers(SAMPLE, None, FakeLines())
    small = parse_script(SMALL, name="small.yaml")
    none = Openers(small, OpenerVectors(embedding), FakeLines())
    for openers, state in ((off, STATE), (none, run(small))):
        openers.want("we have a tile roof")
        await openers.settled("we have a tile roof")
        assert openers.choose("we have a tile roof", state) is None
        openers.close()
