"""One script's passages in memory, searched exactly: a product of a matrix and a vector, which lets go of the GIL.

Qdrant's local mode would do the same arithmetic, but evaluates filters point by point in Python: 45 ms at 2,000 points
against 0.1 ms here at 10,000, and the event loop stands still meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from media_gateway.knowledge.collection import LEAST_SCORE, StoredPassage
from media_gateway.knowledge.embedding import DIMENSIONS, Vector
from media_gateway.ports import Passage


class Shelf:
    """Never changes: a changed store is a new shelf."""

    def __init__(self, passages: Sequence[StoredPassage]) -> None:
        self._passages = tuple(passages)
        vectors = np.array([passage.vector for passage in passages], dtype=np.float32)
        self._matrix: npt.NDArray[np.float32] = vectors.reshape(len(passages), DIMENSIONS)
        named: dict[str, list[int]] = {}
        for index, passage in enumerate(passages):
            for name in passage.within:
                named.setdefault(name, []).append(index)
        self._named = {name: np.array(indexes) for name, indexes in named.items()}
        self._allowed: dict[tuple[str, ...], npt.NDArray[np.intp]] = {}

    def __len__(self) -> int:
        return len(self._passages)

    def best(
        self, vector: Vector, *, limit: int, within: tuple[str, ...] | None
    ) -> tuple[Passage, ...]:
        """The best passages, best first; `within` restricts them to those names."""
        scores = self._matrix @ vector
        if within is not None:
            allowed = self._rows(within)
            among = np.full_like(scores, -1.0)
            among[allowed] = scores[allowed]
            scores = among
        count = min(limit, len(scores))
        if count == 0:
            return ()
        top = np.argpartition(scores, -count)[-count:]
        return tuple(
            Passage(
                source=self._passages[index].source,
                text=self._passages[index].text,
                score=float(scores[index]),
            )
            for index in top[np.argsort(-scores[top])]
            if scores[index] >= LEAST_SCORE
        )

    def _rows(self, within: tuple[str, ...]) -> npt.NDArray[np.intp]:
        """Kept: a script has a handful of stages."""
        if within not in self._allowed:
            rows = [self._named[name] for name in within if name in self._named]
            self._allowed[within] = (
                np.unique(np.concatenate(rows)) if rows else np.array([], dtype=np.intp)
            )
        return self._allowed[within]
