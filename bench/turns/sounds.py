"""The callers' sounds: utterances in several voices with the times of their words, coughs and barks, noise behind them.

Speech is made once and kept in `out/bench/voices`. Noises are ESC-10's, from the folder that CALLSPINE_BENCH_NOISE names.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import numpy as np

from bench.turns.utterances import Utterance
from rehearsal.audio import LINE_HZ, Samples, level, resample
from rehearsal.shelf import Shelf
from rehearsal.voice import LocalVoice

VOICES = Path("out/bench/voices")
NOISE_VARIABLE = "CALLSPINE_BENCH_NOISE"
PITCHES = (1.0, 1.12, 0.92)
SPEECH_RMS = 0.06
"""-24 dBFS, what a telephone's speech is about."""
NOISE_UNDER_SPEECH_DB = 20.0
HUSH = 0.006
"""Root mean square of 10 ms that is no sound any more."""
OVER_THE_AGENT = ("person_sneeze", "dog_bark", "baby_cry")
BEHIND_THE_CALLER = ("rain", "sea_waves", "helicopter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of the caller's, in ms from the sound's beginning."""

    text: str
    start_ms: int
    end_ms: int
    ends_part: bool = False
    is_whole: bool = True
    """What was said up to it could be a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Something that a caller lets be heard."""

    samples: Samples
    words: tuple[Word, ...]
    parts_ms: tuple[tuple[int, int], ...]
    """First and last sound of each part."""


class Sounds:
    """Makes and keeps them."""

    def __init__(self) -> None:
        self._voices: dict[float, LocalVoice] = {}

    def utterance(self, utterance: Utterance, pitch: float) -> Sound:
        """Speech with its pauses, to the millisecond."""
        pieces: list[Samples] = []
        words: list[Word] = []
        parts: list[tuple[int, int]] = []
        at_ms = 0
        for number, text in enumerate(utterance.parts):
            samples = _trimmed(self._say(text, pitch))
            ms = len(samples) * 1000 // LINE_HZ
            pause = utterance.pauses[number] if number < len(utterance.pauses) else None
            words += _words(text, at_ms, ms, is_whole=pause is None or pause.is_whole)
            parts.append((at_ms, at_ms + ms))
            pieces.append(samples)
            at_ms += ms
            if pause is not None:
                pieces.append(np.zeros(pause.ms * LINE_HZ // 1000, dtype=np.float32))
                at_ms += pause.ms
        return Sound(samples=np.concatenate(pieces), words=tuple(words), parts_ms=tuple(parts))

    def noise(self, chance: random.Random) -> tuple[str, Sound]:
        """A sneeze, a bark or a cry of 0.3 to 1.2 s, as loud as speech."""
        kind = chance.choice(OVER_THE_AGENT)
        path = chance.choice(_clips(kind))
        longest = chance.randrange(300, 1200)
        samples = _trimmed(_loudest(_clip(path), longest))
        samples = samples * np.float32(SPEECH_RMS / max(1e-6, level(samples)))
        ms = len(samples) * 1000 // LINE_HZ
        return kind, Sound(samples=samples, words=(), parts_ms=((0, ms),))

    def background(self, chance: random.Random) -> Samples:
        """Five seconds, to be repeated behind a caller."""
        samples = _clip(chance.choice(_clips(chance.choice(BEHIND_THE_CALLER))))
        wanted = SPEECH_RMS * 10 ** (-NOISE_UNDER_SPEECH_DB / 20)
        return samples * np.float32(wanted / max(1e-6, level(samples)))

    def _say(self, text: str, pitch: float) -> Samples:
        shelf = Shelf(VOICES / f"{pitch:.2f}")
        kept = shelf.get(text)
        if kept is None:
            if pitch not in self._voices:
                self._voices[pitch] = LocalVoice(pitch=pitch)
            kept = shelf.put(text, self._voices[pitch].say(text))
        return kept * np.float32(SPEECH_RMS / max(1e-6, level(kept)))


def _words(text: str, at_ms: int, ms: int, *, is_whole: bool) -> list[Word]:
    """Spread over the part by their letters; the first begins and the last ends where the sound does."""
    words = text.split()
    per_letter = ms / sum(len(word) + 1 for word in words)
    found, start = [], float(at_ms)
    for number, word in enumerate(words):
        end = start + (len(word) + 1) * per_letter
        is_last = number == len(words) - 1
        found.append(
            Word(
                text=word,
                start_ms=round(start),
                end_ms=at_ms + ms if is_last else round(end),
                ends_part=is_last,
                is_whole=is_whole or not is_last,
            )
        )
        start = end
    return found


def _trimmed(samples: Samples) -> Samples:
    """From the first to the last 10 ms that can be heard."""
    step = LINE_HZ // 100
    loud = [at for at in range(0, len(samples), step) if level(samples[at : at + step]) >= HUSH]
    return samples[loud[0] : loud[-1] + step] if loud else samples


def _loudest(samples: Samples, ms: int) -> Samples:
    count = ms * LINE_HZ // 1000
    if len(samples) <= count:
        return samples
    energy = np.convolve(np.square(samples), np.ones(count), mode="valid")
    at = int(np.argmax(energy))
    return samples[at : at + count]


@lru_cache
def _clips(kind: str) -> list[Path]:
    folder = Path(os.environ.get(NOISE_VARIABLE, "../shared/data/noise")) / kind
    clips = sorted(folder.glob("*.flac"))
    if not clips:
        raise FileNotFoundError(
            f"{folder} holds no *.flac: set {NOISE_VARIABLE} to a folder with ESC-10's classes as folders"
        )
    return clips


@lru_cache
def _clip(path: Path) -> Samples:
    with av.open(str(path)) as file:
        rate = file.streams.audio[0].rate
        frames = [frame.to_ndarray() for frame in file.decode(audio=0)]
    whole = np.concatenate(frames, axis=1)
    scale = {"i": 2 ** (8 * whole.dtype.itemsize - 1)}.get(whole.dtype.kind, 1)
    mono = whole.mean(axis=0).astype(np.float32) / np.float32(scale)
    return resample(mono, float(rate or LINE_HZ), LINE_HZ)
