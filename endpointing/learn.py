"""Learns from recorded calls: sound, how the evidence weighs, how long these callers pause. Kept only if it wins."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats
from sklearn.linear_model import LogisticRegression

from endpointing import curves, data, graphs, prepare, real_pauses, train
from endpointing.calls import CallPause, pauses, recordings
from endpointing.hazard import SHORTEST_S, Hazard
from endpointing.prepare import Prepared, Say
from endpointing.real_pauses import Judged
from endpointing.shipped import Shipped
from endpointing.sound_examples import Clip
from endpointing.sound_model import SoundModel
from endpointing.speech_states import SpeechStates
from media_gateway.ears.end_model import MODELS, VERSION

LEAST_CALLS, LEAST_PAUSES = 5, 30
"""Of calls, and of holds and ends each: with fewer, no interval excludes anything."""
DELAYS_S = (0.4, 0.6, 0.8)
DRAWS = 200
LEARNED = prepare.WORK / "learned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """What the calls taught. Cut-ins are at the mean delays `DELAYS_S`, each call judged by a model that never heard it."""

    calls: int
    holds: int
    ends: int
    learned_cuts: tuple[float, ...]
    present_cuts: tuple[float, ...]
    timeout_cuts: tuple[float, ...]
    gain: tuple[float, float, float]
    """Learned less present, mean over the delays, and its 95 % interval by call: below zero is better."""
    hazard: Hazard
    files: tuple[Path, ...]
    """Written files; none when the calls did not teach anything."""

    @property
    def wins(self) -> bool:
        """The whole interval is below zero."""
        return self.gain[2] < 0


def learn(
    folder: Path, say: Say, *, out: Path = LEARNED, present: Path = MODELS, anyway: bool = False
) -> Lesson:
    """Learn from every recording in `folder`; the model lands in `out` when it beats the present one (or `anyway`).

    DataMissing when there are too few calls or pauses, or a recording is none. Words stay as the present model reads them.
    """
    shipped = Shipped(present)
    heard = _heard(folder, say)
    _enough(heard)
    fitted = train.fit_sound(heard)
    judged = real_pauses.judge(heard, shipped, train.fit_sound)
    hazard = weighed(judged, shipped.hazard)
    theirs = _over_calls(judged, shipped.hazard, shipped.hazard)
    mine = _over_calls(judged, None, shipped.hazard)
    rows = _gains(judged, mine, theirs)
    timeout = _gains(judged, mine, None)
    gain = _mean_gain(judged, mine, theirs)
    files: list[Path] = []
    if gain[2] < 0 or anyway:
        files = _written(out, present, fitted, hazard)
    return Lesson(
        calls=len(set(heard.source)),
        holds=int((~heard.is_end).sum()),
        ends=int(heard.is_end.sum()),
        learned_cuts=tuple(row[0] for row in rows),
        present_cuts=tuple(row[1] for row in rows),
        timeout_cuts=tuple(row[1] for row in timeout),
        gain=gain,
        hazard=hazard,
        files=tuple(files),
    )


def weighed(judged: Judged, present: Hazard, rows: npt.NDArray[np.bool_] | None = None) -> Hazard:
    """The weights of words and sound, and the lengths of holds, fitted to these pauses."""
    chosen = np.ones(len(judged.sound), dtype=np.bool_) if rows is None else rows
    is_end = judged.pauses.is_end[chosen]
    words = np.where(judged.has_words, present.pause_bias + present.pause_text * judged.text, 0.0)
    evidence = np.stack(
        (words[chosen], judged.has_words[chosen] * 1.0, judged.sound[chosen]), axis=1
    )
    fit = LogisticRegression(C=1.0, max_iter=500).fit(evidence - np.array([0, 1, 0]), is_end)
    slope, with_words, sound = (float(value) for value in fit.coef_[0])
    bias = float(fit.intercept_[0])
    log_s, spread = hold_lengths(judged.pauses.length_s[chosen][~is_end])
    return replace(
        present,
        pause_bias=bias + slope * present.pause_bias
        if judged.has_words.any()
        else present.pause_bias,
        pause_text=max(0.0, slope) * present.pause_text
        if judged.has_words.any()
        else present.pause_text,
        audio=max(0.0, sound),
        wordless=min(bias - with_words, 0.0),
        hold_log_s=log_s,
        hold_spread=spread,
        less={} if judged.has_words.any() else present.less,
    )


def hold_lengths(seconds: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, float]:
    """Mean and spread of ln(seconds) of all pauses, of which those under `SHORTEST_S` were not counted."""
    logs = np.log(np.asarray(seconds))
    least = np.log(SHORTEST_S)

    def surprise(guess: npt.NDArray[np.float64]) -> float:
        mean, spread = guess[0], np.exp(guess[1])
        seen = stats.norm.logsf(least, mean, spread)
        return float(
            -(stats.norm.logpdf(logs, mean, spread) - seen).sum()
            + (mean + 0.545) ** 2
            + guess[1] ** 2
        )

    found = optimize.minimize(
        surprise, np.array([logs.mean(), np.log(logs.std() + 0.1)]), method="Nelder-Mead"
    )
    return float(found.x[0]), float(np.clip(np.exp(found.x[1]), 0.3, 1.5))


def _written(out: Path, present: Path, sound: SoundModel, hazard: Hazard) -> list[Path]:
    """The words' graph as it is, and the two that were learned."""
    out.mkdir(parents=True, exist_ok=True)
    text, heard, pause = (
        f"end_of_turn_{part}_{VERSION}.onnx" for part in ("text", "sound", "hazard")
    )
    shutil.copyfile(present / text, out / text)
    metadata = {
        "version": VERSION,
        "licence": "the recordings' owner's",
        "learned from": "recorded calls",
    }
    graphs.write_sound(out / heard, sound, metadata)
    graphs.write_hazard(out / pause, hazard, metadata)
    return [out / text, out / heard, out / pause]


def _heard(folder: Path, say: Say) -> Prepared:
    states = SpeechStates()
    found: list[CallPause] = []
    for name, caller, agent in recordings(folder):
        mine = pauses(name, caller, agent, states)
        say(f"{name}: {sum(not p.is_end for p in mine)} holds, {sum(p.is_end for p in mine)} ends")
        found += mine
    clips = [Clip(source=p.call, before=p.before, is_end=p.is_end) for p in found]
    if not clips:
        raise data.DataMissing(
            f"no pause of a caller in {folder}: is the caller on the first channel?"
        )
    words = prepare.recognised([p.before for p in found], say)
    prepare.WORK.mkdir(parents=True, exist_ok=True)
    path = prepare.WORK / "calls.npz"
    try:
        lengths = [p.length_s for p in found]
        prepare.keep(path, clips, lengths, words, states, [], prepare.COPIES)
        return prepare.read("calls")
    finally:
        path.unlink(missing_ok=True)  # it holds callers' words


def _enough(heard: Prepared) -> None:
    calls, ends = len(set(heard.source)), int(heard.is_end.sum())
    holds = len(heard.source) - ends
    if calls < LEAST_CALLS or min(holds, ends) < LEAST_PAUSES:
        raise data.DataMissing(
            f"{calls} calls with {holds} holds and {ends} ends teach nothing that could be shown: "
            f"{LEAST_CALLS} calls with {LEAST_PAUSES} of each are the least, 2,000 holds are a good number"
        )


def _over_calls(judged: Judged, fixed: Hazard | None, present: Hazard) -> npt.NDArray[np.float64]:
    """P over the time of each pause: of a fixed hazard, or of one fitted to the other calls."""
    p = np.zeros((len(judged.sound), len(curves.GRID_S)))
    for call in np.unique(judged.pauses.group):
        mine = judged.pauses.group == call
        hazard = weighed(judged, present, ~mine) if fixed is None else fixed
        p[mine] = real_pauses.over_time(judged, hazard, words=True, sound=True)[mine]
    return p


Gain = tuple[float, float, float, float, float]


def _gains(
    judged: Judged, mine: npt.NDArray[np.float64], other: npt.NDArray[np.float64] | None
) -> list[Gain]:
    return curves.gain(judged.pauses, mine, other, DELAYS_S, draws=DRAWS, seed=data.SEED)


def _mean_gain(
    judged: Judged, mine: npt.NDArray[np.float64], other: npt.NDArray[np.float64]
) -> tuple[float, float, float]:
    chance = np.random.default_rng(data.SEED)
    calls = np.unique(judged.pauses.group)
    drawn = []
    for number in range(DRAWS + 1):
        picked = calls if number == 0 else chance.choice(calls, len(calls))
        rows = np.concatenate([np.flatnonzero(judged.pauses.group == call) for call in picked])
        part = curves.some(judged.pauses, rows)
        if part.is_end.any() and not part.is_end.all():
            ours, theirs = curves.cuts(part, mine[rows], other[rows], DELAYS_S)
            drawn.append(float((ours - theirs).mean()))
    low, high = np.quantile(drawn[1:], (0.025, 0.975))
    return drawn[0], float(low), float(high)
