"""The model that the gateway runs, as what learning starts from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from endpointing.hazard import Hazard
from endpointing.network import Floats
from endpointing.text_examples import Example
from media_gateway.ears.end_model import VERSION, OnnxEndModel


class Shipped:
    """Scores words as the gateway does; `hazard` are the parameters that the graph carries."""

    def __init__(self, folder: Path) -> None:
        self._model = OnnxEndModel(folder)
        file = onnx.load(folder / f"end_of_turn_hazard_{VERSION}.onnx")
        told = {entry.key: entry.value for entry in file.metadata_props}
        self.hazard = Hazard(**json.loads(told["hazard"]))

    def scores(self, examples: Sequence[Example]) -> Floats:
        """`[N]` log odds."""
        return np.array(
            [
                self._model.text_score(e.words, question=e.question, expectation=e.expectation)
                for e in examples
            ],
            dtype=np.float32,
        )
