from __future__ import annotations

import numpy as np
import pytest

from rehearsal.audio import Samples
from rehearsal.voice import LocalVoice

LEVEL_DB = -26.0


def at_level(samples: Samples, level_db: float) -> Samples:
    """The same sound, its speech this loud."""
    steps = samples[: len(samples) // 256 * 256].reshape(-1, 256)
    power = np.square(steps).mean(axis=1)
    active = power[power > power.max() / 300].mean()
    return (samples * np.float32(10 ** (level_db / 20) / np.sqrt(active))).astype(np.float32)


@pytest.fixture(scope="session")
def voice() -> LocalVoice:
    return LocalVoice(pitch=1.15)


@pytest.fixture(scope="session")
def spoken(voice: LocalVoice) -> Samples:
    """A sentence, 1.4 s."""
    return at_level(voice.say("We own the house since six years."), LEVEL_DB)


@pytest.fixture(scope="session")
def other(voice: LocalVoice) -> Samples:
    """Another."""
    return at_level(voice.say("No thank you, my neighbour has one already."), LEVEL_DB)
