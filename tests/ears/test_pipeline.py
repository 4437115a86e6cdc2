"""The batched ear on real speech, with a written clock: what is told, when, and that batches change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media_gateway.ears.measures import DECODED
from media_gateway.ears.pipeline import WAIT_S
from media_gateway.ears.ports import EarEvent
from media_gateway.ears.speech import CHUNK, LARGEST_BATCH, Floats, SpeechModel
from media_gateway.speech.ports import VoiceChange
from rehearsal.audio import Samples, to_mulaw
from tests.ears.line import Line, kinds, silence, speech_model


@pytest.fixture(scope="module")
def sentence(spoken: Samples) -> bytes:
    return to_mulaw(spoken)


@pytest.fixture(scope="module")
def another(other: Samples) -> bytes:
    return to_mulaw(other)


def heard(audio: bytes, frame: int = 160) -> list[VoiceChange]:
    line = Line()
    ear = line.open()
    line.play((ear, audio), frame=frame)
    return line.voices(ear)


def test_a_batch_answers_bit_for_bit_as_single_runs_do() -> None:
    model: SpeechModel = speech_model()
    bytes_in = np.random.default_rng(7).integers(0, 256, (6, 32, CHUNK), dtype=np.uint8)
    together = np.zeros((2, 32, 128), dtype=np.float32)
    alone = [np.zeros((2, 1, 128), dtype=np.float32) for _ in range(32)]
    for step in DECODED[bytes_in]:
        p, together = model.run(step, together)
        for n in range(32):
            p_alone, alone[n] = model.run(step[n : n + 1], alone[n])
            assert p[n] == pytest.approx(p_alone[0], abs=1e-6)
            np.testing.assert_allclose(together[:, n], alone[n][:, 0], atol=1e-5)


def test_silence_and_hiss_are_no_speech() -> None:
    assert heard(silence(5000)) == []
    noise = np.random.default_rng(1).normal(0, 0.003, 40_000).astype(np.float32)
    assert heard(to_mulaw(noise)) == []


def test_a_sentence_is_found_where_it_is(sentence: bytes) -> None:
    found = heard(silence(1000) + sentence + silence(1000))
    assert kinds(found) == [True, False]
    end_ms = 1000 + len(sentence) / 8
    assert 950 <= found[0].at_ms <= 1100
    assert end_ms - 120 <= found[1].at_ms <= end_ms + 60


def test_a_sound_is_told_within_a_sixth_of_a_second_of_its_first_and_last(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, silence(1000) + sentence + silence(1000)))
    (_, began_s, _), (_, ended_s, _) = line.told
    assert 1.0 < began_s <= 1.15
    assert ended_s - (1.0 + len(sentence) / 8000) <= 0.25


@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=30))
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_the_sizes_of_the_messages_do_not_matter(sentence: bytes, sizes: list[int]) -> None:
    audio = silence(500) + sentence + silence(500)
    expected = heard(audio)
    line, at, n = Line(), 0, 0
    ear = line.open()
    while at < len(audio):
        piece = audio[at : at + sizes[n % len(sizes)]]
        line.run_to((at + len(piece)) / 8000)
        ear.hear(piece, at // 8)
        at, n = at + len(piece), n + 1
    line.run_to(len(audio) / 8000 + 0.01)
    found = line.voices(ear)
    assert kinds(found) == kinds(expected)
    for one, other in zip(found, expected, strict=True):
        assert abs(one.at_ms - other.at_ms) <= 1


def test_calls_hear_with_others_what_they_hear_alone(sentence: bytes, another: bytes) -> None:
    one = silence(700) + sentence + silence(900)
    two = silence(333) + another + silence(777) + sentence + silence(500)
    line = Line()
    ears = [line.open() for _ in range(40)]
    line.play(*((ear, two if n % 3 else one) for n, ear in enumerate(ears)))
    for n, ear in enumerate(ears):
        assert line.voices(ear) == heard(two if n % 3 else one)


class CountingModel(SpeechModel):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []

    def run(self, chunks: Floats, state: Floats) -> tuple[Floats, Floats]:
        self.batches.append(len(chunks))
        return super().run(chunks, state)


def test_steps_of_many_calls_run_together_and_never_more_than_the_largest_batch() -> None:
    model = CountingModel()
    line = Line(speech=model)
    line.play(*((line.open(), silence(960)) for _ in range(70)))
    assert sum(model.batches) == 70 * 30
    assert max(model.batches) == LARGEST_BATCH
    assert len(model.batches) <= 30 * 3


def test_calls_in_their_own_phase_meet_in_a_batch() -> None:
    model = CountingModel()
    line = Line(speech=model)
    ears = [line.open() for _ in range(40)]
    for ms in range(960):
        line.run_to(ms / 1000)
        for n, ear in enumerate(ears):
            if ms % 20 == n % 20:
                ear.hear(silence(20), ms - ms % 20)
    line.run_to(1.0)
    assert sum(model.batches) / len(model.batches) >= 8


def test_nobody_waits_longer_than_the_batch_may(sentence: bytes) -> None:
    line = Line()
    ears = [line.open() for _ in range(8)]
    audio = silence(320) + sentence + silence(640)
    line.play(*((ear, audio) for ear in ears))
    alone = Line()
    ear = alone.open()
    alone.play((ear, audio))
    for (_, batched_s, _), (_, alone_s, _) in zip(line.told[::8], alone.told, strict=True):
        assert 0 <= batched_s - alone_s <= WAIT_S + 1e-6 <= 0.01


def test_a_closed_ear_tells_nothing_and_its_place_is_given_away(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, silence(320) + sentence[:8000]))
    assert kinds(line.voices(ear)) == [True]
    ear.close()
    ear.close()
    ear.hear(sentence, 5000)
    ear.words("yes", is_final=True)
    line.run_to(line.now_s + 1)
    assert kinds(line.voices(ear)) == [True]
    fresh = line.open()
    line.play((fresh, silence(1000)))
    assert fresh.slot == ear.slot
    assert line.voices(fresh) == []


def test_an_ear_that_is_closed_by_its_own_event_is_quiet(sentence: bytes) -> None:
    line, told = Line(), []

    def tell(event: EarEvent) -> None:
        told.append(event)
        ear.close()

    ear = line.pipeline.open(tell)
    line.play((ear, silence(320) + sentence + silence(640)))
    assert len(told) == 1


def test_a_listener_that_fails_makes_nobody_else_deaf(sentence: bytes) -> None:
    line = Line()

    def fail(event: EarEvent) -> None:
        raise RuntimeError("a bug of the session's")

    broken, well = line.pipeline.open(fail), line.open()
    audio = silence(320) + sentence + silence(640)
    line.play((broken, audio), (well, audio))
    assert kinds(line.voices(well)) == [True, False]


def test_a_call_without_audio_costs_no_timer() -> None:
    line = Line()
    ear = line.open()
    assert line.due_s is None
    line.play((ear, silence(1000)))
    assert line.due_s is None
