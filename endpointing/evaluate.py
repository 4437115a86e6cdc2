"""Measures the trained model and writes tables, JSON and a picture to out/endpointing/: what wins, and what does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from bench.report import Row
from endpointing import curves, data, picture, played, prepare, real_pauses, text_model, train
from endpointing.curves import Floats, Pauses
from endpointing.pauses_in_text import Place
from endpointing.prepare import Say
from endpointing.probes import probes
from endpointing.tables import show
from endpointing.text_examples import Example
from endpointing.timings import timings
from endpointing.train import EndOfTurn
from media_gateway.ears.features import rows
from media_gateway.ears.ports import PauseCheck
from media_gateway.turns.words import looks_unfinished

DRAWS = 200
DELAYS_S = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
MOST_PAUSES = 4000
TODAY_S = (0.7, 1.5)
"""The fixed rule: silence after words that sound finished, and after those that do not."""
POLICIES = [
    (eager, commit, least)
    for eager in (0.3, 0.4, 0.5)
    for commit in (0.6, 0.7, 0.8, 0.85, 0.9)
    for least in (200, 350, 450)
    if eager == 0.4 or (commit, least) == (0.8, 350)
]


def evaluate(folder: Path, say: Say) -> None:
    """Everything; about two minutes."""
    data.check(folder)
    model = train.read()
    told = text_model.read(folder)
    _, judged = train.calibration(folder, told)
    judged["probes (hand-written)"] = probes()
    show(
        "words",
        "Words: do they sound whole? AUC at pauses, 95 % by dialogue",
        _words(model, judged),
    )
    curves_of: dict[str, tuple[Pauses, Floats]] = {
        name: _drawn(model, examples) for name, examples in judged.items() if "probes" not in name
    }
    show(
        "delay",
        "False cut-ins at equal mean delay: drawn pauses at held-out words",
        [row for name, (pauses, p) in curves_of.items() for row in _gains(name, pauses, p)],
        ["Words are people's, typed; where they pause and how long is drawn: see the model card."],
    )
    show("today", "Against the fixed rule of 700 / 1500 ms", _against_today(model, judged))
    show(
        "calibration",
        "Calibration: p against what came, while the pause lasts",
        _calibration(curves_of),
    )
    real, rows_of_real = _real(model)
    show(
        "real",
        "Real pauses (AMI meetings; speakers held out of the sound model)",
        rows_of_real,
        ["A difference below zero with an interval below zero is a win; anything else is none."],
    )
    show("policies", "Played turns: what thresholds would do", _policies(model, judged))
    show("cpu", "CPU of one thread", timings())
    picture.draw(curves_of, real, Path("out/endpointing/curves.png"))
    say("out/endpointing/: *.json, curves.png")


def _words(model: EndOfTurn, judged: dict[str, list[Example]]) -> list[Row]:
    found: list[Row] = []
    for name, examples in judged.items():
        is_end = np.array([e.is_end for e in examples])
        weight = np.array([e.weight for e in examples])
        group = np.unique([e.dialogue for e in examples], return_inverse=True)[1].astype(np.int64)
        inside = is_end | np.array([e.place is Place.INSIDE for e in examples])
        score = model.text.scores(examples).astype(np.float64)
        rule = np.array([float(not looks_unfinished(e.words)) for e in examples])
        row: dict[str, str | int | float] = {
            "source": name,
            "pauses": len(examples),
            "ends": int(is_end.sum()),
        }
        for title, values, chosen in (
            ("model", score, np.ones_like(inside)),
            ("rule", rule, np.ones_like(inside)),
            ("model, mid-sentence", score, inside),
            ("rule, mid-sentence", rule, inside),
        ):
            auc, low, high = real_pauses.auc_interval(
                is_end[chosen],
                values[chosen],
                weight[chosen],
                group[chosen],
                draws=50,
                seed=data.SEED,
            )
            row[title] = f"{auc:.3f} [{low:.3f}, {high:.3f}]"
        found.append(row)
    return found


def _drawn(model: EndOfTurn, examples: Sequence[Example]) -> tuple[Pauses, Floats]:
    """Pauses as they would fall at these words, and p over their time."""
    chance = np.random.default_rng(data.SEED)
    weight = np.array([e.weight for e in examples])
    share = min(1.0, MOST_PAUSES / weight.sum())
    kept = [e for e, w in zip(examples, weight, strict=True) if chance.random() < share * w]
    is_end = np.array([e.is_end for e in kept])
    lengths = played.drawn_lengths(len(kept), chance, model.hazard)
    pauses = Pauses(
        length_s=np.where(is_end, real_pauses.FOREVER_S, lengths),
        is_end=is_end,
        weight=np.ones(len(kept)),
        group=np.unique([e.dialogue for e in kept], return_inverse=True)[1].astype(np.int64),
    )
    return pauses, _over_time(model, kept)


def _over_time(model: EndOfTurn, examples: Sequence[Example]) -> Floats:
    scores = model.text.scores(examples).tolist()
    columns = []
    for silence in curves.GRID_S:
        checks = [
            PauseCheck(
                audio=None,
                text=score,
                words_are_final=True,
                words_age_ms=0,
                silence_ms=round(1000 * float(silence)),
                turn_ms=2000,
                expectation=example.expectation,
            )
            for score, example in zip(scores, examples, strict=True)
        ]
        columns.append(model.hazard.p(rows(checks)))
    return np.stack(columns, axis=1).astype(np.float64)


def _gains(name: str, pauses: Pauses, p: Floats) -> list[Row]:
    gains = curves.gain(pauses, p, None, DELAYS_S, draws=DRAWS, seed=data.SEED)
    return [
        {
            "source": name,
            "holds": int((~pauses.is_end).sum()),
            "ends": int(pauses.is_end.sum()),
            "mean delay, s": delay,
            "model": f"{mine:.1%}",
            "timeout": f"{theirs:.1%}",
            "difference, points": f"{100 * less:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]",
        }
        for delay, (mine, theirs, less, low, high) in zip(DELAYS_S, gains, strict=True)
    ]


def _against_today(model: EndOfTurn, judged: dict[str, list[Example]]) -> list[Row]:
    found: list[Row] = []
    for name, examples in judged.items():
        if "probes" in name:
            continue
        pauses, p = _drawn(model, examples)
        chance = np.random.default_rng(data.SEED)
        share = min(1.0, MOST_PAUSES / sum(e.weight for e in examples))
        kept = [e for e in examples if chance.random() < share * e.weight]
        fired = np.array([TODAY_S[looks_unfinished(e.words)] for e in kept])
        today = curves.point(pauses, fired, 0)
        mine = curves.at_delay(curves.of_model(pauses, p, curves.THRESHOLDS), today.delay_s)
        found.append(
            {
                "source": name,
                "rule's mean delay, s": today.delay_s,
                "rule cuts in": f"{today.cut_ins:.1%}",
                "model, same delay": f"{mine:.1%}",
            }
        )
    return found


def _calibration(curves_of: dict[str, tuple[Pauses, Floats]]) -> list[Row]:
    found: list[Row] = []
    for name, (pauses, p) in curves_of.items():
        for silence in (0.2, 0.5, 1.0):
            lasting = pauses.length_s > silence
            said = p[lasting, int(np.argmin(np.abs(curves.GRID_S - silence)))]
            error, _ = curves.reliability(said, pauses.is_end[lasting], pauses.weight[lasting])
            found.append(
                {
                    "source": name,
                    "silence, s": silence,
                    "mean p": float(said.mean()),
                    "ends": float(pauses.is_end[lasting].mean()),
                    "calibration error": error,
                }
            )
    return found


def _real(model: EndOfTurn) -> tuple[dict[str, tuple[Pauses, Floats]], list[Row]]:
    judged = real_pauses.judge(prepare.read("meetings"), model.text, train.fit_sound)
    heard = replace(model.hazard, audio=1.0)
    kinds = {
        "sound alone": real_pauses.over_time(judged, heard, words=False, sound=True),
        "words alone": real_pauses.over_time(judged, heard, words=True, sound=False),
        "words and sound": real_pauses.over_time(judged, heard, words=True, sound=True),
    }
    made = train.fit_sound(prepare.read("spoken"))
    read_aloud = replace(judged, sound=made.scores(prepare.read("meetings").clean.features))
    kinds["sound, taught by read-aloud turns"] = real_pauses.over_time(
        read_aloud, heard, words=False, sound=True
    )
    pauses = judged.pauses
    found: list[Row] = []
    scores = {
        "sound alone": judged.sound,
        "words alone": judged.text,
        "sound, taught by read-aloud turns": read_aloud.sound,
    }
    for name, p in kinds.items():
        if name in scores:
            score = scores[name].astype(np.float64)
            auc = real_pauses.auc_interval(
                pauses.is_end, score, pauses.weight, pauses.group, draws=DRAWS, seed=data.SEED
            )
            told = f"{auc[0]:.2f} [{auc[1]:.2f}, {auc[2]:.2f}]"
        else:
            told = ""
        found += [
            {"evidence": name, "AUC": told, **row}
            for row in _gains("AMI", pauses, p)
            if row["mean delay, s"] in (0.5, 0.8, 1.0)
        ]
    return {name: (pauses, p) for name, p in kinds.items()}, found


def _policies(model: EndOfTurn, judged: dict[str, list[Example]]) -> list[Row]:
    found: list[Row] = []
    for name in ("Taskmaster, answers", "SGD, answers"):
        examples = judged[name][:15_000]
        moments = played.play(examples, np.random.default_rng(data.SEED), model.hazard)
        scores = model.text.scores(examples)
        outcomes = played.judge(moments, scores, model.hazard, POLICIES)
        found += ({"source": name, **asdict(outcome)} for outcome in outcomes)
    return found
