"""PURE. Fits a `Head` to labelled turns, and tells how well it does on turns that it was not fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from media_gateway.routing.head import Floats, Head, quantiles_of

RANK = 8
STEPS = 600
RATE = 0.03
DECAY = 2e-2
"""L2 on everything but the bias: a few hundred turns in 385 dimensions can be told apart by chance."""
FOLDS = 5
SEED = 7
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A trained head and what is known of it."""

    head: Head
    turns: int
    strong_turns: int
    auc: float
    """Chance that a strong turn scores above a fast one; of turns that the fit had not seen, nor their group."""
    auc_of_length: float
    """The same of the number of words alone: what the embedding has to beat."""
    accuracy: float
    """At even odds, of the same turns."""


def fit(
    prompts: Floats, is_strong: Sequence[bool], groups: Sequence[str], calibration: Floats | None
) -> Fitted:
    """Fit to all turns, after a trial on each fifth of the groups that it was not fitted to.

    `prompts`: `[n, 385]`, see `features`. `groups`: turns of one group are never on both sides of a trial. `calibration`:
    of the turns whose share is to be strong; None: the labelled ones, by the win rates that they had unseen.

    Raises ValueError when one of the two labels is missing, or there are too few groups.
    """
    labels = np.array(is_strong, dtype=np.float64)
    folds = np.array([crc32(group.encode()) % FOLDS for group in groups])
    unseen = np.empty(len(labels))
    for fold in range(FOLDS):
        out = folds == fold
        if out.any():
            _refuse_one_sided(labels[~out])
            head = _head(prompts[~out], labels[~out])
            unseen[out] = [head.win_rate(prompt) for prompt in prompts[out]]
    _refuse_one_sided(labels)
    head = _head(prompts, labels)
    if calibration is not None:
        rates: npt.ArrayLike = [head.win_rate(prompt) for prompt in calibration]
    else:
        rates = unseen
    return Fitted(
        head=Head(
            projection=head.projection,
            strong=head.strong,
            fast=head.fast,
            bias=head.bias,
            quantiles=quantiles_of(rates),
        ),
        turns=len(labels),
        strong_turns=int(labels.sum()),
        auc=auc(unseen, labels),
        auc_of_length=auc(prompts[:, -1].astype(np.float64), labels),
        accuracy=float(((unseen >= 0.5) == (labels == 1)).mean()),
    )


def auc(scores: Doubles, labels: Doubles) -> float:
    """Area under the curve; ties count half."""
    strong, fast = scores[labels == 1], scores[labels == 0]
    above = (strong[:, None] > fast[None, :]).mean()
    ties = (strong[:, None] == fast[None, :]).mean()
    return float(above + ties / 2)


def _head(prompts: Floats, labels: Doubles) -> Head:
    """Logistic loss, all turns at once, Adam: a second for a few hundred turns."""
    chance = np.random.default_rng(SEED)
    dimensions = prompts.shape[1]
    values = {
        "projection": chance.normal(0, 1 / np.sqrt(dimensions), (RANK, dimensions)),
        "strong": chance.normal(0, 0.1, RANK),
        "fast": chance.normal(0, 0.1, RANK),
        "bias": np.zeros(1),
    }
    first = {name: np.zeros_like(value) for name, value in values.items()}
    second = {name: np.zeros_like(value) for name, value in values.items()}
    weights = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    for step in range(1, STEPS + 1):
        between = values["strong"] - values["fast"]
        projected = prompts @ values["projection"].T
        rates = 1 / (1 + np.exp(-(projected @ between + values["bias"][0])))
        pull = weights * (rates - labels) / len(labels)
        slopes = {
            "projection": np.outer(between, pull @ prompts),
            "strong": pull @ projected,
            "fast": -(pull @ projected),
            "bias": np.array([pull.sum()]),
        }
        for name, slope in slopes.items():
            grown = slope + (DECAY * values[name] if name != "bias" else 0)
            first[name] = 0.9 * first[name] + 0.1 * grown
            second[name] = 0.999 * second[name] + 0.001 * grown**2
            by = first[name] / (1 - 0.9**step) / (np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8)
            values[name] = values[name] - RATE * by
    return Head(
        projection=values["projection"].astype(np.float32),
        strong=values["strong"].astype(np.float32),
        fast=values["fast"].astype(np.float32),
        bias=float(values["bias"][0]),
        quantiles=quantiles_of([0.0, 1.0]),
    )


def _refuse_one_sided(labels: Doubles) -> None:
    if not 0 < labels.sum() < len(labels):
        raise ValueError(
            "needs turns of both labels, `fast` and `strong`, in several groups: add some of what is missing"
        )
