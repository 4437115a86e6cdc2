"""Sample rates and levels of the stand-ins' audio. Samples are float32 in -1..1 unless a name says otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

from media_gateway.twilio.mulaw import decode, encode

LINE_HZ = 8000
Samples = npt.NDArray[np.float32]


def resample(samples: Samples, from_hz: float, to_hz: float) -> Samples:
    """The same sound at another rate."""
    if from_hz == to_hz:
        return samples
    out: Samples = np.asarray(soxr.resample(samples, from_hz, to_hz), dtype=np.float32)
    return out


def to_mulaw(samples: Samples) -> bytes:
    """8 kHz samples as G.711 bytes."""
    pcm = np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)
    return encode(pcm)


def from_mulaw(mulaw: bytes) -> Samples:
    """G.711 bytes as 8 kHz samples."""
    return decode(mulaw).astype(np.float32) / np.float32(32768)


def level(samples: Samples) -> float:
    """Root mean square, 0 to 1."""
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0
