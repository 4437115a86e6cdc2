"""Turns of people in task dialogues, each with the question before it."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

from endpointing import data
from endpointing.questions import expectation_of
from media_gateway.ears.features import tokens
from media_gateway.ears.ports import Expectation

LONGEST_WORDS = 60
MOST_ALIKE, MOST_SHORT = 4, 200
"""A long sentence that comes again is the crowd worker's template; "yes" is how people answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one person said, whole."""

    dialogue: str
    question: str
    expectation: Expectation
    text: str

    @property
    def is_held_out(self) -> bool:
        """A fifth of the dialogues, by their name, is never trained on."""
        return zlib.crc32(self.dialogue.encode()) % 5 == 0


def of_dialogues(
    path: Path, source: str, *, limit: int | None = None, of_user: bool = True
) -> list[Turn]:
    """One side's turns of a JSON lines file; each different text to a question kind at most so often."""
    turns: list[Turn] = []
    seen: dict[tuple[str, str], int] = {}
    for number, dialogue in enumerate(data.json_lines(path)):
        if limit is not None and number >= limit:
            break
        before = ""
        for who, text in dialogue["turns"]:
            question, before = before, text
            if (who == "U") is not of_user:
                continue
            question = question if of_user else ""
            expectation = expectation_of(question)
            key = (expectation.value, " ".join(tokens(text)))
            seen[key] = seen.get(key, 0) + 1
            most = MOST_SHORT if len(tokens(text)) <= 2 else MOST_ALIKE
            if seen[key] <= most and 0 < len(tokens(text)) <= LONGEST_WORDS:
                turns.append(
                    Turn(
                        dialogue=f"{source}/{dialogue['id']}",
                        question=question,
                        expectation=expectation,
                        text=text,
                    )
                )
    return turns


def of_queries(path: Path) -> list[Turn]:
    """CLINC's queries: first things that people say, of 150 subjects."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return [
        Turn(
            dialogue=f"clinc/{split}/{number}",
            question="How can I help you?",
            expectation=Expectation.FREE,
            text=text,
        )
        for split in ("train", "oos_train", "val", "test", "oos_test")
        for number, (text, _) in enumerate(found[split])
        if tokens(text)
    ]
