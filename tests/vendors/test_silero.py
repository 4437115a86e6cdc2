"""The voice detector on real speech from the local voice: on, off, and where."""

from __future__ import annotations

import numpy as np
import pytest

from media_gateway.speech.ports import VoiceChange
from media_gateway.speech.silero import SileroDetectors
from rehearsal.audio import to_mulaw
from rehearsal.voice import LocalVoice


@pytest.fixture(scope="module")
def detectors() -> SileroDetectors:
    return SileroDetectors()


@pytest.fixture(scope="module")
def sentence() -> bytes:
    return to_mulaw(LocalVoice(pitch=1.15).say("We own the house since six years."))


def changes(detectors: SileroDetectors, audio: bytes, frame: int = 160) -> list[VoiceChange]:
    detector = detectors.open()
    found = []
    for at in range(0, len(audio), frame):
        found += detector.hear(audio[at : at + frame], at // 8)
    return found


def test_silence_and_hiss_are_no_speech(detectors: SileroDetectors) -> None:
    assert changes(detectors, b"\xff" * 40_000) == []
    noise = np.random.default_rng(1).normal(0, 0.003, 40_000).astype(np.float32)
    assert changes(detectors, to_mulaw(noise)) == []


def test_a_sentence_is_found_where_it_is(detectors: SileroDetectors, sentence: bytes) -> None:
    found = changes(detectors, b"\xff" * 8000 + sentence + b"\xff" * 8000)
    assert [change.speaking for change in found] == [True, False]
    end_ms = 1000 + len(sentence) / 8
    assert 900 <= found[0].at_ms <= 1250
    assert end_ms - 350 <= found[1].at_ms <= end_ms + 100


def test_the_size_of_the_messages_does_not_matter(
    detectors: SileroDetectors, sentence: bytes
) -> None:
    audio = b"\xff" * 8000 + sentence + b"\xff" * 8000
    small, large = changes(detectors, audio, 160), changes(detectors, audio, 800)
    assert [change.speaking for change in small] == [change.speaking for change in large]
    for one, other in zip(small, large, strict=True):
        assert abs(one.at_ms - other.at_ms) <= 1


def test_calls_do_not_share_their_state(detectors: SileroDetectors, sentence: bytes) -> None:
    audio = b"\xff" * 8000 + sentence + b"\xff" * 8000
    alone = changes(detectors, audio)
    one, other = detectors.open(), detectors.open()
    found = []
    for at in range(0, len(audio), 160):
        found += one.hear(audio[at : at + 160], at // 8)
        other.hear(bytes(reversed(audio[at : at + 160])), at // 8)
    assert found == alone
