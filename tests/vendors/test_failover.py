"""Two real adapters on two simulated services: whatever one of them does, the reply is spoken, each word once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from media_gateway.errors import VendorUnavailable
from media_gateway.failover.breaker import BreakerPolicy
from media_gateway.failover.patience import FailoverPolicy
from media_gateway.failover.provider import Provider
from media_gateway.failover.text_to_speech import FailoverTextToSpeech
from media_gateway.failover.voices import PROBE_TEXT, Voice, probe_voice
from media_gateway.speech.aura_tts import AuraTextToSpeech
from media_gateway.speech.cartesia_tts import CartesiaTextToSpeech
from media_gateway.speech.no_lines import NoLines
from media_gateway.speech.ports import LineAudio, ReadyAudio, TextToSpeech
from tests.simulators.aura import Aura, aura
from tests.simulators.cartesia import Cartesia, cartesia
from tests.simulators.steps import Connect, Fault, Say
from tests.vendors.listener import Listener, spoken
from tests.vendors.test_cartesia import until

ONE = "Hello there, how are you?"
TWO = "It costs nothing at all."
QUICK = FailoverPolicy(first_audio_s=0.15, give_up_s=0.6)


@dataclass
class House:
    """Both services, and the voice made of both."""

    cartesia: Cartesia
    aura: Aura
    tts: FailoverTextToSpeech
    voices: Sequence[Voice]

    def words(self, hearing: Listener) -> str:
        return hearing.words(self.cartesia.sounds, self.aura.sounds)


class Lines:
    """Authored lines in one voice."""

    def __init__(self, sound: int) -> None:
        self._audio = ReadyAudio(mulaw=bytes([sound]) * 800)

    def ready(self, text: str) -> ReadyAudio | None:
        return self._audio if text == "Bye." else None

    async def close(self) -> None:
        return


def voice_of(name: str, port: TextToSpeech, lines: LineAudio, probe_after_s: float) -> Voice:
    policy = BreakerPolicy(probe_after_s=probe_after_s)
    return Voice(provider=Provider(name, port, probe_voice, policy), lines=lines)


@asynccontextmanager
async def house(
    first: Sequence[Connect | Say],
    second: Sequence[Connect | Say],
    *,
    policy: FailoverPolicy = QUICK,
    probe_after_s: float = 60.0,
    lines: tuple[LineAudio, LineAudio] | None = None,
    aura_first: bool = False,
    aura_ms_per_word: int = 120,
) -> AsyncIterator[House]:
    steps = (second, first) if aura_first else (first, second)
    async with cartesia(*steps[0]) as one, aura(*steps[1], ms_per_word=aura_ms_per_word) as two:
        spoken_lines = lines or (NoLines(), NoLines())
        voices = [
            voice_of(
                "cartesia",
                CartesiaTextToSpeech(api_key="k", voice_id="joe", base_url=one.url),
                spoken_lines[0],
                probe_after_s,
            ),
            voice_of(
                "aura",
                AuraTextToSpeech(api_key="k", base_url=two.url, warm=0),
                spoken_lines[1],
                probe_after_s,
            ),
        ]
        if aura_first:
            voices.reverse()
        tts = FailoverTextToSpeech(voices, policy)
        try:
            yield House(one, two, tts, voices)
        finally:
            await tts.close()


async def test_the_first_voice_speaks_alone_while_it_is_well() -> None:
    async with house([Connect(), Say(text=ONE), Say(text=TWO)], []) as home:
        hearing = await spoken(await home.tts.begin(), ONE, TWO)
        assert hearing.words(home.cartesia.sounds) == f"{ONE} {TWO}"
        assert hearing.done == [0, 1]
        assert hearing.times[1][0].word == "It"
        assert home.cartesia.cancelled == []


BEFORE_ANY_AUDIO = [
    [Connect(status=401)],
    [Connect(status=429, retry_after="9")],
    [Connect(status=500)],
    [Connect(stalls=True)],
    [Connect(), Say(text=ONE, fault=Fault(close=1011))],
    [Connect(), Say(text=ONE, fault=Fault(aborts=True))],
    [Connect(), Say(text=ONE, fault=Fault(is_silent=True))],
    [Connect(), Say(text=ONE, fault=Fault(late_s=5.0))],
    [Connect(), Say(text=ONE, fault=Fault(error="internal", status=500))],
    [Connect(), Say(text=ONE, fault=Fault(error="limit", status=429))],
    [Connect(), Say(text=ONE, fault=Fault(error="voice", status=404, is_addressed=False))],
    [Connect(), Say(text=ONE, fault=Fault(raw='{"type":"chunk","context_id":"CONTEXT","da'))],
    [Connect(), Say(text=ONE, fault=Fault(raw='{"type":"done","context_id":"CONTEXT"}'))],
]


@pytest.mark.parametrize("first", BEFORE_ANY_AUDIO)
async def test_before_any_audio_the_same_words_go_to_the_next_voice_at_once(
    first: list[Connect | Say],
) -> None:
    async with house(first, [Connect(), Say(text=ONE)]) as home:
        began_s = asyncio.get_running_loop().time()
        hearing = await spoken(await home.tts.begin(), ONE)
        assert home.words(hearing) == ONE
        assert hearing.words(home.aura.sounds) == ONE
        assert hearing.taken_back == []
        assert hearing.at_s[0] - began_s < 0.6


@pytest.mark.parametrize(
    "fault",
    [
        Fault(after_words=2, close=1011),
        Fault(after_words=2, close=1000),
        Fault(after_words=2, aborts=True),
        Fault(after_words=2, error="internal"),
        Fault(after_words=2, error="limit", status=429),
        Fault(after_words=2, raw='{"type":"chunk","context_id":"CONTEXT","data":"?"}'),
        Fault(after_words=2, raw='{"type":"chunk","context_id":"CONTEXT","data":"'),
        Fault(after_words=2, is_silent=True),
    ],
)
async def test_in_mid_utterance_the_next_voice_goes_on_with_the_next_word(fault: Fault) -> None:
    async with house(
        [Connect(), Say(text=ONE, fault=fault)],
        [Connect(), Say(text="how are you?"), Say(text=TWO)],
    ) as home:
        hearing = await spoken(await home.tts.begin(), ONE, TWO)
        assert home.words(hearing) == f"{ONE} {TWO}"
        assert hearing.words(home.aura.sounds).startswith("?1 ?2 how are you?")
        assert [back.at_ms for back in hearing.taken_back] == [200]
        assert hearing.done == [0, 1]
        told = [word.word for word in hearing.times[0]]
        assert told == ONE.split(), "who keeps account of what was heard has every word"
        assert gaps_ms(hearing) < 600


def gaps_ms(hearing: Listener) -> float:
    """The longest silence between two pieces of audio."""
    return 1000 * max(b - a for a, b in zip(hearing.at_s, hearing.at_s[1:], strict=False))


async def test_a_voice_without_word_times_is_followed_by_its_pace() -> None:
    text = "aaaa bbbb cccc dddd"
    breaks = Fault(after_words=2, close=1011, reason="NET-0000")
    async with house(
        [Connect(), Say(text=text, fault=breaks)],
        [Connect(), Say(text="cccc dddd")],
        aura_first=True,
        aura_ms_per_word=5 * 65,  # as its letters make it
    ) as home:
        hearing = await spoken(await home.tts.begin(), text)
        assert home.words(hearing) == text
        assert [word.word for word in hearing.times[0]] == text.split()


async def test_a_slow_first_byte_is_overtaken_and_the_slow_one_is_dropped() -> None:
    slow = Say(text=ONE, fault=Fault(late_s=1.0))
    async with house([Connect(), slow], [Connect(), Say(text=ONE)]) as home:
        hearing = await spoken(await home.tts.begin(), ONE)
        assert hearing.words(home.aura.sounds) == ONE
        await until(lambda: home.cartesia.cancelled)


async def test_a_first_voice_that_was_only_late_speaks_if_the_second_is_later() -> None:
    slow = Say(text=ONE, fault=Fault(late_s=0.25))
    slower = Say(text=ONE, fault=Fault(late_s=2.0))
    async with house([Connect(), slow], [Connect(), slower]) as home:
        hearing = await spoken(await home.tts.begin(), ONE)
        assert hearing.words(home.cartesia.sounds) == ONE
        await until(lambda: "Clear" in home.aura.sent)


async def test_words_that_come_while_the_voices_change_are_said_by_the_next_one() -> None:
    async with house(
        [Connect(), Say(text=ONE, fault=Fault(after_words=2, close=1011))],
        [Connect(), Say(text="how are you?", fault=Fault(late_s=0.1)), Say(text=TWO)],
    ) as home:
        speech = await home.tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await until(lambda: not home.voices[0].provider._breaker.is_closed or home.aura.sent)
        await speech.say(4, TWO)
        await speech.finish()
        await listening
        assert home.words(hearing) == f"{ONE} {TWO}"


async def test_a_model_that_takes_its_time_is_no_fault_of_the_voice() -> None:
    async with house([Connect(), Say(text=ONE), Say(text=TWO)], []) as home:
        speech = await home.tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await asyncio.sleep(QUICK.give_up_s + 0.2)
        await speech.say(1, TWO)
        await speech.finish()
        await listening
        assert hearing.words(home.cartesia.sounds) == f"{ONE} {TWO}"


async def test_when_no_voice_is_left_the_reply_fails_before_the_caller_has_waited_long() -> None:
    silent = Fault(is_silent=True)
    async with house(
        [Connect(), Say(text=ONE, fault=silent)], [Connect(), Say(text=ONE, fault=silent)]
    ) as home:
        speech = await home.tts.begin()
        await speech.say(0, ONE)
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(VendorUnavailable, match="no audio in time"):
            await Listener().listen(speech)
        assert asyncio.get_running_loop().time() - began_s < QUICK.give_up_s + 0.2
    assert FailoverPolicy().give_up_s < 3.0


async def test_two_refusals_fail_at_once() -> None:
    async with house([Connect(status=401)], [Connect(status=500)]) as home:
        speech = await home.tts.begin()
        await speech.say(0, ONE)
        with pytest.raises(VendorUnavailable, match="HTTP 500"):
            await Listener().listen(speech)


async def test_cancel_reaches_the_voice_that_speaks() -> None:
    late = Say(text=ONE, fault=Fault(after_words=1, late_s=1.0))
    async with house([Connect(), late], []) as home:
        speech = await home.tts.begin()
        await speech.say(0, ONE)
        parts = aiter(speech)
        await anext(parts)
        await speech.cancel()
        await speech.cancel()
        assert [part async for part in parts] == []
        await until(lambda: home.cartesia.cancelled)


async def test_a_broken_voice_is_asked_no_more_and_taken_back_when_a_probe_finds_it_well() -> None:
    async with house(
        [Connect(status=401), Connect(), Say(text=PROBE_TEXT), Say(text=TWO)],
        [Connect(), Say(text=ONE), Say(text=ONE)],
        probe_after_s=0.2,
    ) as home:
        await spoken(await home.tts.begin(), ONE)
        assert not home.voices[0].provider.is_well
        await spoken(await home.tts.begin(), ONE)
        await until(lambda: home.voices[0].provider.is_well)
        hearing = await spoken(await home.tts.begin(), TWO)
        assert hearing.words(home.cartesia.sounds) == TWO


async def test_a_probe_that_fails_leaves_the_voice_alone_for_longer() -> None:
    async with house(
        [Connect(status=401), Connect(status=401), Connect(), Say(text=PROBE_TEXT)],
        [Connect(), Say(text=ONE)],
        probe_after_s=0.05,
    ) as home:
        await spoken(await home.tts.begin(), ONE)
        await until(lambda: home.voices[0].provider.is_well)


async def test_a_limit_of_our_own_sends_turns_elsewhere_and_is_no_fault_of_the_voice() -> None:
    full = VendorUnavailable("cartesia", "all contexts are in use", is_full=True)
    async with house([], []) as home:
        for _ in range(5):
            home.voices[0].provider.failed(full)
        assert home.voices[0].provider.is_well


async def test_a_call_keeps_the_voice_that_it_changed_to_and_new_calls_get_the_first() -> None:
    broken = Say(text=ONE, fault=Fault(after_words=2, close=1011))
    lines = (Lines(0x01), Lines(0x02))
    async with house(
        [Connect(), broken, Connect(), Say(text=TWO)],
        [Connect(), Say(text="how are you?"), Say(text=TWO)],
        lines=lines,
    ) as home:
        call, other = home.tts.for_call(), home.tts.for_call()
        assert call.ready("Bye.") == lines[0].ready("Bye.")
        await spoken(await call.begin(), ONE)
        assert home.voices[0].provider.is_well, "once is no outage"
        assert call.ready("Bye.") == lines[1].ready("Bye."), "in the voice that is heard now"
        assert call.ready("Hello.") is None, "rather live than in the other voice"
        hearing = await spoken(await call.begin(), TWO)
        assert hearing.words(home.aura.sounds) == TWO
        assert other.ready("Bye.") == lines[0].ready("Bye.")
        hearing = await spoken(await other.begin(), TWO)
        assert hearing.words(home.cartesia.sounds) == TWO


async def test_when_no_voice_is_well_a_line_in_any_voice_is_better_than_silence() -> None:
    lines = (NoLines(), Lines(0x02))
    async with house([Connect(status=401)], [Connect(status=401)], lines=lines) as home:
        call = home.tts.for_call()
        speech = await call.begin()
        await speech.say(0, ONE)
        with pytest.raises(VendorUnavailable):
            await Listener().listen(speech)
        assert call.ready("Bye.") == lines[1].ready("Bye.")


@asynccontextmanager
async def one_voice(
    *steps: Connect | Say,
) -> AsyncIterator[tuple[Cartesia, FailoverTextToSpeech]]:
    async with cartesia(*steps) as service:
        port = CartesiaTextToSpeech(api_key="k", voice_id="joe", base_url=service.url)
        tts = FailoverTextToSpeech([voice_of("cartesia", port, NoLines(), 60.0)], QUICK)
        try:
            yield service, tts
        finally:
            await tts.close()


@pytest.mark.parametrize("fault", [Fault(after_words=2, close=1011), Fault(close=1000)])
async def test_an_only_voice_that_breaks_off_goes_on_itself_on_another_socket(fault: Fault) -> None:
    rest = " ".join(ONE.split()[fault.after_words :])
    says = (Say(text=ONE, fault=fault), Say(text=rest), Say(text=TWO))
    async with one_voice(Connect(), Connect(), *says) as (service, tts):
        hearing = await spoken(await tts.begin(), ONE, TWO)
        assert hearing.words(service.sounds) == f"{ONE} {TWO}"


@pytest.mark.parametrize("connect", [Connect(status=401), Connect(status=429, retry_after="5")])
async def test_an_only_voice_that_refuses_is_not_asked_twice(connect: Connect) -> None:
    async with one_voice(connect) as (_, tts):
        speech = await tts.begin()
        await speech.say(0, ONE)
        with pytest.raises(VendorUnavailable, match="HTTP"):
            await Listener().listen(speech)


async def test_an_only_voice_that_breaks_off_again_is_not_asked_for_ever() -> None:
    breaks = Say(text=ONE, fault=Fault(close=1011))
    async with one_voice(Connect(), breaks, Connect(), breaks) as (_, tts):
        speech = await tts.begin()
        await speech.say(0, ONE)
        with pytest.raises(VendorUnavailable, match="1011"):
            await Listener().listen(speech)
