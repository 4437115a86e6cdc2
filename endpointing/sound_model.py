"""Trains the sound part: log odds that a turn whose last seconds sound like this is over. Linear, and strongly held back.

There are few real pauses with known outcomes and many numbers a pause: the states are reduced to their first
directions over all audio at hand, labels apart, before a logistic regression sees any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from media_gateway.ears.features import SOUND_SHAPE

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundModel:
    """`features @ weights + bias`."""

    weights: Floats
    bias: float

    def scores(self, features: Floats) -> Floats:
        """`[N]` log odds."""
        return np.asarray(features @ self.weights + self.bias, dtype=np.float32)


def fit(
    features: Floats,
    is_end: npt.NDArray[np.bool_],
    weights: Floats,
    *,
    directions: int = 24,
    strength: float = 0.02,
    seed: int = 0,
) -> SoundModel:
    """Balanced: its score is evidence, and the share of ends is the hazard's matter.

    Args:
        features: `[N, SOUND_FEATURES]`.
        is_end: `[N]`.
        weights: `[N]`: how much each pause counts; real ones more than read-aloud ones.
        directions: of the states that are kept.
        strength: of the regression: small is held back.
        seed: of the directions' solver.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    scaled = (features - mean) / spread
    cut = features.shape[1] - SOUND_SHAPE
    reduced = PCA(directions, random_state=seed).fit(scaled[:, :cut])
    base = np.concatenate(
        ((scaled[:, :cut] - reduced.mean_) @ reduced.components_.T, scaled[:, cut:]), axis=1
    )
    size = base.std(axis=0) + 1e-6
    ends = weights[is_end].sum()
    balanced = np.where(is_end, weights / ends, weights / (weights.sum() - ends)) * len(weights) / 2
    model = LogisticRegression(C=strength, max_iter=500).fit(base / size, is_end, balanced)
    slope = model.coef_[0] / size
    full = np.concatenate((slope[:directions] @ reduced.components_, slope[directions:])) / spread
    shift = float(full @ mean) + float(slope[:directions] @ (reduced.components_ @ reduced.mean_))
    return SoundModel(
        weights=np.asarray(full, dtype=np.float32), bias=float(model.intercept_[0]) - shift
    )
