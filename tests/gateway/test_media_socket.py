"""The media socket: who may open one, and what is dropped of what comes on it."""

from __future__ import annotations

import base64
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.gateway.conftest import Gateway, Line


async def test_a_handshake_that_the_carrier_did_not_sign_is_refused_before_the_upgrade(
    gateway: Gateway,
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await gateway.connect(signature="bm90IHNpZ25lZA==")

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("token", ["", "made.up.token", "a.99999999999.b"])
async def test_a_stream_without_a_valid_token_is_closed_before_any_work(
    gateway: Gateway, token: str
) -> None:
    line = Line(await gateway.connect())
    await line.start({"call_id": "call-1", "token": token})

    await line.until(line.closed.is_set)

    assert line.socket.close_code == 1008
    assert gateway.link.attached == []
    assert gateway.recogniser.streams == []


async def test_a_token_of_another_call_is_refused(gateway: Gateway) -> None:
    line = Line(await gateway.connect())
    token = gateway.tokens.issue("call-2", now_s=time.time())
    await line.start({"call_id": "call-1", "token": token})

    await line.until(line.closed.is_set)

    assert gateway.link.attached == []


async def test_a_token_that_was_used_is_refused(gateway: Gateway) -> None:
    token = gateway.tokens.issue("call-1", now_s=time.time())
    first, second = Line(await gateway.connect()), Line(await gateway.connect())
    await first.start({"call_id": "call-1", "token": token})
    await first.until(lambda: bool(gateway.link.attached))

    await second.start({"call_id": "call-1", "token": token})

    await second.until(second.closed.is_set)
    assert second.socket.close_code == 1008
    assert not first.closed.is_set()
    await first.close()


async def test_a_stream_that_never_starts_is_closed(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media_gateway.media_socket.HANDSHAKE_S", 0.1)
    socket = await gateway.connect()

    with pytest.raises(ConnectionClosed):
        await socket.recv()

    assert socket.close_code == 1008


@pytest.mark.parametrize(
    "garbage",
    [
        "not json",
        "[]",
        '{"event":"surprise"}',
        '{"event":"media","media":{"payload":"%%%","chunk":"1","timestamp":"1"}}',
        '{"event":"media","media":{"payload":"","chunk":"1","timestamp":"1"}}',
        '{"event":"media","media":{"chunk":"-1"}}',
        '{"event":"dtmf","dtmf":{"digit":"x"}}',
        '{"event":"mark","mark":{}}',
        '{"event":"start","start":{}}',
        '{"event":"mark","streamSid":"MZ1","mark":{"name":"r1.s0.g1"}}',
        '{"event":"media","media":"' + "A" * 30_000 + '"}',
        "[" * 5000,
    ],
)
async def test_a_bad_message_is_dropped_and_the_call_goes_on(
    gateway: Gateway, garbage: str
) -> None:
    line = await gateway.stream()
    await line.send(garbage)

    (opening, *_) = await gateway.link.until_turns(1)

    assert "AI assistant" in opening.saying
    assert not line.closed.is_set()
    await line.close()


async def test_an_oversized_message_is_dropped_however_well_formed(gateway: Gateway) -> None:
    line = await gateway.stream()
    await line.until(lambda: bool(gateway.recogniser.streams))
    # The first is above the tests' limit of 20 000 characters.
    for chunk, size in ((100_001, 16_000), (100_002, 160)):
        payload = base64.b64encode(b"\x42" * size).decode()
        media = {"track": "inbound", "chunk": str(chunk), "timestamp": "0", "payload": payload}
        await line.send({"event": "media", "streamSid": "MZ1", "media": media})

    heard = gateway.recogniser.streams[0].heard
    await line.until(lambda: heard.count(0x42) >= 160)

    assert heard.count(0x42) == 160
    await line.close()


async def test_binary_frames_are_dropped(gateway: Gateway) -> None:
    line = await gateway.stream()
    await line.socket.send(b"\x00\x01")

    await gateway.link.until_turns(1)

    assert not line.closed.is_set()
    await line.close()
