"""The Aura adapter against a service that follows the documentation, and fails in every way that it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from media_gateway.errors import VendorUnavailable
from media_gateway.speech import aura_socket, aura_speech, aura_tts
from media_gateway.speech.aura_speech import LONGEST_SPEAK
from media_gateway.speech.aura_tts import AuraTextToSpeech
from tests.simulators.aura import Aura, aura
from tests.simulators.steps import Connect, Fault, Say, heard
from tests.vendors.listener import Listener, spoken
from tests.vendors.test_cartesia import ONE, TWO, failure, until


@asynccontextmanager
async def voice(
    service: Aura, *, warm: int = 0, most: int = 40, audio_within_s: float = 5.0
) -> AsyncIterator[AuraTextToSpeech]:
    tts = AuraTextToSpeech(
        api_key="secret",
        base_url=service.url,
        warm=warm,
        most=most,
        audio_within_s=audio_within_s,
    )
    try:
        yield tts
    finally:
        await tts.close()


async def test_each_sentence_is_flushed_and_its_audio_told_apart() -> None:
    async with aura(Connect(), Say(text=ONE), Say(text=TWO)) as service:
        async with voice(service) as tts:
            hearing = await spoken(await tts.begin(), ONE, TWO)
        assert hearing.words(service.sounds) == f"{ONE} {TWO}"
        assert service.sent == ["Speak", "Flush", "Speak", "Flush", "Close"]
    assert hearing.done == [0, 1]
    assert len(hearing.audio[0]) == 5 * 960
    assert not hearing.times[0], "the service tells no word times, and none are made up here"


async def test_a_socket_serves_one_turn_after_the_other_and_two_at_once_get_two() -> None:
    says = [Say(text=ONE), Say(text=TWO), Say(text=ONE)]
    async with aura(Connect(), Connect(), *says) as service, voice(service) as tts:
        await spoken(await tts.begin(), ONE)
        assert len(service.sockets) == 1
        one, two = await tts.begin(), await tts.begin()
        first, second = await asyncio.gather(spoken(one, ONE), spoken(two, TWO))
        assert first.words(service.sounds) == ONE
        assert second.words(service.sounds) == TWO


async def test_spare_sockets_are_open_before_they_are_needed_and_again_after_they_died(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aura_tts, "LOOK_EVERY_S", 0.02)
    async with aura(*[Connect()] * 3) as service, voice(service, warm=2) as tts:
        tts.keep_warm()
        await service.until(lambda: len(service.sockets) == 2)
        await service.sockets[0].close(1011, "NET-0001")
        await service.until(lambda: len(service.sockets) == 3)


async def test_a_socket_that_grew_old_is_closed_and_begins_no_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with (
        aura(Connect(), Connect(), Say(text=ONE), Say(text=TWO)) as service,
        voice(service) as tts,
    ):
        await spoken(await tts.begin(), ONE)
        monkeypatch.setattr(aura_socket, "OLDEST_S", -1.0)
        await spoken(await tts.begin(), TWO)
        await service.until(lambda: "Close" in service.sent)


async def test_what_still_comes_of_a_cancelled_turn_is_in_no_later_one() -> None:
    late = Say(text=ONE, fault=Fault(after_words=2, late_s=0.1))
    async with aura(Connect(), late, Say(text=TWO)) as service, voice(service) as tts:
        speech = await tts.begin()
        await speech.say(0, ONE)
        parts = aiter(speech)
        await anext(parts)
        await speech.cancel()
        await speech.cancel()
        assert [part async for part in parts] == []
        await until(lambda: tts._free)
        hearing = await spoken(await tts.begin(), TWO)
        assert hearing.words(service.sounds) == TWO
        assert service.sent.count("Clear") == 1


async def test_a_socket_that_does_not_clear_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aura_socket, "CLEARED_WITHIN_S", 0.05)

    async def deaf(self: object, kind: str) -> None:
        """Answers nothing."""

    async with (
        aura(Connect(), Connect(), Say(text=ONE), Say(text=TWO)) as service,
        voice(service) as tts,
    ):
        speech = await tts.begin()
        with monkeypatch.context() as patch:
            patch.setattr("tests.simulators.aura._Session._answer", deaf)
            await speech.say(0, ONE)
            await anext(aiter(speech))
            await speech.cancel()
            await until(lambda: not tts._lent)
        hearing = await spoken(await tts.begin(), TWO)
        assert hearing.words(service.sounds) == TWO


async def test_no_flush_goes_beyond_the_limit_and_every_sentence_is_spoken() -> None:
    texts = [f"Number {n}." for n in range(30)]
    says = [Say(text=text) for text in texts]
    async with aura(*[Connect()] * 2, *says) as service, voice(service) as tts:
        for at in range(0, 30, 5):
            hearing = await spoken(await tts.begin(), *texts[at : at + 5])
            assert hearing.words(service.sounds) == " ".join(texts[at : at + 5])
            assert hearing.done == [0, 1, 2, 3, 4]
        assert service.warnings == 0


async def test_sentences_are_joined_where_flushes_are_short_and_still_told_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aura_speech, "FLUSHES_KEPT", 18)
    slow = Say(text=ONE, fault=Fault(after_words=1, late_s=0.1))
    async with (
        aura(
            Connect(), slow, Say(text=TWO), Say(text=ONE), Say(text=TWO), ms_per_word=320
        ) as service,
        voice(service) as tts,
    ):
        hearing = await spoken(await tts.begin(), ONE, TWO, ONE, TWO)
        assert service.sent.count("Flush") == 3
        audio = b"".join(bytes(hearing.audio[segment]) for segment in range(4))
        assert " ".join(heard(audio, service.sounds)) == f"{ONE} {TWO} {ONE} {TWO}"
    assert hearing.done == [0, 1, 2, 3]
    lasts_ms = [len(hearing.audio[segment]) // 8 for segment in (2, 3)]
    assert lasts_ms == [26 * 65, 8 * 320 - 26 * 65], "by the letters: nothing else tells"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(after_words=2, close=1011, reason="NET-0000"), "closed with 1011 NET-0000"),
        (Fault(close=1011, reason="NET-0001"), "closed with 1011 NET-0001"),
        (Fault(after_words=1, close=1011, reason="NET-0003"), "closed with 1011 NET-0003"),
        (Fault(close=1008, reason="DATA-0001"), "closed with 1008 DATA-0001"),
        (Fault(close=1009, reason="BIG-0000"), "closed with 1009 BIG-0000"),
        (Fault(close=1003, reason="MESSAGE-0000"), "closed with 1003 MESSAGE-0000"),
        (Fault(after_words=2, aborts=True), "closed without a word"),
        (Fault(error="TTS-0000"), "TTS-0000"),
        (Fault(after_words=2, raw='{"type":"Flus'), "malformed message"),
        (Fault(after_words=2, raw="[]"), "malformed message"),
        (Fault(is_silent=True), "no audio in time"),
        (Fault(after_words=4, is_silent=True), "no audio in time"),
    ],
)
async def test_what_breaks_a_turn_off_is_named_and_the_next_turn_is_spoken(
    fault: Fault, reason: str
) -> None:
    async with (
        aura(
            *[Connect()] * (2 if fault.close or fault.aborts else 1),
            Say(text=ONE, fault=fault),
            Say(text=TWO),
        ) as service,
        voice(service, audio_within_s=0.2) as tts,
    ):
        with pytest.raises(VendorUnavailable, match=reason):
            raise await failure(tts, ONE)
        await until(lambda: not tts._lent)
        hearing = await spoken(await tts.begin(), TWO)
        assert hearing.words(service.sounds) == TWO


async def test_a_socket_that_ends_between_two_sentences_is_replaced_within_the_turn() -> None:
    async with (
        aura(Connect(), Connect(), Say(text=ONE), Say(text=TWO)) as service,
        voice(service) as tts,
    ):
        speech = await tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await until(lambda: hearing.done)
        await service.sockets[0].close(1011, "NET-0003")
        await speech.say(1, TWO)
        await speech.finish()
        await listening
        assert hearing.words(service.sounds) == f"{ONE} {TWO}"


@pytest.mark.parametrize(
    ("connect", "reason", "is_lasting", "retry_after_s"),
    [
        (Connect(status=401), "HTTP 401", True, None),
        (Connect(status=429, retry_after="7"), "HTTP 429", False, 7.0),
        (Connect(status=500), "HTTP 500", False, None),
    ],
)
async def test_a_refused_connection_says_what_to_make_of_it(
    connect: Connect, reason: str, is_lasting: bool, retry_after_s: float | None
) -> None:
    async with aura(connect) as service, voice(service) as tts:
        with pytest.raises(VendorUnavailable, match=reason) as refused:
            await tts.begin()
    assert refused.value.is_lasting is is_lasting
    assert refused.value.retry_after_s == retry_after_s


async def test_no_more_sockets_are_opened_than_the_account_allows() -> None:
    async with aura(Connect(), Say(text=ONE)) as service, voice(service, most=1) as tts:
        first = await tts.begin()
        with pytest.raises(VendorUnavailable, match="all 1 sockets"):
            await tts.begin()
        await spoken(first, ONE)
        await (await tts.begin()).cancel()


async def test_a_reply_that_runs_out_of_flushes_goes_on_with_another_socket() -> None:
    texts = [f"Number {n}." for n in range(22)]
    says = [Say(text=text) for text in texts]
    says[19] = Say(text=texts[19], fault=Fault(after_words=1, late_s=0.2))
    async with aura(*[Connect()] * 2, *says) as service, voice(service) as tts:
        speech = await tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        for n in range(20):
            await speech.say(n, texts[n])
        await until(lambda: service.sent.count("Flush") == 20 and hearing.audio.get(19))
        await speech.say(20, texts[20])
        await until(lambda: 19 in hearing.done)
        await speech.say(21, texts[21])
        await speech.finish()
        await listening
        assert service.warnings == 0
        assert hearing.words(service.sounds) == " ".join(texts)
        assert hearing.done == list(range(22))
        await until(lambda: len(tts._free) == 2 and not tts._lent)


async def test_a_text_of_the_greatest_length_is_sent_in_two() -> None:
    words = ["word"] * 399
    whole = " ".join([*words, "and", "z"])
    assert len(whole) == LONGEST_SPEAK
    async with (
        aura(Connect(), Say(text=whole[:-2]), Say(text="z")) as service,
        voice(service) as tts,
    ):
        hearing = await spoken(await tts.begin(), whole)
        assert hearing.words(service.sounds).endswith("and z")


async def test_with_all_sockets_in_use_none_that_is_of_use_is_closed_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aura_tts, "LOOK_EVERY_S", 0.01)
    async with (
        aura(*[Connect()] * 2, Say(text=ONE)) as service,
        voice(service, warm=2, most=2) as tts,
    ):
        speech = await tts.begin()
        tts.keep_warm()
        await service.until(lambda: len(service.sockets) == 2)
        await spoken(speech, ONE)
        await until(lambda: len(tts._free) == 2)
        assert "Close" not in service.sent


async def test_a_turn_that_is_cancelled_while_it_waits_for_a_socket_keeps_none() -> None:
    async with aura(Connect(), Connect(), Say(text=ONE)) as service, voice(service) as tts:
        speech = await tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await until(lambda: hearing.done)
        await service.sockets[0].close(1011, "NET-0001")
        await until(lambda: speech._socket is None)
        saying = asyncio.create_task(speech.say(1, TWO))
        await asyncio.sleep(0)
        await speech.cancel()
        with pytest.raises(VendorUnavailable, match="cancelled"):
            await saying
        await listening
        assert not tts._lent
        assert len(tts._free) == 1
