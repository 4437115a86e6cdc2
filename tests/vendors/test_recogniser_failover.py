"""A recogniser that is lost in a call: another one hears what had no words yet, and nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from media_gateway.errors import VendorUnavailable
from media_gateway.failover import speech_to_text
from media_gateway.failover.breaker import BreakerPolicy
from media_gateway.failover.provider import Provider
from media_gateway.failover.speech_to_text import (
    FailoverRecognition,
    FailoverSpeechToText,
    probe_recogniser,
)
from media_gateway.speech.ports import SpeechToText, Transcript
from tests.vendors.test_cartesia import until

End = VendorUnavailable | None
BROKE = VendorUnavailable("fake", "closed with 1011")


class Stream:
    """One stream of a recogniser that says what it is told to."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.sends = 0
        self.finalized = 0
        self.is_closed = False
        self.say: asyncio.Queue[Transcript | End] = asyncio.Queue()

    def send(self, mulaw: bytes) -> None:
        self.heard += mulaw
        self.sends += 1

    async def finalize(self) -> None:
        self.finalized += 1

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        while (said := await self.say.get()) is not None:
            if isinstance(said, VendorUnavailable):
                raise said
            yield said

    async def close(self) -> None:
        self.is_closed = True


class Recogniser:
    def __init__(self, *refusals: VendorUnavailable, opens_after_s: float = 0.0) -> None:
        self._refusals = list(refusals)
        self.opens_after_s = opens_after_s
        self.streams: list[Stream] = []
        self.key_terms: list[Sequence[str]] = []

    async def open(self, *, key_terms: Sequence[str] = ()) -> Stream:
        await asyncio.sleep(self.opens_after_s)
        if self._refusals:
            raise self._refusals.pop(0)
        self.key_terms.append(key_terms)
        self.streams.append(Stream())
        return self.streams[-1]


def provider(recogniser: Recogniser, name: str) -> Provider[SpeechToText]:
    return Provider(name, recogniser, probe_recogniser, BreakerPolicy(probe_after_s=0.05))


@asynccontextmanager
async def listening(
    *recognisers: Recogniser,
) -> AsyncIterator[tuple[FailoverRecognition, list[Transcript], asyncio.Task[None]]]:
    stt = FailoverSpeechToText([provider(one, f"r{n}") for n, one in enumerate(recognisers)])
    recognition = await stt.open(key_terms=("Sunrise",))
    said: list[Transcript] = []

    async def listen() -> None:
        async for transcript in recognition:
            said.append(transcript)

    task = asyncio.create_task(listen())
    try:
        yield recognition, said, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await recognition.close()
        await stt.close()


def frame(second: int) -> bytes:
    return bytes([second]) * 8000


async def test_the_next_recogniser_hears_what_had_no_final_words() -> None:
    one, two = Recogniser(), Recogniser()
    async with listening(one, two) as (recognition, said, _):
        for second in range(4):
            recognition.send(frame(second))
        first = one.streams[0]
        first.say.put_nowait(Transcript(text="I own it.", is_final=True, until_ms=2500))
        await until(lambda: said)
        first.say.put_nowait(BROKE)
        await until(lambda: two.streams)
        second_stream = two.streams[0]
        assert bytes(second_stream.heard) == frame(2)[4000:] + frame(3)
        assert two.key_terms == [("Sunrise",)]
        recognition.send(frame(4))
        assert bytes(second_stream.heard).endswith(frame(4))
        # Its own times count from its own beginning; the call's from the call's.
        second_stream.say.put_nowait(Transcript(text="Since May.", is_final=True, until_ms=1000))
        await until(lambda: len(said) == 2)
        assert said[1].until_ms == 3500
        second_stream.say.put_nowait(BROKE)
        await until(lambda: len(one.streams) == 2)
        assert bytes(one.streams[1].heard) == frame(3)[4000:] + frame(4)
        await until(lambda: first.is_closed and second_stream.is_closed)


async def test_a_finalize_without_an_answer_is_asked_again() -> None:
    one, two = Recogniser(), Recogniser()
    async with listening(one, two) as (recognition, said, _):
        recognition.send(frame(1))
        await recognition.finalize()
        one.streams[0].say.put_nowait(BROKE)
        await until(lambda: two.streams and two.streams[0].finalized == 1)
        two.streams[0].say.put_nowait(Transcript(text="Yes.", is_final=True, from_finalize=True))
        await until(lambda: said)
        two.streams[0].say.put_nowait(BROKE)
        await until(lambda: len(one.streams) == 2)
        assert not one.streams[1].heard, "the answer was of all that had been sent"
        assert one.streams[1].finalized == 0


async def test_audio_that_comes_while_no_recogniser_is_there_is_heard_by_the_next() -> None:
    one, two = Recogniser(), Recogniser(opens_after_s=0.1)
    async with listening(one, two) as (recognition, _, _task):
        one.streams[0].say.put_nowait(BROKE)
        await until(lambda: one.streams[0].is_closed)
        recognition.send(frame(7))
        await until(lambda: two.streams and two.streams[0].heard)
        assert bytes(two.streams[0].heard) == frame(7)


async def test_an_only_recogniser_is_opened_again() -> None:
    one = Recogniser()
    async with listening(one) as (recognition, _, _task):
        recognition.send(frame(1))
        one.streams[0].say.put_nowait(BROKE)
        await until(lambda: len(one.streams) == 2 and one.streams[1].heard)
        assert bytes(one.streams[1].heard) == frame(1)


async def test_the_stream_ends_when_no_recogniser_can_be_reached() -> None:
    refused = VendorUnavailable("fake", "refused")
    one, two = Recogniser(), Recogniser(refused)
    async with listening(one, two) as (_, _said, task):
        one._refusals.append(VendorUnavailable("fake", "refused, too"))
        one.streams[0].say.put_nowait(BROKE)
        with pytest.raises(VendorUnavailable, match="refused"):
            await task


@pytest.mark.parametrize(
    "first",
    [
        lambda: Recogniser(VendorUnavailable("fake", "HTTP 401", is_lasting=True)),
        lambda: Recogniser(VendorUnavailable("fake", "HTTP 429", retry_after_s=1.0)),
        lambda: Recogniser(opens_after_s=5.0),
    ],
)
async def test_a_call_begins_with_the_second_when_the_first_is_not_there(
    first: Callable[[], Recogniser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_to_text, "OPEN_WITHIN_S", 0.1)
    two = Recogniser()
    async with listening(first(), two):
        assert len(two.streams) == 1


async def test_a_recogniser_that_is_away_is_asked_no_more_until_a_probe_finds_it() -> None:
    refused = VendorUnavailable("fake", "HTTP 401", is_lasting=True)
    one, two = Recogniser(refused, refused), Recogniser()
    providers = [provider(one, "one"), provider(two, "two")]
    stt = FailoverSpeechToText(providers)
    await (await stt.open()).close()
    assert len(one._refusals) == 1
    await (await stt.open()).close()
    assert len(one._refusals) == 1, "nobody's call asked it"
    await until(lambda: providers[0].is_well)
    await (await stt.open()).close()
    assert len(one.streams) == 2, "the probe's and the call's"
    assert one.streams[0].is_closed
    await stt.close()


async def test_a_long_replay_comes_in_few_pieces() -> None:
    one, two = Recogniser(), Recogniser()
    async with listening(one, two) as (recognition, _, _task):
        for _ in range(30 * 50):
            recognition.send(bytes(160))
        one.streams[0].say.put_nowait(BROKE)
        await until(lambda: two.streams and two.streams[0].heard)
        assert len(two.streams[0].heard) == 20 * 8000, "the last twenty seconds"
        assert two.streams[0].sends == 20


class Fickle(Recogniser):
    """Opens, and breaks off at once."""

    async def open(self, *, key_terms: Sequence[str] = ()) -> Stream:
        stream = await super().open(key_terms=key_terms)
        stream.say.put_nowait(BROKE)
        return stream


async def test_recognisers_that_open_and_break_off_are_not_opened_in_a_circle() -> None:
    one, two = Fickle(), Fickle()
    async with listening(one, two) as (_, _said, task):
        with pytest.raises(VendorUnavailable, match="1011"):
            await asyncio.wait_for(task, 5)
        assert len(one.streams) + len(two.streams) <= 4


async def test_a_recogniser_is_well_again_when_it_says_something_not_when_it_opens() -> None:
    one = Recogniser()
    providers = [provider(one, "one")]
    stt = FailoverSpeechToText(providers)
    providers[0].failed(VendorUnavailable("fake", "HTTP 401", is_lasting=True))
    recognition = await stt.open()
    assert not providers[0].is_well
    one.streams[0].say.put_nowait(Transcript(text="Yes.", is_final=True))
    await anext(aiter(recognition))
    assert providers[0].is_well
    await recognition.close()
    await stt.close()


async def test_a_probe_that_is_put_off_meanwhile_is_made_later() -> None:
    one = Recogniser()
    made = provider(one, "one")
    made.failed(VendorUnavailable("fake", "HTTP 401", is_lasting=True))
    await asyncio.sleep(0)
    made.succeeded()
    made.failed(VendorUnavailable("fake", "HTTP 429", retry_after_s=0.2))
    await until(lambda: made.is_well)
    assert one.streams, "by a probe"
    await made.close()
