"""Trains words, sound and hazard, and keeps them in one file that `export` writes as ONNX."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from endpointing import data, prepare, sound_model, text_model
from endpointing.dialogues import of_dialogues
from endpointing.hazard import Hazard
from endpointing.prepare import Prepared, Say
from endpointing.sound_model import SoundModel
from endpointing.text_examples import Example, of_turns, spoken
from endpointing.text_model import TextModel
from media_gateway.ears.ports import Expectation

KEPT = prepare.WORK / "model.npz"
SOUND_WEIGHT = 0.0
"""Of the sound's log odds beside the words': it did not tell ends of speakers whom it had not heard (see the model card).
`learn` sets it from real calls."""
DIALOGUE_ENDS = 43 / 118
"""Share of ends among pauses of real two-channel calls (three calls that are no part of the data, labelled by machine)."""
WORDLESS = -1.5
"""Log odds of an end at a pause without words: they come late, and the machine answers no turn without any."""
SGD_DIALOGUES = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfTurn:
    """The whole model."""

    text: TextModel
    sound: SoundModel
    hazard: Hazard


def train(folder: Path, say: Say) -> EndOfTurn:
    """From the data and what `prepare` left; keeps the result in `KEPT`."""
    data.check(folder)
    meetings = prepare.read("meetings")
    told = text_model.read(folder)
    examples = told.examples(held_out=False, varied=True)
    say(f"words: {len(examples)} pauses of {len({e.dialogue for e in examples})} dialogues")
    text = text_model.fit(examples)
    sound = fit_sound(meetings)
    hazard = fit_hazard(text, calibration(folder, told)[0])
    less = free_speech(text, hazard, meetings)
    hazard = replace(hazard, less={Expectation.FREE.value: less})
    model = EndOfTurn(text=text, sound=sound, hazard=hazard)
    say(f"hazard: {json.dumps(hazard.told())}")
    keep(model, KEPT)
    return model


def fit_sound(heard: Prepared, rows: npt.NDArray[np.bool_] | None = None) -> SoundModel:
    """On these pauses (all by default)."""
    part = heard.varied
    chosen = np.ones(len(part.is_end), dtype=np.bool_) if rows is None else rows[part.clip]
    features, is_end = part.features[chosen], part.is_end[chosen]
    return sound_model.fit(features, is_end, np.ones(len(is_end), dtype=np.float32), seed=data.SEED)


def calibration(
    folder: Path, told: text_model.Told
) -> tuple[list[Example], dict[str, list[Example]]]:
    """Examples not trained on: answers of half of the dialogues, to calibrate; the other half to judge, by source."""
    schema = of_dialogues(folder / data.SGD.path, "sgd", limit=SGD_DIALOGUES)
    held_out = [turn for turn in told.dialogues if turn.is_held_out]
    free = Expectation.FREE
    sources = {
        "Taskmaster, answers": [t for t in held_out if t.expectation is not free],
        "SGD, answers": [t for t in schema if t.expectation is not free],
        "Taskmaster, free": [t for t in held_out if t.expectation is free],
        "SGD, free": [t for t in schema if t.expectation is free],
        "CLINC150, free": [t for t in told.queries if t.is_held_out],
    }
    fitted: list[Example] = []
    judged: dict[str, list[Example]] = {}
    for name, turns in sources.items():
        half = set(sorted({turn.dialogue for turn in turns})[::2])
        if "answers" in name:
            fitted += of_turns((t for t in turns if t.dialogue in half), varied=False)
        judged[name] = of_turns((t for t in turns if t.dialogue not in half), varied=False)
    return fitted, judged


def fit_hazard(text: TextModel, examples: list[Example]) -> Hazard:
    """Answers' scores as calibrated log odds, at a pause and at any word; each source counts the same."""
    scores = text.scores(examples)[:, None]
    is_end = np.array([e.is_end for e in examples])
    weight = np.array([e.weight for e in examples])
    source = np.array([e.dialogue.split("/")[0] for e in examples])
    even = np.zeros(len(examples))
    for name in np.unique(source):
        even[source == name] = 1 / weight[source == name].sum()
    even *= len(examples)
    pause = LogisticRegression(C=1e6).fit(scores, is_end, even * weight)
    speech = LogisticRegression(C=1e6).fit(scores, is_end, even)
    return Hazard(
        pause_bias=float(pause.intercept_[0]),
        pause_text=float(pause.coef_[0, 0]),
        speech_bias=float(speech.intercept_[0]),
        speech_text=float(speech.coef_[0, 0]),
        audio=SOUND_WEIGHT,
        wordless=WORDLESS,
    )


def free_speech(text: TextModel, hazard: Hazard, heard: Prepared) -> float:
    """What to take off the words' log odds in free speech, so that real words before real pauses are ends as often as in calls.

    Typed turns stop after a sentence or two; people who speak freely finish sentence after sentence.
    """
    words = [w for w in heard.words if w]
    if not words:
        return 0.0
    odds = hazard.pause_bias + hazard.pause_text * text.scores([spoken(w) for w in words])
    tried = np.linspace(0, 4, 81)
    shares = [float((1 / (1 + np.exp(less - odds))).mean()) for less in tried]
    return float(tried[int(np.argmin(np.abs(np.array(shares) - DIALOGUE_ENDS)))])


def keep(model: EndOfTurn, path: Path) -> None:
    """All numbers of the model in one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {f"text_{name}": value for name, value in model.text.weights.items()}
    told = {"words": model.text.words, "hazard": model.hazard.told(), "bias": model.sound.bias}
    np.savez(
        path,
        told=np.array(json.dumps(told)),
        sound=model.sound.weights,
        allow_pickle=False,
        **weights,
    )


def read(path: Path = KEPT) -> EndOfTurn:
    """What `keep` wrote; DataMissing says to train first."""
    if not path.exists():
        raise data.DataMissing(f"{path} is missing: run python -m endpointing train first")
    with np.load(path) as held:
        told = json.loads(str(held["told"]))
        weights = {
            name.removeprefix("text_"): held[name]
            for name in held.files
            if name.startswith("text_")
        }
        return EndOfTurn(
            text=TextModel(words=told["words"], weights=weights),
            sound=SoundModel(weights=held["sound"], bias=told["bias"]),
            hazard=Hazard(**told["hazard"]),
        )
