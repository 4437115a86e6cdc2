"""The Deepgram adapter against a server that speaks the documented messages, and misbehaves."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection

from media_gateway.errors import VendorUnavailable
from media_gateway.speech import deepgram_stt
from media_gateway.speech.deepgram_stt import DeepgramSpeechToText
from media_gateway.speech.ports import Transcript
from tests.vendors.server import Vendor, vendor


def results(text: str, **fields: object) -> str:
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": 1.0,
            "start": 0.0,
            "is_final": False,
            "speech_final": False,
            "from_finalize": False,
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": []}]},
            "metadata": {
                "request_id": "r",
                "model_uuid": "m",
                "model_info": {"name": "n", "version": "v", "arch": "a"},
            },
            **fields,
        }
    )


async def listen(made: Vendor, socket: ServerConnection) -> None:
    await made.listen(socket)


def recogniser(made: Vendor) -> DeepgramSpeechToText:
    return DeepgramSpeechToText(api_key="secret", base_url=made.url)


async def test_the_query_and_the_key() -> None:
    async with vendor(listen) as made:
        stream = await recogniser(made).open(key_terms=["Brightfield Solar", "kilowatt"])
        await stream.close()
    query = parse_qs(urlsplit(made.paths[0]).query)
    assert urlsplit(made.paths[0]).path == "/v1/listen"
    assert (query["encoding"], query["sample_rate"]) == (["mulaw"], ["8000"])
    assert query["keyterm"] == ["Brightfield Solar", "kilowatt"]
    assert made.headers[0]["authorization"] == "Token secret"
    assert "secret" not in made.paths[0]


async def test_every_kind_of_message() -> None:
    async def speak(made: Vendor, socket: ServerConnection) -> None:
        for message in (
            '{"type": "SpeechStarted", "channel": [0], "timestamp": 0.1}',
            results("we own"),
            results("we own it", is_final=True, speech_final=True),
            '{"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": 2.1}',
            results("", is_final=True, from_finalize=True),
            "not json",
            '["a list"]',
            '{"type": "Results", "channel": {}}',
            '{"type": "Error", "code": "X"}',
            '{"type": "FromTheFuture"}',
            results("last", is_final=True),
        ):
            await socket.send(message)
        await made.listen(socket)

    heard = []
    async with vendor(speak) as made:
        stream = await recogniser(made).open()
        async for transcript in stream:
            heard.append(transcript)
            if transcript.text == "last":
                break
        await stream.close()
    assert heard == [
        Transcript(text="we own", is_final=False),
        Transcript(text="we own it", is_final=True, end_of_turn=True, until_ms=1000),
        Transcript(text="", is_final=False, end_of_turn=True),
        Transcript(text="", is_final=True, from_finalize=True, until_ms=1000),
        Transcript(text="last", is_final=True, until_ms=1000),
    ]


async def test_audio_finalize_and_close_arrive_in_order() -> None:
    async with vendor(listen) as made:
        stream = await recogniser(made).open()
        stream.send(b"a" * 160)
        stream.send(b"")  # would close the stream
        await stream.finalize()
        await made.until(lambda: made.texts)
        await stream.close()
        await stream.close()
        await made.until(lambda: len(made.texts) == 2)
    assert bytes(made.audio) == b"a" * 160
    assert [text["type"] for text in made.texts] == ["Finalize", "CloseStream"]


async def test_a_silent_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deepgram_stt, "KEEP_ALIVE_EVERY_S", 0.02)
    async with vendor(listen) as made:
        stream = await recogniser(made).open()
        await made.until(lambda: len(made.texts) >= 3)
        await stream.close()
    assert {text["type"] for text in made.texts[:3]} == {"KeepAlive"}


async def test_a_socket_that_takes_nothing_costs_the_oldest_audio_only() -> None:
    async with vendor(listen) as made:
        stream = await recogniser(made).open()
        for number in range(deepgram_stt.LONGEST_QUEUE + 50):  # without a break for the writer
            stream.send(bytes([number % 251]) * 160)
        assert stream.dropped_frames == 50
        await made.until(lambda: len(made.audio) == 160 * deepgram_stt.LONGEST_QUEUE)
        await stream.close()
    assert made.audio[0] == 50


@pytest.mark.parametrize("code", [1011, 1000])
async def test_a_stream_that_breaks_off_is_an_error(code: int) -> None:
    async def break_off(_: Vendor, socket: ServerConnection) -> None:
        await socket.close(code, "NET-0001")

    async with vendor(break_off) as made:
        stream = await recogniser(made).open()
        with pytest.raises(VendorUnavailable, match="closed"):
            async for _ in stream:
                pass
        await stream.close()


async def test_a_server_that_never_closes_is_left_within_a_second() -> None:
    left = asyncio.Event()

    async def deaf(_: Vendor, socket: ServerConnection) -> None:
        socket.transport.pause_reading()
        await left.wait()
        socket.transport.abort()

    async with vendor(deaf) as made:
        stream = await recogniser(made).open()
        began_s = time.monotonic()
        await stream.close()
        took_s = time.monotonic() - began_s
        left.set()
    assert took_s < deepgram_stt.CLOSE_WITHIN_S + 1


async def test_nobody_there_and_a_wrong_key() -> None:
    nobody = DeepgramSpeechToText(api_key="secret", base_url="ws://127.0.0.1:9")
    with pytest.raises(VendorUnavailable) as refused:
        await nobody.open()
    assert refused.value.vendor == "deepgram"
    assert "secret" not in str(refused.value)

    async def forbid(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(forbid, "127.0.0.1", 0) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(VendorUnavailable, match="HTTP 401"):
            await DeepgramSpeechToText(api_key="wrong", base_url=url).open()
