"""The Cartesia adapter against a server that speaks the documented messages, and misbehaves."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from media_gateway.errors import VendorUnavailable
from media_gateway.speech import cartesia_tts
from media_gateway.speech.cartesia_tts import CartesiaSpeech, CartesiaTextToSpeech
from media_gateway.speech.ports import SegmentDone, SpokenAudio, WordTime
from tests.vendors.server import Vendor, vendor


async def speak(made: Vendor, socket: ServerConnection) -> None:
    """Every word is 100 ms of its first letter."""
    spoken_s: dict[str, float] = {}
    async for text in socket:
        request = json.loads(text)
        async with made.arrived:
            made.texts.append(request)
            made.arrived.notify_all()
        context = request["context_id"]

        async def send(kind: str, context: str = context, **fields: Any) -> None:
            await socket.send(json.dumps({"type": kind, "context_id": context, **fields}))

        words = request.get("transcript", "").split()
        at_s = spoken_s.get(context, 0.0)
        if words:
            starts = [round(at_s + 0.1 * i, 3) for i in range(len(words))]
            ends = [round(start + 0.1, 3) for start in starts]
            times = {"words": words, "start": starts, "end": ends}
            await send("timestamps", word_timestamps=times)
        for word in words:
            await send("chunk", data=base64.b64encode(word[0].encode() * 800).decode())
            spoken_s[context] = spoken_s.get(context, 0.0) + 0.1
        if request.get("flush"):
            await send("flush_done", flush_id=1)
        if request.get("continue") is False:
            await send("done", done=True)


def voice(made: Vendor) -> CartesiaTextToSpeech:
    return CartesiaTextToSpeech(api_key="secret", voice_id="joe", base_url=made.url)


async def spoken(speech: CartesiaSpeech) -> list[SpokenAudio | SegmentDone]:
    return [part async for part in speech]


async def whole_turn(speech: CartesiaSpeech, text: str) -> list[SpokenAudio | SegmentDone]:
    await speech.say(0, text)
    await speech.finish()
    return await spoken(speech)


async def test_segments_are_told_apart_and_word_times_count_from_their_own() -> None:
    async with vendor(speak) as made:
        tts = voice(made)
        speech = await tts.begin()
        await speech.say(0, "Hello there.")
        await speech.say(7, "How?")
        await speech.finish()
        parts = await spoken(speech)
        await tts.close()
    audio = {0: b"", 7: b""}
    words: dict[int, list[WordTime]] = {0: [], 7: []}
    for part in parts:
        if isinstance(part, SpokenAudio):
            audio[part.segment] += part.mulaw
            words[part.segment] += part.words
    assert audio == {0: b"H" * 800 + b"t" * 800, 7: b"H" * 800}
    assert words[0][1] == WordTime(word="there.", start_ms=100, end_ms=200)
    assert words[7] == [WordTime(word="How?", start_ms=0, end_ms=100)]
    done = [part.segment for part in parts if isinstance(part, SegmentDone)]
    assert done == [0, 7]
    first = made.texts[0]
    assert first["output_format"] == {
        "container": "raw",
        "encoding": "pcm_mulaw",
        "sample_rate": 8000,
    }
    assert made.headers[0]["x-api-key"] == "secret"
    assert "secret" not in made.paths[0]


async def test_turns_share_a_socket_and_not_their_audio() -> None:
    async with vendor(speak) as made:
        tts = voice(made)
        one, two = await tts.begin(), await tts.begin()
        await one.say(0, "aaa")
        await two.say(0, "bbb")
        await one.finish()
        await two.finish()
        first, second = await spoken(one), await spoken(two)
        await tts.close()
    assert len(made.paths) == 1
    for parts, letter in ((first, b"a"), (second, b"b")):
        heard = b"".join(part.mulaw for part in parts if isinstance(part, SpokenAudio))
        assert heard == letter * 800


async def test_cancel_stops_at_once_and_late_frames_are_dropped() -> None:
    async with vendor(speak) as made:
        tts = voice(made)
        speech = await tts.begin()
        await speech.say(0, "a b c d e f")
        parts: AsyncIterator[object] = aiter(speech)
        await anext(parts)
        await speech.cancel()
        await speech.cancel()
        left = [part async for part in parts]
        await made.until(lambda: any(text.get("cancel") for text in made.texts))
        other = await tts.begin()
        await other.say(0, "z")
        await other.finish()
        heard = await spoken(other)
        await tts.close()
    assert len(left) <= 7
    assert all(p.mulaw in (b"", b"z" * 800) for p in heard if isinstance(p, SpokenAudio))


async def test_a_dead_socket_fails_the_turn_and_the_next_one_opens_another() -> None:
    async def dies_once(made: Vendor, socket: ServerConnection) -> None:
        if len(made.paths) == 1:
            await socket.recv()
            await socket.close(1011)
            return
        await speak(made, socket)

    async with vendor(dies_once) as made:
        tts = voice(made)
        speech = await tts.begin()
        with pytest.raises(VendorUnavailable, match="socket closed"):
            await whole_turn(speech, "one")
        parts = await whole_turn(await tts.begin(), "two")
        assert any(isinstance(part, SegmentDone) for part in parts)
        await tts.close()
    assert len(made.paths) == 2


async def test_a_vendor_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(made: Vendor, socket: ServerConnection) -> None:
        await made.listen(socket)

    monkeypatch.setattr(cartesia_tts, "AUDIO_WITHIN_S", 0.1)
    async with vendor(deaf) as made:
        tts = voice(made)
        speech = await tts.begin()
        await speech.say(0, "hello")
        with pytest.raises(VendorUnavailable, match="no audio in time"):
            await spoken(speech)
        await tts.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"type": "error", "error_code": "voice_not_found", "status_code": 404}, "voice_not_found"),
        ({"type": "chunk", "data": "?"}, "malformed audio"),
        ({"type": "chunk"}, "malformed audio"),
    ],
)
async def test_what_cannot_be_spoken_is_an_error(answer: dict[str, object], reason: str) -> None:
    async def wrong(_: Vendor, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for text in socket:
                context = json.loads(text)["context_id"]
                await socket.send(json.dumps({**answer, "context_id": context}))

    async with vendor(wrong) as made:
        tts = voice(made)
        speech = await tts.begin()
        await speech.say(0, "hello")
        with pytest.raises(VendorUnavailable, match=reason):
            await spoken(speech)
        await tts.close()


async def test_nobody_there() -> None:
    tts = CartesiaTextToSpeech(api_key="secret", voice_id="joe", base_url="ws://127.0.0.1:9")
    with pytest.raises(VendorUnavailable) as refused:
        await tts.begin()
    assert "secret" not in str(refused.value)
    await tts.close()


async def test_a_bad_message_costs_itself_and_no_other_call() -> None:
    async def rambles(made: Vendor, socket: ServerConnection) -> None:
        for nonsense in ("not json", "[]", '{"type": "error", "context_id": "nobody"}'):
            await socket.send(nonsense)
        await speak(made, socket)

    async with vendor(rambles) as made:
        tts = voice(made)
        parts = await whole_turn(await tts.begin(), "one")
        await tts.close()
    assert any(isinstance(part, SegmentDone) for part in parts)
    assert len(made.paths) == 1


async def test_a_flood_ends_its_own_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def floods(made: Vendor, socket: ServerConnection) -> None:
        context = json.loads(await socket.recv())["context_id"]
        for _ in range(50):
            await socket.send(json.dumps({"type": "chunk", "data": "", "context_id": context}))
        await made.listen(socket)

    monkeypatch.setattr(cartesia_tts, "MOST_WAITING", 10)
    monkeypatch.setattr(cartesia_tts, "AUDIO_WITHIN_S", 0.2)
    async with vendor(floods) as made:
        tts = voice(made)
        speech = await tts.begin()
        await speech.say(0, "hello")
        await made.until(lambda: made.texts)
        with pytest.raises(VendorUnavailable, match="no audio in time"):
            await spoken(speech)
        await tts.close()
