"""PURE. False cut-ins against delay: what a threshold or a timeout does to pauses whose outcome is known.

A cut-in: the endpointer fires within a pause after which the same person goes on. The delay: from the last sound to the
firing, at true ends. Both by weights, since pauses stand for more or fewer of their kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

GRID_S = np.round(np.arange(0.1, 2.01, 0.02), 2)
"""When an endpointer looks; at the last of them it gives up waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """`length_s`, `is_end`, `weight` and `group` (who is drawn together in a bootstrap), `[N]` each."""

    length_s: Floats
    is_end: npt.NDArray[np.bool_]
    weight: Floats
    group: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One setting of one endpointer."""

    setting: float
    cut_ins: float
    """Share of holds that it cuts."""
    delay_s: float


def fired_s(p: Floats, threshold: float) -> Floats:
    """`[N]`: when `p [N, GRID_S]` first reaches the threshold."""
    reached = p >= threshold
    reached[:, -1] = True
    return np.asarray(GRID_S[reached.argmax(axis=1)])


def point(pauses: Pauses, fired: Floats, setting: float) -> Point:
    """What this firing does."""
    holds, ends = ~pauses.is_end, pauses.is_end
    cut = fired < pauses.length_s
    return Point(
        setting=setting,
        cut_ins=float(np.average(cut[holds], weights=pauses.weight[holds])),
        delay_s=float(np.average(fired[ends], weights=pauses.weight[ends])),
    )


def of_model(pauses: Pauses, p: Floats, thresholds: Sequence[float]) -> list[Point]:
    """One point a threshold."""
    return [point(pauses, fired_s(p, threshold), threshold) for threshold in thresholds]


def of_timeout(pauses: Pauses, seconds: Sequence[float]) -> list[Point]:
    """One point a timeout."""
    return [point(pauses, np.full(len(pauses.length_s), s), s) for s in seconds]


def at_delay(points: Sequence[Point], delay_s: float) -> float:
    """Cut-ins at this mean delay, between the two settings next to it."""
    ordered = sorted(points, key=lambda p: p.delay_s)
    delays = np.array([p.delay_s for p in ordered])
    cuts = np.minimum.accumulate(np.array([p.cut_ins for p in ordered]))
    return float(np.interp(delay_s, delays, cuts))


THRESHOLDS = tuple(
    np.round(np.concatenate((np.linspace(0.02, 0.9, 45), np.linspace(0.91, 0.995, 18))), 4)
)
TIMEOUTS = tuple(np.round(np.arange(0.1, 2.01, 0.05), 2))


def gain(
    pauses: Pauses,
    p: Floats,
    other: Floats | None,
    delays_s: Sequence[float],
    *,
    draws: int,
    seed: int,
) -> list[tuple[float, float, float, float, float]]:
    """At each delay: cut-ins of `p`, of the other (None: the fixed timeout), the difference and its 95 % interval.

    Groups are drawn with replacement, and both endpointers are set anew on every draw.
    """
    chance = np.random.default_rng(seed)
    groups = np.unique(pauses.group)
    members = {g: np.flatnonzero(pauses.group == g) for g in groups}
    here = cuts(pauses, p, other, delays_s)
    drawn: list[Floats] = []
    for _ in range(draws):
        rows = np.concatenate([members[g] for g in chance.choice(groups, len(groups))])
        part = some(pauses, rows)
        if part.is_end.any() and not part.is_end.all():
            pair = cuts(part, p[rows], None if other is None else other[rows], delays_s)
            drawn.append(pair[0] - pair[1])
    low, high = np.quantile(np.array(drawn), (0.025, 0.975), axis=0)
    return [
        (
            float(here[0][n]),
            float(here[1][n]),
            float(here[0][n] - here[1][n]),
            float(low[n]),
            float(high[n]),
        )
        for n in range(len(delays_s))
    ]


def some(pauses: Pauses, rows: npt.NDArray[np.int64]) -> Pauses:
    """These rows of them."""
    return Pauses(
        length_s=pauses.length_s[rows],
        is_end=pauses.is_end[rows],
        weight=pauses.weight[rows],
        group=pauses.group[rows],
    )


def cuts(
    pauses: Pauses, p: Floats, other: Floats | None, delays_s: Sequence[float]
) -> tuple[Floats, Floats]:
    """Shares of holds that are cut into at these mean delays: of `p`, and of the other (None: the fixed timeout)."""
    mine = of_model(pauses, p, THRESHOLDS)
    theirs = of_timeout(pauses, TIMEOUTS) if other is None else of_model(pauses, other, THRESHOLDS)
    return (
        np.array([at_delay(mine, d) for d in delays_s]),
        np.array([at_delay(theirs, d) for d in delays_s]),
    )


def reliability(
    p: Floats, is_end: npt.NDArray[np.bool_], weight: Floats, bins: int = 10
) -> tuple[float, list[tuple[float, float, float]]]:
    """Expected calibration error, and (mean p, share of ends, weight) of each bin that is not empty."""
    rows = []
    error = 0.0
    at = np.minimum((p * bins).astype(int), bins - 1)
    for one in range(bins):
        inside = at == one
        total = float(weight[inside].sum())
        if total:
            said = float(np.average(p[inside], weights=weight[inside]))
            was = float(np.average(is_end[inside], weights=weight[inside]))
            rows.append((said, was, total / float(weight.sum())))
            error += abs(said - was) * total / float(weight.sum())
    return error, rows
