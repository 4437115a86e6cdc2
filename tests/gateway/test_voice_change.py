"""Calls whose voice fails: the caller hears every word once, in another voice, or a line that was spoken before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest

from media_gateway import speaker
from media_gateway.errors import VendorUnavailable
from media_gateway.failover.breaker import BreakerPolicy
from media_gateway.failover.patience import FailoverPolicy
from media_gateway.failover.provider import Provider
from media_gateway.failover.text_to_speech import FailoverTextToSpeech
from media_gateway.failover.voices import Voice, probe_voice
from media_gateway.speech.ports import SegmentDone, SpokenAudio, TextToSpeech, WordTime
from tests.gateway.conftest import Gateway
from tests.gateway.fakes import FakeLines
from workflows.contracts.payloads import AfterStream, NextStep

WORD_MS = 100
PATIENCE = FailoverPolicy(first_audio_s=0.25, give_up_s=0.7)
"""Both shorter than these tests' wait for the model's answer, as they are in a call."""
YES: tuple[str, dict[str, str], list[str]] = ("permission_given", {}, ["Thank you."])


class Mouth:
    """Speaks each word as a tenth of a second of its own byte."""

    def __init__(self, sound: int) -> None:
        self.sound = sound
        self.said: list[str] = []
        self.breaks_after: int | None = None
        """Words, once; then the stream breaks off."""
        self.is_away = False
        self.is_mute = False
        """Takes words, and says nothing."""

    async def begin(self) -> MouthSpeech:
        if self.is_away:
            raise VendorUnavailable("mouth", "refused")
        return MouthSpeech(self)

    async def close(self) -> None:
        return


class MouthSpeech:
    def __init__(self, mouth: Mouth) -> None:
        self._mouth = mouth
        self._queue: asyncio.Queue[SpokenAudio | SegmentDone | VendorUnavailable | None] = (
            asyncio.Queue()
        )

    async def say(self, segment: int, text: str) -> None:
        self._mouth.said.append(text)
        if self._mouth.is_mute:
            return
        for n, word in enumerate(text.split()):
            if n == self._mouth.breaks_after:
                self._mouth.breaks_after = None
                self._mouth.is_away = True
                half = bytes([self._mouth.sound]) * 8 * (WORD_MS // 2)
                self._queue.put_nowait(SpokenAudio(segment=segment, mulaw=half))
                self._queue.put_nowait(VendorUnavailable("mouth", "broke off"))
                return
            time = WordTime(word=word, start_ms=n * WORD_MS, end_ms=(n + 1) * WORD_MS)
            mulaw = bytes([self._mouth.sound]) * 8 * WORD_MS
            self._queue.put_nowait(SpokenAudio(segment=segment, mulaw=mulaw, words=(time,)))
        self._queue.put_nowait(SegmentDone(segment=segment))

    async def finish(self) -> None:
        if not self._mouth.is_mute:
            self._queue.put_nowait(None)

    async def cancel(self) -> None:
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncGenerator[SpokenAudio | SegmentDone, None]:
        while (item := await self._queue.get()) is not None:
            if isinstance(item, VendorUnavailable):
                raise item
            yield item


@dataclass
class Two:
    first: Mouth
    second: Mouth
    lines: tuple[FakeLines, FakeLines]


@pytest.fixture
def two() -> Two:
    return Two(Mouth(0x21), Mouth(0x22), (FakeLines(), FakeLines()))


@pytest.fixture
def mouth(two: Two) -> TextToSpeech:
    policy = BreakerPolicy(probe_after_s=60.0)
    return FailoverTextToSpeech(
        [
            Voice(provider=Provider("one", two.first, probe_voice, policy), lines=two.lines[0]),
            Voice(provider=Provider("two", two.second, probe_voice, policy), lines=two.lines[1]),
        ],
        PATIENCE,
    )


async def test_a_voice_that_breaks_off_in_a_sentence_is_followed_by_another_at_the_next_word(
    gateway: Gateway, two: Two
) -> None:
    two.first.breaks_after = 6
    gateway.dialogue.replies.append(YES)
    line = await gateway.stream()
    await line.agent_done()
    asked = len(two.first.said)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await gateway.link.until_turns(2)
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()

    greeting = two.first.said[0].split()
    assert two.second.said[0].split() == greeting[6:]
    assert gateway.link.turns[0].heard_words == " ".join([*greeting, two.second.said[1]])
    assert line.heard.count(0x21) == 6 * 8 * WORD_MS, "of the word that broke off nothing is heard"
    assert len(two.first.said) == asked, "and the call keeps the voice that it changed to"
    assert gateway.link.turns[1].heard_words


async def test_a_voice_that_is_away_from_the_beginning_is_not_missed(
    gateway: Gateway, two: Two
) -> None:
    two.first.is_away = True
    line = await gateway.stream()
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    assert gateway.link.turns[0].heard_words == " ".join(two.second.said)


async def test_when_both_are_away_lines_that_were_spoken_before_keep_the_call_alive(
    gateway: Gateway, two: Two
) -> None:
    line = await gateway.stream()
    await line.agent_done()
    two.first.is_away = two.second.is_away = True
    question = "Do you own the house you live in?"
    two.lines[0].speak(question)
    gateway.dialogue.replies.append(YES)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    asked_s = asyncio.get_running_loop().time()
    await gateway.link.until_turns(2)
    assert asyncio.get_running_loop().time() - asked_s < 3.0
    await line.agent_done()
    await line.hang_up()
    await gateway.link.until_lost()
    assert gateway.link.turns[1].heard_words == question


async def test_when_no_voice_sounds_the_carrier_speaks_as_soon_as_they_are_given_up(
    gateway: Gateway, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker, "VOICE_LATE_MS", 500)
    line = await gateway.stream()
    await line.agent_done()
    two.first.is_mute = two.second.is_mute = True
    gateway.dialogue.replies.append(YES)
    gateway.recogniser.words.append("yes sure")
    line.speak(300)
    await line.until(lambda: bool(two.second.said))
    asked_s = asyncio.get_running_loop().time() - PATIENCE.first_audio_s
    await line.until(line.closed.is_set)
    assert asyncio.get_running_loop().time() - asked_s < PATIENCE.give_up_s + 0.5
    assert two.second.said == ["Thank you.", "Do you own the house you live in?"], "once each"
    assert speaker.VOICE_LATE_MS < 1000 * FailoverPolicy().give_up_s < 3000 - 500
    await gateway.link.until_lost()
    gateway.link.after = AfterStream(step=NextStep.RECONNECT)
    answer = await gateway.post("/twilio/stream-end?call_id=call-1&stream=n1", {"CallSid": "CA1"})
    tags = [element.tag for element in ElementTree.fromstring(answer.text)]
    assert tags == ["Say", "Connect", "Hangup"], "not silent until the next stream has a voice"
    again = await gateway.post("/twilio/stream-end?call_id=call-1&stream=n2", {"CallSid": "CA1"})
    assert ElementTree.fromstring(again.text)[0].tag == "Connect"
