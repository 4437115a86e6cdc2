"""Recall@1 and @3 on labelled questions about the sample script's documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.report import Row

QUESTIONS = Path(__file__).parent / "questions.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a caller asks, and the sources of which each answers it."""

    ask: str
    answers: frozenset[str]


def questions() -> list[Question]:
    """The labelled set."""
    return [
        Question(ask=one["ask"], answers=frozenset(one["answers"]))
        for one in yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    ]


def row(name: str, asked: Sequence[Question], found: Sequence[Sequence[str]]) -> Row:
    """One search's line of the table; `found` are sources, best first."""
    ranks = [
        next((place for place, source in enumerate(sources, 1) if source in q.answers), 0)
        for q, sources in zip(asked, found, strict=True)
    ]
    return {
        "search": name,
        "questions": len(asked),
        "recall@1": sum(rank == 1 for rank in ranks) / len(asked),
        "recall@3": sum(1 <= rank <= 3 for rank in ranks) / len(asked),
        "nothing found": sum(not sources for sources in found),
    }


def missed(asked: Sequence[Question], found: Sequence[Sequence[str]]) -> list[str]:
    """Questions whose answer is not among the first three."""
    return [
        q.ask for q, sources in zip(asked, found, strict=True) if not q.answers & set(sources[:3])
    ]
