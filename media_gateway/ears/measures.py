"""PURE. What a batch of steps measures beside speech: level, clipping, DC offset, steady tones. One numpy pass for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from media_gateway.ears.levels import SILENT_DB
from media_gateway.twilio.mulaw import decode

Floats = npt.NDArray[np.float32]

DECODED: Floats = decode(bytes(range(256))).astype(np.float32) / np.float32(32768)
"""The sample of each mu-law byte, -1 to 1."""
TOP = 0.97
"""Of the scale: the last two mu-law codes."""
CLIPPED_SAMPLES = 8
SHIFTED = 0.01
"""A DC offset of -40 dBFS."""
TONE_DB = -45.0
TONE_RESIDUE = 0.02
"""What two samples of prediction leave of a steady tone's power. Speech leaves more; one step alone may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Of B steps, one list entry each."""

    level_db: list[float]
    """RMS without the DC offset, in dBFS; at least `SILENT_DB`."""
    is_clipped: list[bool]
    is_shifted: list[bool]
    is_tone: list[bool]
    """Like `is_shifted`, never where there is speech: a deep voice has both for a step."""


def measured(steps: Floats, p: Floats) -> Measures:
    """Of `[B, 256]` samples in -1..1, and p(speech) of each."""
    offset = steps.mean(axis=1)
    centred = steps - offset[:, np.newaxis]
    power = np.einsum("ij,ij->i", centred, centred) / steps.shape[1]
    level = np.maximum(10.0 * np.log10(np.maximum(power, 1e-12)), SILENT_DB)
    is_clipped = np.count_nonzero(np.abs(steps) >= TOP, axis=1) >= CLIPPED_SAMPLES
    quiet = p < 0.5
    return Measures(
        level_db=level.tolist(),
        is_clipped=is_clipped.tolist(),
        is_shifted=(quiet & (np.abs(offset) >= SHIFTED)).tolist(),
        is_tone=_tones(centred, quiet & (level > TONE_DB)).tolist(),
    )


def _tones(steps: Floats, loud: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A pure tone is what two samples of linear prediction foretell: x[n] = 2 cos(w) x[n-1] - x[n-2]."""
    is_tone = loud.copy()
    if not loud.any():
        return is_tone
    x = steps[loud]
    now, last, before = x[:, 2:], x[:, 1:-1], x[:, :-2]
    both = now + before
    share = np.einsum("ij,ij->i", both, last) / np.maximum(np.einsum("ij,ij->i", last, last), 1e-9)
    rest = both - share[:, np.newaxis] * last
    residue = np.einsum("ij,ij->i", rest, rest) / np.maximum(np.einsum("ij,ij->i", now, now), 1e-9)
    is_tone[loud] = residue < TONE_RESIDUE
    return is_tone
