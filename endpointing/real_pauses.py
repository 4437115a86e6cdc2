"""What sound and words tell at real pauses: each meeting is judged by a sound model that never heard it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from endpointing.curves import GRID_S, Pauses
from endpointing.hazard import Hazard
from endpointing.prepare import Prepared
from endpointing.sound_model import SoundModel
from endpointing.text_examples import Example, spoken
from media_gateway.ears.features import rows
from media_gateway.ears.ports import Expectation, PauseCheck

Floats = npt.NDArray[np.float64]
Fit = Callable[[Prepared, npt.NDArray[np.bool_]], SoundModel]
FOREVER_S = 99.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Real pauses, and the scores of their sound and words."""

    pauses: Pauses
    sound: npt.NDArray[np.float32]
    text: npt.NDArray[np.float32]
    has_words: npt.NDArray[np.bool_]


class ScoresWords(Protocol):
    """What gives words their log odds."""

    def scores(self, examples: Sequence[Example]) -> npt.NDArray[np.float32]:
        """One each."""


def judge(heard: Prepared, text: ScoresWords, fit: Fit) -> Judged:
    """Scores of every pause, its own source held out of the sound model."""
    source = np.array(heard.source)
    sound = np.zeros(len(source), dtype=np.float32)
    for name in np.unique(source):
        mine = source == name
        sound[mine] = fit(heard, ~mine).scores(heard.clean.features[mine])
    examples = [
        spoken(words or "", is_end=bool(is_end), source=name)
        for name, words, is_end in zip(heard.source, heard.words, heard.is_end, strict=True)
    ]
    return Judged(
        pauses=Pauses(
            length_s=np.where(heard.is_end, FOREVER_S, heard.length_s),
            is_end=heard.is_end,
            weight=np.ones(len(source)),
            group=np.unique(source, return_inverse=True)[1].astype(np.int64),
        ),
        sound=sound,
        text=text.scores(examples),
        has_words=np.array([bool(words) for words in heard.words]),
    )


def over_time(judged: Judged, hazard: Hazard, *, words: bool, sound: bool) -> Floats:
    """`[N, GRID_S]` probabilities with or without each evidence."""
    columns = []
    for silence in GRID_S:
        checks = [
            PauseCheck(
                audio=float(judged.sound[at]) if sound else None,
                text=float(judged.text[at]) if words and judged.has_words[at] else None,
                words_are_final=True,
                words_age_ms=0,
                silence_ms=round(1000 * float(silence)),
                turn_ms=3000,
                expectation=Expectation.FREE,
            )
            for at in range(len(judged.sound))
        ]
        columns.append(hazard.p(rows(checks)))
    return np.stack(columns, axis=1).astype(np.float64)


def auc_interval(
    is_end: npt.NDArray[np.bool_],
    score: Floats,
    weight: Floats,
    group: npt.NDArray[np.int64],
    *,
    draws: int,
    seed: int,
) -> tuple[float, float, float]:
    """AUC and its 95 % interval; groups are drawn with replacement."""
    chance = np.random.default_rng(seed)
    order = np.argsort(group, kind="stable")
    names, starts = np.unique(group[order], return_index=True)
    members = np.split(order, starts[1:])
    found = []
    for _ in range(draws):
        drawn = np.concatenate([members[n] for n in chance.integers(len(names), size=len(names))])
        if is_end[drawn].any() and not is_end[drawn].all():
            found.append(roc_auc_score(is_end[drawn], score[drawn], sample_weight=weight[drawn]))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(roc_auc_score(is_end, score, sample_weight=weight)), float(low), float(high)
