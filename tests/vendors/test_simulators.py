"""The simulated services are what the vendors' own SDKs expect, and insist on their script."""

from __future__ import annotations

import pytest
from cartesia import AsyncCartesia
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.simulators.aura import aura
from tests.simulators.cartesia import FORMAT, cartesia
from tests.simulators.deepgram import Connection, deepgram
from tests.simulators.steps import Connect, Say, heard
from tests.vendors.listening_in import recogniser
from tests.vendors.test_cartesia import ONE, TWO


async def test_cartesias_sdk_speaks_with_the_simulated_service() -> None:
    async with cartesia(Connect(), Say(text=ONE)) as service:
        client = AsyncCartesia(api_key="k", websocket_base_url=service.url)
        async with client.tts.websocket_connect() as socket:
            context = socket.context(
                model_id="sonic-3",
                voice="joe",
                output_format=FORMAT,
                add_timestamps=True,
                max_buffer_delay_ms=0,
                timeout=5,
            )
            await context.push(f"{ONE} ")
            await context.no_more_inputs()
            events = [event async for event in context.receive()]
        audio = b"".join(event.audio or b"" for event in events if event.type == "chunk")
        assert " ".join(heard(audio, service.sounds)) == ONE
    assert [event.type for event in events[:2]] == ["timestamps", "chunk"]
    assert events[-1].type == "done"


async def test_deepgrams_sdk_speaks_with_the_simulated_service() -> None:
    async with aura(Connect(), Say(text=ONE)) as service:
        environment = DeepgramClientEnvironment(
            base="http://127.0.0.1", production=service.url, agent="ws://x", agent_rest="http://x"
        )
        client = AsyncDeepgramClient(api_key="k", environment=environment)
        audio = b""
        async with client.speak.v1.connect(
            model="aura-2-thalia-en", encoding="mulaw", sample_rate=8000
        ) as socket:
            await socket.send_text(SpeakV1Text(type="Speak", text=ONE))
            await socket.send_flush()
            async for message in socket:
                if isinstance(message, bytes):
                    audio += message
                elif getattr(message, "type", "") == "Flushed":
                    break
            await socket.send_close()
        assert " ".join(heard(audio, service.sounds)) == ONE


async def test_what_did_not_come_fails_the_test() -> None:
    with pytest.raises(AssertionError, match=r"did not happen: .*Connect.*text='It costs"):
        async with cartesia(Connect(), Say(text=TWO)):
            pass


async def test_what_was_not_expected_fails_the_test() -> None:
    async def comes_unasked() -> None:
        async with aura() as service:
            url = f"{service.url}/v1/speak?model=aura-2&encoding=mulaw&sample_rate=8000"
            with pytest.raises(InvalidStatus):
                await connect(url, additional_headers={"Authorization": "Token k"})

    with pytest.raises(AssertionError, match=r"not expected: .'another connection'"):
        await comes_unasked()


async def test_what_a_service_cannot_make_sense_of_fails_the_test() -> None:
    async def talks_nonsense() -> None:
        async with aura(Connect()) as service:
            url = f"{service.url}/v1/speak?model=aura-2&encoding=mulaw&sample_rate=8000"
            async with connect(url, additional_headers={"Authorization": "Token k"}) as socket:
                await socket.send(b"audio, to a voice")
                await socket.wait_closed()

    with pytest.raises(AssertionError, match="cannot make sense of"):
        await talks_nonsense()


async def test_a_recogniser_that_is_sent_nonsense_fails_the_test() -> None:
    async def talks_nonsense() -> None:
        async with deepgram() as there:
            stream = await recogniser(there).open()
            await stream._socket.send("not json")  # type: ignore[union-attr]
            await there.sockets[0].wait_closed()
            await stream.close()

    with pytest.raises(AssertionError, match="cannot make sense of"):
        await talks_nonsense()


async def test_a_break_that_was_planned_and_did_not_come_fails_the_test() -> None:
    async def ends_before() -> None:
        async with deepgram(Connection(break_at_ms=5000)) as there:
            await (await recogniser(there).open()).close()

    with pytest.raises(AssertionError, match="never broke"):
        await ends_before()


async def test_a_connection_that_was_planned_and_never_came_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="1 connections never came"):
        async with deepgram():
            pass
