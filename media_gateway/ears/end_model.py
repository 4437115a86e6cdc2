"""The end-of-turn model on ONNX Runtime: three small graphs of our own (words, sound, hazard), one thread.

Trained by `endpointing/`; data, figures and limits: docs/end-of-turn-model.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from media_gateway.ears.features import (
    LEAST_STEPS,
    SPECIAL,
    left_open,
    rows,
    sound_features,
    text_inputs,
)
from media_gateway.ears.ports import Expectation, Frames, PauseCheck

VERSION = "v1"
MODELS = Path(__file__).parent / "models"
_REMEDY = "reinstall callspine, or run python -m endpointing export"
REMEMBERED = 4096
"""Scores of words that are kept: interim words come again, and every call is asked the same questions."""


class OnnxEndModel:
    """Implements EndModel; shared by all calls. ValueError when a file is missing, damaged or not of this version."""

    def __init__(self, folder: Path = MODELS, *, version: str = VERSION) -> None:
        self._text, words = _load(folder / f"end_of_turn_text_{version}.onnx", version, "ids")
        self._sound, _ = _load(folder / f"end_of_turn_sound_{version}.onnx", version, "features")
        self._hazard, _ = _load(folder / f"end_of_turn_hazard_{version}.onnx", version, "checks")
        self._ids = {word: at for at, word in enumerate(words.split("\n"))}
        if tuple(words.split("\n")[: len(SPECIAL)]) != SPECIAL:
            raise ValueError(
                f"the word list of {folder} is of another version: run endpointing export"
            )
        self._score = lru_cache(maxsize=REMEMBERED)(self._score_words)

    def audio_scores(self, frames: Sequence[Frames]) -> npt.NDArray[np.float32]:
        """See EndModel. 0 (says nothing) for less than `LEAST_STEPS` steps."""
        scores = np.zeros(len(frames), dtype=np.float32)
        long = [at for at, sound in enumerate(frames) if len(sound) >= LEAST_STEPS]
        if long:
            features = np.stack([sound_features(frames[at]) for at in long])
            (scores[long],) = self._sound.run(None, {"features": features})
        return scores

    def text_score(self, words: str, *, question: str, expectation: Expectation) -> float:
        """See EndModel. About 50 microseconds; nothing when it was asked before."""
        return self._score(words, question, expectation)

    def estimate(self, checks: Sequence[PauseCheck]) -> npt.NDArray[np.float32]:
        """See EndModel."""
        if not checks:
            return np.zeros(0, dtype=np.float32)
        (p,) = self._hazard.run(None, {"checks": rows(checks)})
        estimates: npt.NDArray[np.float32] = p
        return estimates

    def _score_words(self, words: str, question: str, expectation: Expectation) -> float:
        ids, extras = text_inputs(words, question, expectation, self._ids)
        (scores,) = self._text.run(None, {"ids": ids[np.newaxis], "extras": extras[np.newaxis]})
        return float(scores[0]) - left_open(words)


def _load(path: Path, version: str, reads: str) -> tuple[ort.InferenceSession, str]:
    """The session, and its word list if it has one. `reads`: an input by which the graph is known."""
    if not path.is_file():
        raise ValueError(f"{path} is missing: {_REMEDY}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = ort.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime has a class of its own for each of its reasons
        raise ValueError(f"{path} is damaged ({type(error).__name__}): {_REMEDY}") from error
    told = session.get_modelmeta().custom_metadata_map
    if told.get("version") != version or reads not in [one.name for one in session.get_inputs()]:
        raise ValueError(f"{path} is another graph, or of another version: {_REMEDY}")
    return session, told.get("words", "")
