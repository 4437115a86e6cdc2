"""A stream outlives its connections: every word is told once, whenever they break; and who cannot be had back is left early."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media_gateway.speech.deepgram_listen import stream
from media_gateway.speech.deepgram_listen.options import ListenOptions
from media_gateway.speech.deepgram_listen.stream import RECONNECT_WITHIN_S
from tests.simulators.deepgram import Connection, Deepgram, deepgram
from tests.simulators.spoken import WORDS, silence, spoken
from tests.vendors.listening_in import Listened, listening, recogniser

MODELS = ("nova-3", "flux-general-en")
SENTENCE = list(range(2, 22))


def options(model: str) -> ListenOptions:
    return ListenOptions(model=model, eager_eot_threshold=0.5)


def words(numbers: list[int]) -> list[str]:
    return [WORDS[number] for number in numbers]


async def hear_all(there: Deepgram, listened: Listened, numbers: list[int]) -> None:
    """Speak, then wait for as many finished words."""
    await listened.speak(spoken(numbers) + silence(1600))
    await listened.until(
        lambda: len(listened.finals.split()) >= len(numbers) or listened.lost is not None
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("code", "reason"), [(1011, "NET-0000"), (1011, "NET-0001"), (1000, ""), (None, "")]
)
async def test_a_connection_lost_in_mid_utterance_costs_no_word(
    model: str, code: int | None, reason: str
) -> None:
    plan = (Connection(break_at_ms=1730, code=code, reason=reason), Connection())
    async with (
        deepgram(*plan) as there,
        listening(recogniser(there, options(model))) as listened,
    ):
        await hear_all(there, listened, SENTENCE)
    assert listened.finals.split() == words(SENTENCE)
    counts = listened.stt.counts
    assert (counts.reconnects, counts.audio_dropped_ms, listened.lost) == (1, 0, None)
    assert counts.reconnect_ms < 500


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_wherever_connections_break_the_words_told_are_those_spoken_each_once(
    model: str, seed: int
) -> None:
    chance = random.Random(seed)
    turns = [[chance.randrange(len(WORDS)) for _ in range(chance.randint(1, 14))] for _ in range(3)]
    plan = [
        Connection(
            break_at_ms=chance.uniform(300, 5000),
            code=chance.choice([None, 1011, 1000]),
            latency_s=chance.choice([0.0, 0.005]),
        )
        for _ in range(3)
    ]

    async def call() -> None:
        async with deepgram(*plan, Connection()) as there:
            stt = recogniser(there, options(model), silent_after_s=60)
            async with listening(stt) as listened:
                for turn in turns:
                    await listened.speak(spoken(turn), real_time=40)
                    await listened.speak(silence(chance.choice([300, 700, 1400])), real_time=40)
                    if chance.random() < 0.5:
                        await listened.stream.finalize()
                wanted = words([number for turn in turns for number in turn])
                while not there.controls or there.opened < 4:
                    await listened.speak(silence(200), real_time=40)  # the last cuts come late
                await listened.speak(silence(1600), real_time=40)
                await listened.until(lambda: len(listened.finals.split()) >= len(wanted))
                await listened.speak(silence(600), real_time=40)
            assert listened.finals.split() == wanted
            assert listened.lost is None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "KEPT_MS", 120_000)  # forty times as fast as anybody speaks
        asyncio.run(call())


@pytest.mark.parametrize("model", MODELS)
async def test_what_was_told_unfinished_is_not_taken_back_while_it_is_heard_again(
    model: str,
) -> None:
    plan = (Connection(break_at_ms=2500), Connection())
    async with (
        deepgram(*plan) as there,
        listening(recogniser(there, options(model))) as listened,
    ):
        await hear_all(there, listened, SENTENCE)
    lengths = [len(told.text.split()) for told in listened.told if told.text]
    first_final = next(i for i, told in enumerate(listened.told) if told.is_final)
    assert lengths[:first_final] == sorted(lengths[:first_final])


async def test_our_finalize_is_asked_again_of_the_next_connection() -> None:
    lost = Connection(is_silent=True, break_at_ms=1000)
    async with deepgram(lost, Connection()) as there, listening(recogniser(there)) as listened:
        await listened.speak(spoken([2, 3]) + silence(100))
        await listened.stream.finalize()
        await listened.speak(silence(800), real_time=100)
        await listened.until(lambda: listened.finals)
    assert there.controls[1][0] == "Finalize"
    assert any(told.from_finalize and told.text == "we own" for told in listened.told)


@pytest.mark.parametrize("model", MODELS)
async def test_a_socket_that_says_nothing_to_speech_is_replaced(model: str) -> None:
    plan = (Connection(is_silent=True), Connection())
    async with (
        deepgram(*plan) as there,
        listening(recogniser(there, options(model), silent_after_s=0.5)) as listened,
    ):
        await hear_all(there, listened, SENTENCE)
    assert listened.finals.split() == words(SENTENCE)
    assert listened.stt.counts.silent_sockets == 1


async def test_a_vendor_that_stays_silent_is_left() -> None:
    plan = (Connection(is_silent=True), Connection(is_silent=True))
    async with (
        deepgram(*plan) as there,
        listening(recogniser(there, silent_after_s=0.5)) as listened,
    ):
        await listened.speak(spoken(SENTENCE))
        await listened.until(lambda: listened.lost)
    assert listened.lost is not None
    assert listened.lost.reason == "silent"
    assert listened.stt.counts.given_up == 1


async def test_a_refused_connection_is_tried_again_as_long_as_that_is_of_use() -> None:
    plan = (Connection(break_at_ms=1000), Connection(refuse=500), Connection())
    async with deepgram(*plan) as there, listening(recogniser(there)) as listened:
        await hear_all(there, listened, SENTENCE)
    assert listened.finals.split() == words(SENTENCE)


@pytest.mark.parametrize(
    "refusal",
    [
        Connection(refuse=401),
        Connection(refuse=402),
        Connection(refuse=403),
        Connection(refuse=429, retry_after="30"),
    ],
)
async def test_a_refusal_that_will_not_pass_is_told_at_once(refusal: Connection) -> None:
    plan = (Connection(break_at_ms=500), refusal)
    async with deepgram(*plan) as there, listening(recogniser(there)) as listened:
        began_s = asyncio.get_running_loop().time()
        await listened.speak(spoken(SENTENCE))
        await listened.until(lambda: listened.lost)
        took_s = asyncio.get_running_loop().time() - began_s
    assert listened.lost is not None
    assert str(refusal.refuse) in listened.lost.reason
    assert took_s < RECONNECT_WITHIN_S + 1


async def test_a_short_retry_after_is_obeyed() -> None:
    plan = (Connection(break_at_ms=500), Connection(refuse=429, retry_after="1"), Connection())
    async with deepgram(*plan) as there, listening(recogniser(there)) as listened:
        await hear_all(there, listened, SENTENCE)
    assert listened.finals.split() == words(SENTENCE)
    assert listened.stt.counts.reconnect_ms >= 1000


async def test_connections_that_break_before_a_word_are_not_opened_for_ever() -> None:
    plan = [Connection(break_at_ms=20, code=1011, reason="NET-0000") for _ in range(3)]
    async with deepgram(*plan) as there, listening(recogniser(there)) as listened:
        await listened.speak(spoken(SENTENCE))
        await listened.until(lambda: listened.lost)
    assert listened.lost is not None
    assert "NET-0000" in listened.lost.reason


async def test_a_stream_closed_while_it_reconnects_ends_there() -> None:
    plan = (Connection(break_at_ms=500), Connection(stall_s=0.5))
    async with deepgram(*plan) as there:
        async with listening(recogniser(there)) as listened:
            await listened.speak(spoken(SENTENCE)[: 600 * 8])
            await there.until(lambda: there.opened == 2)
        assert listened.lost is None
