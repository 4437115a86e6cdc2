"""Pauses as the ear has them: telephone channel, noise, a beginning cut anywhere; and what the sound model reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from endpointing.channel import KEPT_S, LINE_HZ, Samples, cut, resampled, telephone
from endpointing.speech_states import WINDOW, SpeechStates
from media_gateway.ears.features import LEAST_STEPS, sound_features

SHORTEST_S, LONGEST_S = 1.0, 8.0
"""Of a clip before its pause, cut at random, so that how much was said is no cue."""
EARLIER_STEPS, LATER_STEPS = 1, 2
"""How far the ear may be off the last sound."""
TOGETHER = 16

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """8 kHz samples up to just after the last sound of a pause with a known outcome."""

    source: str
    """Corpus, and who speaks: nobody is trained on and tested on."""
    before: Samples
    is_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """`features [N, SOUND_FEATURES]`, `is_end [N]`, and the clip of each row."""

    features: Floats
    is_end: npt.NDArray[np.bool_]
    clip: npt.NDArray[np.int64]


def noises(folder: Path) -> list[Samples]:
    """Every noise, at 8 kHz."""
    found = []
    for path in sorted(folder.glob("*/*.flac")):
        samples, rate = soundfile.read(path, dtype="float32")
        found.append(resampled(np.asarray(samples), rate))
    return found


def hear(
    clips: Sequence[Clip], states: SpeechStates, *, copies: int, noise: Sequence[Samples], seed: int
) -> Heard:
    """`copies` of each clip, each with its own line; with no noise and one copy, as clean as a line can be."""
    chance = np.random.default_rng(seed)
    made: list[tuple[int, Samples, int]] = []
    for number, clip in enumerate(clips):
        for copy in range(copies):
            longest = min(LONGEST_S, len(clip.before) / LINE_HZ)
            seconds = longest if copies == 1 else chance.uniform(min(SHORTEST_S, longest), longest)
            kept = clip.before[-round(seconds * LINE_HZ) :]
            last_s = len(kept) / LINE_HZ - KEPT_S
            under = noise[int(chance.integers(len(noise)))] if len(noise) and copy % 2 else None
            level = -26.0 if copies == 1 else chance.uniform(-34, -20)
            lined = telephone(cut(kept, last_s, 0.2), chance, noise=under, level_db=level)
            shift = 0 if copies == 1 else int(chance.integers(-EARLIER_STEPS, LATER_STEPS + 1))
            steps = int(np.ceil((last_s + KEPT_S) * LINE_HZ / WINDOW)) + shift
            if steps >= LEAST_STEPS:
                made.append((number, lined, steps))
    rows: list[Floats] = []
    for at in range(0, len(made), TOGETHER):
        part = made[at : at + TOGETHER]
        for (_, _, steps), frames in zip(part, states.frames([m[1] for m in part]), strict=True):
            rows.append(sound_features(frames[:steps]))
    numbers = np.array([m[0] for m in made], dtype=np.int64)
    return Heard(
        features=np.stack(rows),
        is_end=np.array([clips[n].is_end for n in numbers], dtype=np.bool_),
        clip=numbers,
    )
