"""The stop-watches around vendors: what is told, once each, and that nothing of what passes is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

import pytest
from prometheus_client import generate_latest

from media_gateway.errors import NoUsableReply, VendorUnavailable
from media_gateway.llm.failures import FailureKind
from media_gateway.metrics.kinds import kind_of
from media_gateway.metrics.prometheus import GatewayMetrics
from media_gateway.metrics.vendors import MeasuredDialogue, MeasuredRecogniser, MeasuredVoice
from media_gateway.ports import (
    ClientUsage,
    MoveChosen,
    PreparedReply,
    ReplyPart,
    ReplyRequest,
    ReplyTrace,
)
from media_gateway.speech.ports import SegmentDone, SpokenAudio, Transcript
from tests.core.scripts import SAMPLE
from tests.gateway.fakes import FakeDialogue
from workflows.script.machine import initial_state


class Notes:
    """A VendorMeter that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, object]] = []

    def first_byte(self, vendor: str, seconds: float) -> None:
        assert seconds >= 0
        self.told.append(("first byte", vendor, None))

    def connected(self, vendor: str, seconds: float) -> None:
        assert seconds >= 0
        self.told.append(("connected", vendor, None))

    def failed(self, vendor: str, reason: str) -> None:
        self.told.append(("failed", vendor, reason))

    def reconnected(self, vendor: str) -> None:
        self.told.append(("reconnected", vendor, None))

    def spent(self, vendor: str, *, prompt_tokens: int, tokens_written: int) -> None:
        self.told.append(("spent", vendor, (prompt_tokens, tokens_written)))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.told]


class OneStream:
    """A recogniser whose streams give these and then break off."""

    def __init__(self, *given: Transcript) -> None:
        self.given = given
        self.heard = b""
        self.is_away = False

    async def open(self, *, key_terms: object = ()) -> OneStream:
        if self.is_away:
            raise VendorUnavailable("v", "refused with HTTP 503")
        return self

    def send(self, mulaw: bytes) -> None:
        self.heard += mulaw

    async def finalize(self) -> None:
        return

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        for transcript in self.given:
            yield transcript
        raise VendorUnavailable("v", "closed with 1011")

    async def close(self) -> None:
        return


async def _listen(recogniser: MeasuredRecogniser) -> list[Transcript]:
    stream = await recogniser.open()
    stream.send(b"\xff" * 160)
    await stream.finalize()
    got: list[Transcript] = []
    with suppress(VendorUnavailable):
        async for transcript in stream:
            got.append(transcript)
    await stream.close()
    return got


async def test_the_words_that_answer_a_flush_are_its_first_byte_and_others_are_not() -> None:
    words = Transcript(text="hello", is_final=True)
    asked = Transcript(text="there", is_final=True, from_finalize=True)
    notes, inner = Notes(), OneStream(words, asked, asked)
    assert await _listen(MeasuredRecogniser(inner, "v", notes)) == [words, asked, asked]
    assert inner.heard == b"\xff" * 160
    assert notes.told == [
        ("connected", "v", None),
        ("first byte", "v", None),
        ("failed", "v", "closed with 1011"),
    ]


async def test_a_stream_that_a_call_opens_after_one_broke_is_a_reconnect_and_another_calls_is_not() -> (
    None
):
    notes, inner = Notes(), OneStream()
    recogniser = MeasuredRecogniser(inner, "v", notes)

    async def a_call(streams: int) -> None:
        for _ in range(streams):
            await _listen(recogniser)

    await asyncio.create_task(a_call(2))
    assert notes.kinds.count("reconnected") == 1
    await asyncio.create_task(a_call(1))
    assert notes.kinds.count("reconnected") == 1
    inner.is_away = True
    with pytest.raises(VendorUnavailable):
        await recogniser.open()
    assert notes.told[-1] == ("failed", "v", "refused with HTTP 503")


class OneVoice:
    def __init__(self, *given: SpokenAudio | SegmentDone, breaks: bool = False) -> None:
        self.given = given
        self.breaks = breaks
        self.said: list[tuple[int, str]] = []

    async def begin(self) -> OneVoice:
        return self

    async def close(self) -> None:
        return

    async def say(self, segment: int, text: str) -> None:
        self.said.append((segment, text))

    async def finish(self) -> None:
        if self.breaks:
            raise VendorUnavailable("v", "socket closed")

    async def cancel(self) -> None:
        return

    async def __aiter__(self) -> AsyncGenerator[SpokenAudio | SegmentDone, None]:
        for item in self.given:
            yield item
        if self.breaks:
            raise VendorUnavailable("v", "socket closed")


async def test_a_voices_first_byte_is_its_first_audio_and_not_its_word_times() -> None:
    times, audio = SpokenAudio(segment=0, mulaw=b""), SpokenAudio(segment=0, mulaw=b"\x00")
    notes, inner = Notes(), OneVoice(times, audio, audio, SegmentDone(segment=0))
    speech = await MeasuredVoice(inner, "v", notes).begin()
    await speech.say(0, "Hello.")
    got = []
    async for item in speech:
        got.append(item)
        assert notes.kinds == ([] if item is times else ["first byte"])
    assert got == [*inner.given]
    assert inner.said == [(0, "Hello.")]


async def test_a_socket_that_dies_under_a_turn_is_one_failure() -> None:
    notes = Notes()
    speech = await MeasuredVoice(OneVoice(breaks=True), "v", notes).begin()
    with pytest.raises(VendorUnavailable):
        await speech.finish()
    with pytest.raises(VendorUnavailable):
        async for _ in speech:
            pass
    assert notes.told == [("failed", "v", "socket closed")]


def _request() -> ReplyRequest:
    return ReplyRequest(script=SAMPLE, state=initial_state(SAMPLE), caller_words="yes")


async def test_a_models_first_token_and_failure_are_told_and_a_reply_that_is_left_is_closed() -> (
    None
):
    notes, inner = Notes(), FakeDialogue()
    inner.replies += [("yes", {}, ["One.", "Two."]), NoUsableReply("timeout")]
    dialogue = MeasuredDialogue(inner, "llm", notes)
    trace = ReplyTrace(request_sent_s=1.0, first_token_s=1.4)
    async with aclosing(dialogue.reply(_request(), trace)) as reply:
        async for part in reply:
            assert isinstance(part, MoveChosen)
            break
    assert inner.closed_early == 1
    assert notes.told == [("first byte", "llm", None)]
    with pytest.raises(NoUsableReply):
        async for _ in dialogue.reply(_request()):
            pass
    assert notes.told[1:] == [("failed", "llm", "timeout")]


class OneOfSeveral(FakeDialogue):
    """Its first client fails, the other one answers."""

    async def reply(
        self,
        request: ReplyRequest,
        trace: ReplyTrace | None = None,
        prepared: PreparedReply | None = None,
    ) -> AsyncGenerator[ReplyPart, None]:
        assert trace is not None
        fast = ClientUsage(client="fast", outcome="failed", failure="rate", prompt_tokens=700)
        strong = ClientUsage(client="strong", outcome="used", prompt_tokens=710, tokens_written=12)
        trace.clients += [fast, strong]
        yield MoveChosen(move="yes", slots={})


async def test_the_trouble_of_one_of_several_models_is_its_own_and_not_the_turns() -> None:
    notes = Notes()
    async for _ in MeasuredDialogue(OneOfSeveral(), "llm", notes).reply(_request()):
        pass
    assert [told for told in notes.told if told[0] == "failed"] == [("failed", "llm:fast", "rate")]


async def test_what_each_model_read_and_wrote_is_told_of_losers_and_dropped_answers_too() -> None:
    notes, trace = Notes(), ReplyTrace()
    async with aclosing(
        MeasuredDialogue(OneOfSeveral(), "llm", notes).reply(_request(), trace)
    ) as reply:
        await anext(reply)  # and it is dropped
    spent = [told for told in notes.told if told[0] == "spent"]
    assert spent == [("spent", "llm:fast", (700, 0)), ("spent", "llm:strong", (710, 12))]
    assert trace.prompt_tokens == 1410
    metrics = GatewayMetrics()
    metrics.spent("llm:strong", prompt_tokens=710, tokens_written=12)
    page = generate_latest(metrics.registry).decode()
    assert 'callspine_model_tokens_total{kind="prompt",vendor="llm:strong"} 710.0' in page
    assert 'callspine_model_tokens_total{kind="written",vendor="llm:strong"} 12.0' in page


@pytest.mark.parametrize("failure", FailureKind)
def test_every_failure_of_a_models_client_has_a_kind(failure: FailureKind) -> None:
    assert kind_of(failure.value) != "other"
