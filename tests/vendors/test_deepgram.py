"""The Nova adapter against a simulator that recognises what it is sent, and misbehaves as planned."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
import structlog

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.deepgram_listen import stream as stream_module
from media_gateway.speech.deepgram_stt import DeepgramSpeechToText
from media_gateway.speech.ports import Transcript
from media_gateway.speech.vendor_socket import CLOSE_WITHIN_S
from tests.simulators.deepgram import Connection, deepgram
from tests.simulators.deepgram_nova import NovaRecogniser, results
from tests.simulators.spoken import WORDS, Heard, silence, spoken
from tests.vendors.listening_in import listening, recogniser
from tests.vendors.server import Vendor, vendor
from tests.vendors.test_cartesia import until

SENTENCE = [2, 3, 4, 5, 6]
WE_OWN_IT = " ".join(WORDS[number] for number in SENTENCE)


async def test_what_is_asked_for() -> None:
    async with deepgram(Connection(controls=("CloseStream",))) as there:
        await (await recogniser(there).open(key_terms=["Brightfield Solar", "kilowatt"])).close()
    asked = there.queries[0]
    assert there.paths == ["/v1/listen"]
    assert there.keys == ["Token secret"]
    assert [value for name, value in asked if name == "keyterm"] == [
        "Brightfield Solar",
        "kilowatt",
    ]
    assert {"interim_results": "true", "endpointing": "500", "model": "nova-3"}.items() <= dict(
        asked
    ).items()


async def test_words_come_unfinished_then_finished_with_the_end_of_the_turn() -> None:
    async with deepgram() as there, listening(recogniser(there)) as listened:
        await listened.speak(spoken(SENTENCE) + silence(600))
        await listened.until(lambda: listened.finals)
    interims = [told.text for told in listened.told if not told.is_final]
    assert interims
    assert all(not told.end_of_turn for told in listened.told[: len(interims)])
    final = listened.told[len(interims)]
    assert (final.text, final.end_of_turn, final.from_finalize) == (WE_OWN_IT, True, False)
    assert final.until_ms == pytest.approx(len(spoken(SENTENCE)) / 8 - 40 + 500, abs=20)


async def test_our_own_end_of_speech_finishes_the_words_and_is_no_belief_of_the_vendor() -> None:
    async with (
        deepgram(Connection(controls=("Finalize", "CloseStream"))) as there,
        listening(recogniser(there)) as listened,
    ):
        await listened.speak(spoken(SENTENCE) + silence(200))
        await listened.stream.finalize()
        await listened.until(lambda: listened.finals)
    assert listened.told[-1].from_finalize
    assert not listened.told[-1].end_of_turn
    assert listened.finals == WE_OWN_IT


async def test_finalize_comes_behind_the_audio_that_was_sent_before_it() -> None:
    async with deepgram() as there, listening(recogniser(there)) as listened:
        for _ in range(20):  # one go: the writer has not had the loop yet
            listened.stream.send(spoken([2]))
        await listened.stream.finalize()
        listened.stream.send(spoken([9]))
        await listened.until(lambda: any(told.from_finalize for told in listened.told))
    assert listened.finals.split() == ["we"] * 20


async def test_a_stream_without_audio_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "KEEP_ALIVE_AFTER_S", 0.02)
    monkeypatch.setattr(stream_module, "TICK_S", 0.01)
    async with deepgram() as there, listening(recogniser(there)):
        await there.until(lambda: there.controls and len(there.controls[0]) >= 3)
    assert set(there.controls[0]) == {"KeepAlive", "CloseStream"}


async def test_an_empty_frame_is_never_sent() -> None:
    async with deepgram() as there, listening(recogniser(there)) as listened:
        listened.stream.send(b"")
        await listened.speak(spoken(SENTENCE) + silence(600))
        await listened.until(lambda: listened.finals)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_lasting"), [(401, True), (402, True), (403, True), (429, False), (500, False)]
)
async def test_a_refusal_says_whether_to_try_again(status: int, is_lasting: bool) -> None:
    async with deepgram(Connection(refuse=status)) as there:
        stt = recogniser(there)
        with pytest.raises(VendorUnavailable, match=f"HTTP {status}") as refused:
            await stt.open()
    assert refused.value.is_lasting is is_lasting
    assert refused.value.vendor == "deepgram"
    assert "secret" not in str(refused.value)
    assert stt.counts.refused == 1


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        ("99999", 60.0),
        ("inf", 60.0),
        ("nan", None),
        ("soon", None),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0.0),
        ("Wed, 01 Jan 2200 00:00:00 GMT", 60.0),
    ],
)
async def test_a_busy_account_says_how_long(retry_after: str, seconds: float | None) -> None:
    async with deepgram(Connection(refuse=429, retry_after=retry_after)) as there:
        with pytest.raises(VendorUnavailable) as refused:
            await recogniser(there).open()
    assert refused.value.retry_after_s == seconds


async def test_nobody_there() -> None:
    stt = DeepgramSpeechToText(api_key="secret", base_url="ws://127.0.0.1:9")
    with pytest.raises(VendorUnavailable, match="not reached"):
        await stt.open()


async def test_a_handshake_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media_gateway.speech.deepgram_stt.OPEN_WITHIN_S", 0.1)
    async with deepgram(Connection(stall_s=1.0)) as there:
        with pytest.raises(VendorUnavailable, match="TimeoutError"):
            await recogniser(there).open()


# --- what is wrong on the way ------------------------------------------------------------------------


async def test_messages_that_make_no_sense_are_counted_and_logged_without_words() -> None:
    broken = (
        results([Heard(text="private", begin_ms=0, end_ms=1, is_over=True)], 0, 10)[:-30],
        '["private"]',
        '{"type": "Results", "channel": {}, "secretly": "private"}',
        '{"type": "Results", "start": "private", "duration": {}}',
        '{"no type": "private"}',
        '{"type": "Error", "variant": "SchemaError", "description": "private", "message": "private"}',
        '{"type": "FromTheFuture", "text": "private"}',
    )
    with structlog.testing.capture_logs() as logs:
        async with (
            deepgram(Connection(says_first=broken)) as there,
            listening(recogniser(there)) as listened,
        ):
            await listened.speak(spoken(SENTENCE) + silence(600))
            await listened.until(lambda: listened.finals)
    assert listened.finals == WE_OWN_IT
    assert (listened.stt.counts.malformed, listened.stt.counts.complaints) == (5, 1)
    assert "private" not in str(logs)
    assert "SchemaError" in str(logs)


async def test_a_final_out_of_order_is_told_once_and_counted() -> None:
    def final(word: str, begin_ms: int, end_ms: int) -> str:
        heard = Heard(text=word, begin_ms=begin_ms, end_ms=end_ms, is_over=True)
        return results([heard], begin_ms, end_ms, is_final=True)

    plan = Connection(says_first=(final("second", 1000, 2000), final("first", 0, 1000)))
    async with deepgram(plan) as there, listening(recogniser(there)) as listened:
        await listened.until(lambda: len(listened.told) == 2)
    assert listened.finals == "second first"
    assert listened.stt.counts.late == 1


async def test_an_interim_that_comes_after_its_final_is_not_told_again() -> None:
    def said(word: str, end_ms: int, **flags: bool) -> str:
        heard = Heard(text=word, begin_ms=0, end_ms=end_ms, is_over=True)
        return results([heard], 0, end_ms, **flags)

    plan = Connection(says_first=(said("first", 1000, is_final=True), said("fir", 800)))
    async with deepgram(plan) as there, listening(recogniser(there)) as listened:
        await listened.until(lambda: listened.told)
        await until(lambda: listened.stt.counts.late)
    assert [told.text for told in listened.told] == ["first"]


async def test_a_final_that_cannot_be_read_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = NovaRecogniser._final
    spoiled: list[str] = []

    def spoil_first(self: NovaRecogniser, *arguments: Any, **flags: Any) -> str:
        text = whole(self, *arguments, **flags)
        if spoiled:
            return text
        spoiled.append(text)
        return text[:-40]

    monkeypatch.setattr(NovaRecogniser, "_final", spoil_first)
    numbers = list(range(2, 22))
    async with (
        deepgram(Connection(), Connection()) as there,
        listening(recogniser(there)) as listened,
    ):
        await listened.speak(spoken(numbers) + silence(1600))
        await listened.until(lambda: len(listened.finals.split()) >= len(numbers))
    assert listened.finals.split() == [WORDS[number] for number in numbers]
    assert listened.stt.counts.malformed == 1


async def test_times_that_are_rounded_up_cost_no_connection() -> None:
    async with deepgram() as there, listening(recogniser(there)) as listened:
        listened.stream.send(silence(20))
        await there.until(lambda: there.audio_ms[0] == 20)
        listened.stream.send(silence(20))
        listened.stream._read(results([], 0, 21, is_final=True))  # the writer had no turn yet
        await there.until(lambda: there.audio_ms[0] == 40)
        await listened.speak(spoken(SENTENCE) + silence(600))
        await listened.until(lambda: listened.finals)
    assert listened.stt.counts.reconnects == 0


async def test_speech_that_comes_all_at_once_may_be_answered_in_its_own_time() -> None:
    async with (
        deepgram(Connection(latency_s=0.6)) as there,
        listening(recogniser(there)) as listened,
    ):
        listened.stream.send(spoken(list(range(2, 22))))
        await listened.until(lambda: listened.told)
    assert listened.stt.counts.silent_sockets == 0


async def test_a_slow_recogniser_is_waited_for() -> None:
    async with (
        deepgram(Connection(latency_s=0.3)) as there,
        listening(recogniser(there)) as listened,
    ):
        await listened.speak(spoken(SENTENCE) + silence(600))
        await listened.until(lambda: listened.finals)
    assert listened.stt.counts.reconnects == 0


async def test_audio_that_cannot_be_decoded_is_not_sent_again() -> None:
    plan = Connection(break_at_ms=20, code=1008, reason="DATA-0000")
    async with deepgram(plan) as there, listening(recogniser(there)) as listened:
        await listened.speak(spoken(SENTENCE))
        await listened.until(lambda: listened.lost)
    assert listened.lost is not None
    assert listened.lost.is_lasting
    assert "DATA-0000" in listened.lost.reason


async def test_a_server_that_never_closes_is_left_within_a_second() -> None:
    left = asyncio.Event()

    async def deaf(_: Vendor, socket: object) -> None:
        socket.transport.pause_reading()  # type: ignore[attr-defined]
        await left.wait()
        socket.transport.abort()  # type: ignore[attr-defined]

    async with vendor(deaf) as made:
        stream = await DeepgramSpeechToText(api_key="secret", base_url=made.url).open()
        began_s = time.monotonic()
        await stream.close()
        await stream.close()
        took_s = time.monotonic() - began_s
        left.set()
    assert took_s < CLOSE_WITHIN_S + 1


async def test_nothing_of_a_closed_stream_lives_on() -> None:
    async with deepgram() as there:
        async with listening(recogniser(there)) as listened:
            await listened.speak(spoken(SENTENCE))
        await asyncio.sleep(0)
        assert not any(task.get_name() == "deepgram write" for task in asyncio.all_tasks())
        listened.stream.send(b"a" * 160)  # a late frame


def test_the_port_is_as_it_was_for_other_recognisers() -> None:
    assert Transcript(text="yes", is_final=True) == Transcript(
        text="yes",
        is_final=True,
        end_of_turn=False,
        from_finalize=False,
        until_ms=None,
        eager_end_of_turn=False,
    )


def test_results_are_what_the_sdk_reads() -> None:
    from deepgram.listen.v1.types import ListenV1Results

    message = json.loads(results([], 0, 10, is_final=True))
    assert ListenV1Results.model_validate(message).is_final
