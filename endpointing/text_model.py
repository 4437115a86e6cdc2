"""Trains the text part: log odds that these words are a whole answer to that question, at a pause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from endpointing import data, vocabulary
from endpointing.dialogues import Turn, of_dialogues, of_queries
from endpointing.network import Examples, Floats, Weights, logits, train
from endpointing.phrases import OpenEnd, phrases
from endpointing.text_examples import Example, of_open_ends, of_turns
from media_gateway.ears.features import text_inputs

EPOCHS = 3
SUREST = 6.0
"""Log odds; nothing in words is surer, so that even after "um" two seconds of silence count."""
QUERIES_WEIGHT, PHRASES_WEIGHT, AGENTS_WEIGHT = 0.4, 0.7, 0.2
"""Queries are many and of one kind; phrases are ours, and fillings of one template are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextModel:
    """Words in the order of their ids, and the network's weights."""

    words: list[str]
    weights: Weights

    @property
    def ids(self) -> dict[str, int]:
        """A word's id."""
        return {word: at for at, word in enumerate(self.words)}

    def scores(self, examples: Sequence[Example]) -> Floats:
        """`[N]` log odds."""
        seen = inputs(examples, self.ids)
        return np.clip(logits(self.weights, seen.ids, seen.extras), -SUREST, SUREST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that is trained on, before it is cut into prefixes."""

    dialogues: list[Turn]
    queries: list[Turn]
    agents: list[Turn]
    """What the other side says: more sentences, if not a caller's."""
    phrases: list[Turn]
    open_ends: list[OpenEnd]

    def examples(self, *, held_out: bool, varied: bool) -> list[Example]:
        """Of the dialogues that are (not) held out; our own phrases are always trained on, and probes test them."""
        parts = ((self.dialogues, 1.0), (self.queries, QUERIES_WEIGHT))
        found = [
            example
            for turns, weight in parts
            for example in of_turns(
                (turn for turn in turns if turn.is_held_out is held_out),
                varied=varied,
                source_weight=weight,
            )
        ]
        if held_out:
            return found
        own = of_turns(self.phrases, varied=varied, source_weight=PHRASES_WEIGHT)
        others = of_turns(self.agents, varied=varied, source_weight=AGENTS_WEIGHT)
        return found + own + others + of_open_ends(self.open_ends)


def read(folder: Path) -> Told:
    """From ../shared/data or the like; DataMissing was asked for before."""
    turns, open_ends = phrases()
    return Told(
        dialogues=of_dialogues(folder / data.TASKMASTER.path, "taskmaster"),
        agents=[
            turn
            for turn in of_dialogues(folder / data.TASKMASTER.path, "taskmaster", of_user=False)
            if not turn.is_held_out
        ],
        queries=of_queries(folder / data.CLINC.path),
        phrases=turns,
        open_ends=open_ends,
    )


def inputs(examples: Sequence[Example], ids: Mapping[str, int]) -> Examples:
    """What the network takes."""
    pairs = [text_inputs(e.words, e.question, e.expectation, ids) for e in examples]
    return Examples(
        ids=np.stack([pair[0] for pair in pairs]),
        extras=np.stack([pair[1] for pair in pairs]),
        labels=np.array([e.is_end for e in examples], dtype=np.float32),
        weights=np.array([e.weight for e in examples], dtype=np.float32),
    )


def fit(examples: Sequence[Example], *, epochs: int = EPOCHS) -> TextModel:
    """Train on these."""
    words, table = vocabulary.build(e.words for e in examples if e.is_end)
    model = TextModel(words=words, weights={})
    weights = train(table, inputs(examples, model.ids), epochs=epochs, seed=data.SEED)
    return TextModel(words=words, weights=weights)
