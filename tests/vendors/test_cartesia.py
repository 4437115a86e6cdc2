"""The Cartesia adapter against a service that follows the documentation, and fails in every way that it names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from media_gateway.errors import VendorUnavailable
from media_gateway.speech import cartesia_context, cartesia_socket, cartesia_speech, cartesia_tts
from media_gateway.speech.cartesia_tts import CartesiaTextToSpeech
from media_gateway.speech.ports import SpokenAudio, TextToSpeech, WordTime
from tests.simulators.cartesia import Cartesia, cartesia
from tests.simulators.steps import Connect, Fault, Say
from tests.vendors.listener import Listener, spoken

ONE = "Hello there, how are you?"
TWO = "It costs nothing."


@asynccontextmanager
async def voice(
    service: Cartesia, *, sockets: int = 1, most_contexts: int = 0, audio_within_s: float = 5.0
) -> AsyncIterator[CartesiaTextToSpeech]:
    tts = CartesiaTextToSpeech(
        api_key="secret",
        voice_id="joe",
        base_url=service.url,
        sockets=sockets,
        most_contexts=most_contexts,
        audio_within_s=audio_within_s,
    )
    try:
        yield tts
    finally:
        await tts.close()


async def failure(tts: TextToSpeech, *texts: str) -> VendorUnavailable:
    with pytest.raises((VendorUnavailable, ExceptionGroup)) as raised:
        await spoken(await tts.begin(), *texts)
    error: BaseException = raised.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, VendorUnavailable)
    assert "secret" not in str(error)
    return error


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


async def test_segments_are_told_apart_and_word_times_count_from_their_own() -> None:
    async with cartesia(Connect(), Say(text=ONE), Say(text=TWO)) as service:
        async with voice(service) as tts:
            hearing = await spoken(await tts.begin(), ONE, TWO)
        assert hearing.words(service.sounds) == f"{ONE} {TWO}"
    assert hearing.done == [0, 1]
    assert hearing.times[0][1] == WordTime(word="there,", start_ms=100, end_ms=200)
    assert hearing.times[1][0] == WordTime(word="It", start_ms=0, end_ms=100)


async def test_turns_share_a_socket_and_not_their_audio() -> None:
    async with cartesia(Connect(), Say(text=ONE), Say(text=TWO)) as service:
        async with voice(service) as tts:
            one, two = await asyncio.gather(
                spoken(await tts.begin(), ONE), spoken(await tts.begin(), TWO)
            )
        assert one.words(service.sounds) == ONE
        assert two.words(service.sounds) == TWO


async def test_an_account_that_needs_more_sockets_has_its_turns_spread_over_them() -> None:
    says = [Say(text=ONE)] * 4
    async with cartesia(Connect(), Connect(), *says) as service, voice(service, sockets=2) as tts:
        speeches = [await tts.begin() for _ in range(4)]
        await asyncio.gather(*(spoken(speech, ONE) for speech in speeches))
        used = [context.socket for context in service.contexts.values()]
        assert [used.count(socket) for socket in service.sockets] == [2, 2]


async def test_cancel_stops_at_once_and_what_still_comes_is_dropped() -> None:
    late = Say(text=ONE, fault=Fault(after_words=1, late_s=0.1))
    async with cartesia(Connect(), late, Say(text=TWO)) as service, voice(service) as tts:
        speech = await tts.begin()
        await speech.say(0, ONE)
        parts = aiter(speech)
        await anext(parts)
        await speech.cancel()
        await speech.cancel()
        assert [part async for part in parts] == []
        await service.until(lambda: service.cancelled)
        hearing = await spoken(await tts.begin(), TWO)
        assert hearing.words(service.sounds) == TWO
    assert len(service.cancelled) == 1


async def test_words_that_come_after_the_context_has_expired_get_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cartesia_context, "FRESH_FOR_S", 0.05)
    async with (
        cartesia(Connect(), Say(text=ONE), Say(text=TWO), expires_s=0.1) as service,
        voice(service) as tts,
    ):
        speech = await tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await until(lambda: hearing.done)
        await asyncio.sleep(0.15)
        await speech.say(1, TWO)
        await speech.finish()
        await listening
        assert hearing.words(service.sounds) == f"{ONE} {TWO}"
        assert len(service.contexts) == 2
        assert service.expired == 0, "the service was not asked in vain"
    assert hearing.times[1][0] == WordTime(word="It", start_ms=0, end_ms=100)


@pytest.mark.parametrize("expires_with", ["error", "done"])
async def test_a_context_that_expires_sooner_than_told_costs_no_word(expires_with: str) -> None:
    async with (
        cartesia(
            Connect(),
            Say(text=ONE),
            Say(text=TWO),
            Say(text=ONE),
            expires_s=0.02,
            expires_with=expires_with,
        ) as service,
        voice(service) as tts,
    ):
        speech = await tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await until(lambda: hearing.done)
        await asyncio.sleep(0.05)
        await speech.say(1, TWO)
        await speech.say(2, ONE)
        await speech.finish()
        await listening
        assert hearing.words(service.sounds) == f"{ONE} {TWO} {ONE}"
        assert len(service.contexts) == 2


async def test_a_socket_that_was_closed_while_idle_is_opened_again_before_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cartesia_tts, "REOPEN_FIRST_S", 0.01)
    async with cartesia(Connect(), Connect(), Say(text=ONE)) as service, voice(service) as tts:
        tts.keep_warm()
        await service.until(lambda: len(service.sockets) == 1)
        await service.sockets[0].close(1000, "idle")
        await service.until(lambda: len(service.sockets) == 2)
        await spoken(await tts.begin(), ONE)


async def test_a_socket_that_ends_between_two_sentences_is_replaced_within_the_turn() -> None:
    async with (
        cartesia(Connect(), Connect(), Say(text=ONE), Say(text=TWO)) as service,
        voice(service) as tts,
    ):
        speech = await tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await until(lambda: hearing.done)
        await service.sockets[0].close(1011)
        await speech.say(1, TWO)
        await speech.finish()
        await listening
        assert hearing.words(service.sounds) == f"{ONE} {TWO}"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(after_words=2, close=1011, reason="internal"), "socket closed with 1011 internal"),
        (Fault(after_words=2, close=1000), "socket closed with 1000"),
        (Fault(after_words=2, aborts=True), "socket closed without a word"),
        (Fault(error="internal", status=500), r"internal \(500\)"),
        (Fault(after_words=2, error="internal", status=500), r"internal \(500\)"),
        (Fault(error="quota", status=402), r"quota \(402\)"),
        (Fault(error="busy", status=429, is_addressed=False), r"busy \(429\)"),
        (Fault(raw='{"type":"chunk","context_id":"CONTEXT","data":"?"}'), "malformed audio"),
        (Fault(raw='{"type":"chunk","context_id":"CONTEXT"}'), "malformed audio"),
        (Fault(raw='{"type":"chunk","context_id":"CONTEXT","data":"//'), "malformed message"),
        (Fault(raw='{"type":"timestamps","context_id":"CONTEXT"}'), "malformed word times"),
        (Fault(is_silent=True), "no audio in time"),
        (Fault(after_words=3, is_silent=True), "no audio in time"),
    ],
)
async def test_what_breaks_a_turn_off_is_named_and_the_next_turn_is_spoken(
    fault: Fault, reason: str
) -> None:
    connects = [Connect()] * (2 if fault.close or fault.aborts else 1)
    async with (
        cartesia(*connects, Say(text=ONE, fault=fault), Say(text=TWO)) as service,
        voice(service, audio_within_s=0.2) as tts,
    ):
        error = await failure(tts, ONE)
        assert error.reason == error.reason.strip()
        with pytest.raises(VendorUnavailable, match=reason):
            raise error
        assert error.is_lasting == (fault.status == 402)
        hearing = await spoken(await tts.begin(), TWO)
        assert hearing.words(service.sounds) == TWO


@pytest.mark.parametrize(
    ("connect", "reason", "is_lasting", "retry_after_s"),
    [
        (Connect(status=401), "HTTP 401", True, None),
        (Connect(status=429, retry_after="7"), "HTTP 429", False, 7.0),
        (Connect(status=429, retry_after="99999"), "HTTP 429", False, 60.0),
        (Connect(status=500), "HTTP 500", False, None),
        (Connect(status=503, retry_after="soon"), "HTTP 503", False, None),
    ],
)
async def test_a_refused_connection_says_what_to_make_of_it(
    connect: Connect, reason: str, is_lasting: bool, retry_after_s: float | None
) -> None:
    async with cartesia(connect) as service, voice(service) as tts:
        with pytest.raises(VendorUnavailable, match=reason) as refused:
            await tts.begin()
    assert refused.value.is_lasting is is_lasting
    assert refused.value.retry_after_s == retry_after_s


async def test_a_handshake_that_is_never_answered_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cartesia_tts, "OPEN_WITHIN_S", 0.1)
    async with cartesia(Connect(stalls=True)) as service, voice(service) as tts:
        with pytest.raises(VendorUnavailable, match="cannot connect: TimeoutError"):
            await tts.begin()


async def test_nobody_there() -> None:
    tts = CartesiaTextToSpeech(api_key="secret", voice_id="joe", base_url="ws://127.0.0.1:9")
    with pytest.raises(VendorUnavailable, match="cannot connect"):
        await tts.begin()
    await tts.close()


async def test_no_more_turns_are_begun_than_the_account_allows() -> None:
    async with (
        cartesia(Connect(), Say(text=ONE), Say(text=ONE), most_contexts=1) as service,
        voice(service, most_contexts=1) as tts,
    ):
        first = await tts.begin()
        with pytest.raises(VendorUnavailable, match="all 1 contexts"):
            await tts.begin()
        await spoken(first, ONE)
        await spoken(await tts.begin(), ONE)


async def test_a_turn_too_many_is_told_so_and_costs_no_other_turn() -> None:
    slow = Say(text=ONE, fault=Fault(after_words=1, late_s=0.2))
    async with (
        cartesia(Connect(), slow, most_contexts=1) as service,
        voice(service) as tts,
    ):
        speaking = asyncio.create_task(spoken(await tts.begin(), ONE))
        await until(lambda: service.contexts)
        error = await failure(tts, TWO)
        assert error.reason == "concurrency_limited (429)"
        assert not error.is_lasting
        assert (await speaking).words(service.sounds) == ONE


async def test_an_error_without_an_address_leaves_a_turn_alone_that_is_heard_already() -> None:
    unaddressed = Fault(error="internal", is_addressed=False)
    slow = Say(text=ONE, fault=Fault(after_words=3, late_s=0.2))
    async with (
        cartesia(Connect(), slow, Say(text=TWO, fault=unaddressed)) as service,
        voice(service) as tts,
    ):
        speech = await tts.begin()
        hearing = Listener()
        speaking = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await until(lambda: hearing.audio)
        assert (await failure(tts, TWO)).reason == "internal (500)"
        await speech.finish()
        await speaking
        assert hearing.words(service.sounds) == ONE


async def test_nonsense_without_a_context_costs_itself_and_no_turn() -> None:
    async with cartesia(Connect(), Say(text=ONE)) as service, voice(service) as tts:
        speech = await tts.begin()
        for nonsense in ("not json", "[]", '{"type": "error", "context_id": "nobody"}', b"\x00"):
            await service.sockets[0].send(nonsense)
        hearing = await spoken(speech, ONE)
        assert hearing.words(service.sounds) == ONE


async def test_a_flood_ends_its_own_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cartesia_speech, "MOST_WAITING", 3)
    async with (
        cartesia(Connect(), Say(text=ONE)) as service,
        voice(service, audio_within_s=0.2) as tts,
    ):
        speech = await tts.begin()
        await speech.say(0, ONE)
        await until(lambda: service.contexts and not service.steps._says[ONE])
        await asyncio.sleep(0.05)
        with pytest.raises(VendorUnavailable, match="no audio in time"):
            await Listener().listen(speech)
        await speech.cancel()


async def test_a_socket_that_answers_nobody_is_dropped_with_the_turn_that_waited_for_it() -> None:
    silent = Say(text=ONE, fault=Fault(is_silent=True))
    async with (
        cartesia(Connect(), Connect(), silent, Say(text=TWO)) as service,
        voice(service, audio_within_s=0.1) as tts,
    ):
        speech = await tts.begin()
        await speech.say(0, ONE)
        await asyncio.sleep(0.1)
        await speech.cancel()
        assert tts._slots[0] is not None
        assert tts._slots[0].is_dead
        await spoken(await tts.begin(), TWO)


async def test_a_cancelled_turn_counts_against_the_account_until_the_service_is_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cartesia_socket, "EBBS_FOR_S", 0.1)
    async with (
        cartesia(Connect(), Say(text=ONE)) as service,
        voice(service, most_contexts=1) as tts,
    ):
        speech = await tts.begin()
        await speech.say(0, ONE)
        parts = aiter(speech)
        assert isinstance(await anext(parts), SpokenAudio)
        await speech.cancel()
        with pytest.raises(VendorUnavailable, match="all 1 contexts"):
            await tts.begin()
        await asyncio.sleep(0.15)
        await (await tts.begin()).cancel()


async def test_the_end_of_a_turn_is_not_told_to_a_context_that_has_expired(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cartesia_context, "FRESH_FOR_S", 0.05)
    async with cartesia(Connect(), Say(text=ONE), expires_s=0.1) as service, voice(service) as tts:
        speech = await tts.begin()
        hearing = Listener()
        listening = asyncio.create_task(hearing.listen(speech))
        await speech.say(0, ONE)
        await until(lambda: hearing.done)
        await asyncio.sleep(0.15)
        await speech.finish()
        await listening
        assert hearing.words(service.sounds) == ONE
        assert (len(service.contexts), service.expired) == (1, 0)
