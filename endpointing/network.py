"""The text network, trained with numpy: word vectors and a few numbers in, one log odds out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import sparse

from media_gateway.ears.features import UNKNOWN

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Weights = dict[str, Floats]

HIDDEN = (64, 24)
BATCH, RATE, DECAY = 512, 2e-3, 2e-5
TABLE_RATE = 0.5
"""Of the rate, for word vectors: they move, but stay near the words that were never seen."""
LOST_WORDS = 0.12
"""Share of words hidden in training: names and what recognisers make up."""
LOST_CONTEXT = 0.25
"""Share of examples whose words before the last three are hidden, so that the last ones are read for themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """`ids [N, words]`, `extras [N, numbers]`, `labels [N]` 0 or 1, `weights [N]`."""

    ids: Ids
    extras: Floats
    labels: Floats
    weights: Floats


def train(table: Floats, examples: Examples, *, epochs: int, seed: int) -> Weights:
    """Minimise the weighted log loss with Adam; the same each time."""
    chance = np.random.default_rng(seed)
    weights = _initial(table, examples, chance)
    steps = epochs * (-(-len(examples.labels) // BATCH))
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    for step, rows in enumerate(_batches(len(examples.labels), epochs, chance), start=1):
        ids = _with_losses(examples.ids[rows], chance)
        slopes = _gradients(weights, ids, examples, rows)
        rate = RATE * (1 - step / (steps + 1)) * min(1.0, step / 200)
        for name, slope in slopes.items():
            first[name] += 0.1 * (slope - first[name])
            second[name] += 0.001 * (slope * slope - second[name])
            ahead = (first[name] / (1 - 0.9**step)) / (
                np.sqrt(second[name] / (1 - 0.999**step)) + 1e-8
            )
            weights[name] -= (rate * (TABLE_RATE if name == "table" else 1.0)) * ahead
            if name.startswith("w"):
                weights[name] *= 1 - rate * DECAY * 100
    return weights


def logits(weights: Weights, ids: Ids, extras: Floats) -> Floats:
    """`[N]` log odds."""
    return _forward(weights, ids, extras)[-1]


def _initial(table: Floats, examples: Examples, chance: np.random.Generator) -> Weights:
    sizes = (examples.ids.shape[1] * table.shape[1] + examples.extras.shape[1], *HIDDEN, 1)
    weights: Weights = {"table": table.copy()}
    for layer, (inputs, outputs) in enumerate(pairwise(sizes), start=1):
        spread = np.sqrt(2 / inputs)
        weights[f"w{layer}"] = (chance.standard_normal((inputs, outputs)) * spread).astype(
            np.float32
        )
        weights[f"b{layer}"] = np.zeros(outputs, dtype=np.float32)
    return weights


def _batches(count: int, epochs: int, chance: np.random.Generator) -> Iterator[Ids]:
    for _ in range(epochs):
        order = chance.permutation(count)
        for start in range(0, count, BATCH):
            yield order[start : start + BATCH]


def _with_losses(ids: Ids, chance: np.random.Generator) -> Ids:
    lost = (chance.random(ids.shape) < LOST_WORDS) & (ids > 0)
    ids = np.where(lost, UNKNOWN, ids)
    cut = (chance.random(len(ids)) < LOST_CONTEXT)[:, None] & (ids > 0)
    cut[:, -3:] = False
    return np.where(cut, UNKNOWN, ids)


def _forward(weights: Weights, ids: Ids, extras: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    said = weights["table"][ids].reshape(len(ids), -1)
    inputs = np.concatenate((said, extras), axis=1)
    one = np.maximum(inputs @ weights["w1"] + weights["b1"], 0)
    two = np.maximum(one @ weights["w2"] + weights["b2"], 0)
    return inputs, one, two, (two @ weights["w3"] + weights["b3"])[:, 0]


def _gradients(weights: Weights, ids: Ids, examples: Examples, rows: Ids) -> Weights:
    inputs, one, two, out = _forward(weights, ids, examples.extras[rows])
    error = (1 / (1 + np.exp(-out)) - examples.labels[rows]) * examples.weights[rows]
    error = (error / max(1e-6, float(examples.weights[rows].sum())))[:, None].astype(np.float32)
    to_two = (error @ weights["w3"].T) * (two > 0)
    to_one = (to_two @ weights["w2"].T) * (one > 0)
    to_said = (to_one @ weights["w1"].T)[:, : ids.shape[1] * weights["table"].shape[1]]
    flat = ids.ravel()
    spread = sparse.csr_matrix(
        (np.ones(len(flat), dtype=np.float32), flat, np.arange(len(flat) + 1)),
        shape=(len(flat), len(weights["table"])),
    )
    to_table = np.asarray(spread.T @ to_said.reshape(len(flat), -1), dtype=np.float32)
    to_table[0] = 0  # what is not there stays nothing
    return {
        "table": to_table,
        "w1": inputs.T @ to_one,
        "b1": to_one.sum(axis=0),
        "w2": one.T @ to_two,
        "b2": to_two.sum(axis=0),
        "w3": two.T @ error,
        "b3": error.sum(axis=0),
    }
