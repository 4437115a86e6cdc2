"""What a check costs: CPU time of the thread, since other work shares the machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bench.report import Row
from media_gateway.ears.end_model import OnnxEndModel
from media_gateway.ears.ports import Expectation, PauseCheck

TIMES = 1000
STREAMS = 8


def timings() -> list[Row]:
    """Microseconds a stream of each part of the shipped model, and of all of a check."""
    model = OnnxEndModel()
    question = "About how much do you pay for electricity a month?"
    chance = np.random.default_rng(0)
    sounds = [chance.random((125, 130), dtype=np.float32) for _ in range(STREAMS)]
    check = PauseCheck(
        audio=0.3,
        text=1.2,
        words_are_final=False,
        words_age_ms=100,
        silence_ms=250,
        turn_ms=2400,
        expectation=Expectation.NUMBER,
        pauses_ms=(500, 700),
    )
    turns = iter(range(10**6))

    def words() -> None:
        # Never the same twice: what was asked before is remembered.
        said = f"we pay about one hundred and eighty dollars {next(turns)}"
        model.text_score(said, question=question, expectation=Expectation.NUMBER)

    parts: list[tuple[str, Callable[[], object], int]] = [
        ("words, one", words, 1),
        ("sound, batch of 8", lambda: model.audio_scores(sounds), STREAMS),
        ("estimate, one", lambda: model.estimate([check]), 1),
        ("estimate, batch of 8", lambda: model.estimate([check] * STREAMS), STREAMS),
    ]
    rows: list[Row] = [{"part": name, "us a stream": _spent(do) / many} for name, do, many in parts]
    whole = sum(float(row["us a stream"]) for row in rows[:3])
    return [*rows, {"part": "a whole check (words, sound, estimate)", "us a stream": whole}]


def _spent(do: Callable[[], object]) -> float:
    for _ in range(20):
        do()
    start = time.thread_time()
    for _ in range(TIMES):
        do()
    return (time.thread_time() - start) / TIMES * 1e6
