"""The telephone, as training sees it: band, level, codec, and a pause that gives nothing away.

Each clip is cut 20 ms after the last sound, with a fade, and has one random floor of noise over all of it: the real
pause (digital silence here, room tone there) would tell the label.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

from media_gateway.twilio.mulaw import decode, encode

LINE_HZ = 8000
Samples = npt.NDArray[np.float32]

BAND_HZ = (300, 3400)
LEVEL_DBFS = -26.0
KEPT_S = 0.02
FLOOR_DBFS = (-68.0, -52.0)
SNR_DB = (5.0, 30.0)
_BAND = signal.butter(4, BAND_HZ, btype="bandpass", fs=LINE_HZ, output="sos")


def cut(samples: Samples, at_s: float, pause_s: float) -> Samples:
    """What came before the pause that begins at `at_s`, faded out, and then nothing for `pause_s`."""
    stop = min(len(samples), round((at_s + KEPT_S) * LINE_HZ))
    kept = samples[:stop].copy()
    fade = min(len(kept), round(KEPT_S * LINE_HZ))
    kept[len(kept) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.concatenate((kept, np.zeros(round(pause_s * LINE_HZ), dtype=np.float32)))


def telephone(
    samples: Samples,
    chance: np.random.Generator,
    *,
    noise: Samples | None = None,
    level_db: float = LEVEL_DBFS,
) -> Samples:
    """The clip after a telephone line; `noise`, of any length, is laid under it at a random ratio."""
    narrow = np.asarray(signal.sosfilt(_BAND, samples), dtype=np.float32)
    loud = narrow[np.abs(narrow) > 0.1 * (np.abs(narrow).max() + 1e-9)]
    active = float(np.sqrt(np.mean(np.square(loud)))) if len(loud) else 1e-6
    narrow = narrow * np.float32(10 ** (level_db / 20) / max(active, 1e-6))
    floor = 10 ** (chance.uniform(*FLOOR_DBFS) / 20)
    narrow = narrow + chance.normal(0, floor, len(narrow)).astype(np.float32)
    if noise is not None and len(noise):
        ratio = 10 ** ((level_db - chance.uniform(*SNR_DB)) / 20)
        under = np.resize(np.roll(noise, int(chance.integers(len(noise)))), len(narrow))
        under = np.asarray(signal.sosfilt(_BAND, under), dtype=np.float32)
        narrow = narrow + under * np.float32(
            ratio / (float(np.sqrt(np.mean(np.square(under)))) + 1e-9)
        )
    pcm = np.clip(np.round(narrow * 32767), -32768, 32767).astype(np.int16)
    return decode(encode(pcm)).astype(np.float32) / np.float32(32768)


def resampled(samples: Samples, rate: int) -> Samples:
    """The same sound at 8 kHz."""
    if rate == LINE_HZ:
        return samples.astype(np.float32)
    return np.asarray(signal.resample_poly(samples, LINE_HZ, rate), dtype=np.float32)
