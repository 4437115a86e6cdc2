"""PURE. How much better a strong model would answer: a small matrix factorisation on a sentence's embedding and length.

A model's score of a prompt is the product of the model's vector and the prompt's projection; the strong one's win rate
follows from the difference of the two scores. Two models are one direction in the space of prompts: the form is kept
because it is RouteLLM's, and takes a third model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
QUANTILES = 101
LONG_WORDS = 20


def features(vector: Floats, words: str) -> Floats:
    """`[385]`: the embedding `[384]` of length 1, and how long the words are, which it does not tell."""
    length = np.log1p(len(words.split())) / np.log1p(LONG_WORDS)
    return np.append(vector, np.float32(length)).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Head:
    """Trained weights and what is needed to set a threshold."""

    projection: Floats
    """`[d, 385]`"""
    strong: Floats
    """`[d]`"""
    fast: Floats
    """`[d]`"""
    bias: float
    quantiles: Floats
    """`[101]`: win rates of the turns it was calibrated with, from the lowest to the highest, in even steps."""

    def win_rate(self, prompt: Floats) -> float:
        """0 to 1; `prompt`: see `features`."""
        difference = float((self.strong - self.fast) @ (self.projection @ prompt)) + self.bias
        return float(1.0 / (1.0 + np.exp(-difference)))

    def threshold(self, strong_share: float) -> float:
        """The win rate from which a turn goes to the strong model, if this share of the turns shall.

        Raises ValueError for a share outside 0 to 1.
        """
        if not 0.0 <= strong_share <= 1.0:
            raise ValueError(f"a share of {strong_share} is none: give one from 0 to 1")
        if strong_share == 0.0:
            return float("inf")
        at = (1.0 - strong_share) * (len(self.quantiles) - 1)
        return float(np.interp(at, np.arange(len(self.quantiles)), self.quantiles))

    def save(self, file: Path) -> None:
        """Write as `.npz`. Blocking."""
        with file.open("wb") as out:
            np.savez_compressed(
                out,
                projection=self.projection,
                strong=self.strong,
                fast=self.fast,
                bias=np.float32(self.bias),
                quantiles=self.quantiles,
            )

    @classmethod
    def load(cls, file: Path) -> Head:
        """Read what `save` wrote. Blocking. Raises OSError, or ValueError for a file of another kind."""
        try:
            with np.load(file, allow_pickle=False) as parts:
                return cls(
                    projection=parts["projection"],
                    strong=parts["strong"],
                    fast=parts["fast"],
                    bias=float(parts["bias"]),
                    quantiles=parts["quantiles"],
                )
        except (KeyError, EOFError, TypeError, AttributeError) as error:
            raise ValueError(f"{file} holds no router: {type(error).__name__}") from None


def quantiles_of(win_rates: npt.ArrayLike) -> Floats:
    """What `Head.threshold` reads, of the win rates of many turns."""
    found: Floats = np.quantile(np.asarray(win_rates), np.linspace(0, 1, QUANTILES)).astype(
        np.float32
    )
    return found
