"""PURE. What callers say and models answer: YAML text to typed utterances."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

_PAUSE = re.compile(r"\[([\d.]+) (open|whole)\]")
_NOT_WORDS = re.compile(r"[^a-z0-9' ]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Silence in mid-sentence."""

    ms: int
    is_whole: bool
    """The words before it could have been the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """One turn of a caller."""

    utterance_id: str
    stage: str
    """The stage whose question it answers; `any` fits all."""
    parts: tuple[str, ...]
    """What is spoken in one breath each."""
    pauses: tuple[Pause, ...]
    """Between the parts: one fewer."""
    move: str = ""
    slots: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """All of it, without the pauses."""
        return " ".join(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Everything that is said in a run."""

    answers: tuple[Utterance, ...]
    interruptions: tuple[Utterance, ...]
    backchannels: tuple[Utterance, ...]
    replies: tuple[str, ...]
    """Of the model, to an answer."""
    explanations: tuple[str, ...]
    """Of the model, to a question."""

    def find(self, words: str) -> Utterance | None:
        """The utterance that these are the whole words of."""
        wanted = plain(words)
        everything = (*self.answers, *self.interruptions)
        return next((u for u in everything if plain(u.words) == wanted), None)


def plain(words: str) -> str:
    """Lower case, no punctuation."""
    return " ".join(_NOT_WORDS.sub(" ", words.lower().replace("-", " ")).split())


def parse_book(text: str, half: str) -> Book:
    """One half, `tuning` or `test`, of the file."""
    data = yaml.safe_load(text)
    return Book(
        answers=tuple(_utterance(item) for item in data[half]),
        interruptions=tuple(_utterance(item) for item in data["interruptions"][half]),
        backchannels=tuple(
            _utterance({"id": plain(words), "stage": "any", "say": words})
            for words in data["backchannels"][half]
        ),
        replies=tuple(data["replies"]),
        explanations=tuple(data["answers"]),
    )


def _utterance(item: dict[str, Any]) -> Utterance:
    pieces = _PAUSE.split(item["say"])
    return Utterance(
        utterance_id=item["id"],
        stage=item["stage"],
        parts=tuple(part.strip() for part in pieces[::3]),
        pauses=tuple(
            Pause(ms=round(float(seconds) * 1000), is_whole=kind == "whole")
            for seconds, kind in zip(pieces[1::3], pieces[2::3], strict=True)
        ),
        move=item.get("move", ""),
        slots=item.get("slots", {}),
    )
