"""PURE. G.711 mu-law at 8 kHz, by table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SILENCE = 0xFF
"""The mu-law byte of digital silence."""
BYTES_PER_MS = 8
FRAME_BYTES = 160
"""20 ms, the grain of a telephone stream."""

_BIAS = 0x84
_CLIP = 32_635


def _decode_table() -> npt.NDArray[np.int16]:
    codes = ~np.arange(256, dtype=np.uint8)
    exponent = (codes >> 4) & 7
    mantissa = (codes & 0x0F).astype(np.int32)
    magnitude = ((mantissa << 3) + _BIAS << exponent.astype(np.int32)) - _BIAS
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


_DECODE = _decode_table()


def decode(mulaw: bytes) -> npt.NDArray[np.int16]:
    """One int16 sample a byte."""
    return _DECODE[np.frombuffer(mulaw, dtype=np.uint8)]


def encode(samples: npt.NDArray[np.int16]) -> bytes:
    """One byte a sample."""
    wide = samples.astype(np.int32)
    sign = np.where(wide < 0, 0x80, 0).astype(np.uint8)
    magnitude = np.minimum(np.abs(wide), _CLIP) + _BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    codes: npt.NDArray[np.uint8] = ~(sign | (exponent << 4) | mantissa).astype(np.uint8)
    return codes.tobytes()
