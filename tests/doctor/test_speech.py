"""Voice and recogniser examine each other: what is said has to be heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from callspine.doctor.findings import Finding, State, examine
from callspine.doctor.speech import (
    SENTENCE,
    Spoken,
    heard_share,
    recogniser_check,
    voice_check,
)
from media_gateway.errors import VendorUnavailable
from media_gateway.speech.ports import SegmentDone, SpokenAudio, Transcript

SOUND = bytes(range(100)) * 60
"""Three quarters of a second."""


class Voice:
    def __init__(self, mulaw: bytes = SOUND, refusal: str = "") -> None:
        self.mulaw, self.refusal = mulaw, refusal
        self.said: list[str] = []
        self.is_closed = False

    async def begin(self) -> Voice:
        if self.refusal:
            raise VendorUnavailable("v", self.refusal)
        return self

    async def say(self, segment: int, text: str) -> None:
        self.said.append(text)

    async def finish(self) -> None:
        return

    async def cancel(self) -> None:
        return

    async def close(self) -> None:
        self.is_closed = True

    async def __aiter__(self) -> AsyncGenerator[SpokenAudio | SegmentDone, None]:
        yield SpokenAudio(segment=0, mulaw=self.mulaw)
        yield SegmentDone(segment=0)


class Recogniser:
    """Knows what the voice says by its sound."""

    def __init__(self, hears: str = SENTENCE, refusal: str = "", flushes: bool = True) -> None:
        self.hears, self.refusal, self.flushes = hears, refusal, flushes
        self.heard = b""
        self.asked = asyncio.Event()
        self.is_closed = False

    async def open(self, *, key_terms: object = ()) -> Recogniser:
        if self.refusal:
            raise VendorUnavailable("r", self.refusal)
        return self

    def send(self, mulaw: bytes) -> None:
        assert len(mulaw) <= 160
        self.heard += mulaw

    async def finalize(self) -> None:
        self.asked.set()

    async def close(self) -> None:
        self.is_closed = True

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        await self.asked.wait()
        if SOUND in self.heard and self.hears:
            yield Transcript(text=self.hears, is_final=True, from_finalize=self.flushes)
        await asyncio.Event().wait()


async def examined(voice: Voice, recogniser: Recogniser) -> tuple[Finding, Finding]:
    spoken = Spoken()
    checks = [
        voice_check("cartesia", voice, spoken),
        recogniser_check("deepgram", recogniser, spoken),
    ]
    of_voice, of_recogniser = await examine(checks)
    return of_voice, of_recogniser


async def test_the_sentence_goes_round() -> None:
    voice, recogniser = Voice(), Recogniser()
    said, heard = await examined(voice, recogniser)
    assert (said.state, heard.state) == (State.WORKS, State.WORKS)
    assert voice.said == [SENTENCE]
    assert "100%" in heard.what
    assert voice.is_closed
    assert recogniser.is_closed


async def test_a_recogniser_that_hears_other_words_fails() -> None:
    _, heard = await examined(Voice(), Recogniser(hears="something else entirely of the line"))
    assert heard.state is State.FAILED
    assert "CALLSPINE_DEEPGRAM_MODEL" in heard.remedy


async def test_one_that_hears_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callspine.doctor.speech._AFTER_S", 0.05)
    _, heard = await examined(Voice(), Recogniser(hears=""))
    assert heard.state is State.FAILED
    assert "no words" in heard.what


async def test_one_that_knows_no_flush_is_heard_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callspine.doctor.speech._AFTER_S", 0.05)
    _, heard = await examined(Voice(), Recogniser(flushes=False))
    assert heard.state is State.WORKS


async def test_a_voice_that_is_refused_names_its_key_and_leaves_the_recogniser_half_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("callspine.doctor.speech._QUIET_AFTER_S", 0.05)
    said, heard = await examined(Voice(refusal="refused with HTTP 401"), Recogniser())
    assert said.state is State.FAILED
    assert "CALLSPINE_CARTESIA_API_KEY" in said.remedy
    assert heard.state is State.WARNS
    assert "no voice to hear" in heard.what


@pytest.mark.parametrize("mulaw", [b"", b"\xff" * 8000, SOUND[:400]])
async def test_a_voice_that_says_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, mulaw: bytes
) -> None:
    monkeypatch.setattr("callspine.doctor.speech._AFTER_S", 0.05)
    said, _ = await examined(Voice(mulaw), Recogniser())
    assert said.state is State.FAILED


@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        ("refused with HTTP 403", "CALLSPINE_DEEPGRAM_API_KEY"),
        ("refused with HTTP 429", "limit"),
        ("refused with HTTP 404", "CALLSPINE_DEEPGRAM_MODEL"),
        ("TimeoutError", "CALLSPINE_DEEPGRAM_BASE_URL"),
    ],
)
async def test_a_recognisers_refusal_has_its_remedy(reason: str, remedy: str) -> None:
    _, heard = await examined(Voice(), Recogniser(refusal=reason))
    assert heard.state is State.FAILED
    assert remedy in heard.remedy


def test_words_count_in_their_order_and_capitals_do_not() -> None:
    assert heard_share("Good morning, all.", "good morning all") == 1
    assert heard_share("one two three four", "four three two one") == 0.25
    assert heard_share("one two", "") == 0
