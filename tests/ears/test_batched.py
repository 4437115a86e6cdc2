"""The ears on a real event loop: one timer, events within a batch's wait, nothing left behind."""

from __future__ import annotations

import asyncio

import pytest

from media_gateway.ears.batched import BatchedEars
from media_gateway.ears.ports import Ears, EndEstimate
from media_gateway.speech.ports import VoiceChange
from rehearsal.audio import Samples, to_mulaw
from tests.ears.line import RuleModel, silence, speech_model


@pytest.fixture
def ears() -> BatchedEars:
    return BatchedEars(RuleModel(), speech=speech_model())


async def test_events_come_on_the_loop_and_not_from_within_hear(
    ears: BatchedEars, spoken: Samples
) -> None:
    served: Ears = ears
    told: asyncio.Queue[object] = asyncio.Queue()
    ear = served.open(told.put_nowait)
    audio = silence(320) + to_mulaw(spoken) + silence(640)
    for at in range(0, len(audio), 160):
        ear.hear(audio[at : at + 160], at // 8)
        if at == 0:
            assert told.empty()
        await asyncio.sleep(0)
    changes = [await asyncio.wait_for(told.get(), 5) for _ in range(2)]
    assert [c.speaking for c in changes if isinstance(c, VoiceChange)] == [True, False]
    ear.words("We own the house.", is_final=True)
    assert isinstance(await asyncio.wait_for(told.get(), 5), EndEstimate)
    ear.close()
    ears.close()


async def test_a_line_that_falls_silent_ends_its_sound_by_the_clock(
    ears: BatchedEars, spoken: Samples
) -> None:
    told: asyncio.Queue[object] = asyncio.Queue()
    ear = ears.open(told.put_nowait)
    audio = silence(320) + to_mulaw(spoken)[:8000]
    for at in range(0, len(audio), 160):
        ear.hear(audio[at : at + 160], at // 8)
        await asyncio.sleep(0)
    last = None
    while not (isinstance(last, VoiceChange) and not last.speaking):
        last = await asyncio.wait_for(told.get(), 5)
    assert ears.counts.starved == 1
    ears.close()
    ears.close()


async def test_closing_leaves_no_timer(ears: BatchedEars, spoken: Samples) -> None:
    told: list[object] = []
    ear = ears.open(told.append)
    ear.hear(to_mulaw(spoken)[:8000], 0)
    ears.close()
    ear.hear(to_mulaw(spoken)[:8000], 1000)
    for _ in range(50):
        await asyncio.sleep(0)
    assert told == []
