"""PURE. Turns with a label: the file's form, and those that a script gives by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle

from workflows.script.compiled import global_moves
from workflows.script.model import Script

FAST, STRONG = "fast", "strong"
COMPOUNDS_AN_EXAMPLE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledTurn:
    """What a caller might say, and which model should answer it."""

    words: str
    label: str
    """`fast` or `strong`."""
    group: str
    """What it is an example of: turns of one group are alike, and none of them proves another."""


def parse_turns(text: str) -> list[LabelledTurn]:
    """A JSON object a line. Raises ValueError with the line's number and the remedy."""
    turns = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
            turn = LabelledTurn(
                words=str(found["words"]).strip(),
                label=str(found["label"]),
                group=str(found.get("group") or found["words"]),
            )
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f'line {number}: is none of {{"words": "…", "label": "fast|strong", "group": "…"}}'
            ) from None
        if turn.label not in (FAST, STRONG) or not turn.words:
            raise ValueError(
                f"line {number}: the label is `fast` or `strong`, and words are needed"
            )
        turns.append(turn)
    return turns


def as_line(turn: LabelledTurn) -> str:
    """One line of the file."""
    return json.dumps(asdict(turn), ensure_ascii=False)


def turns_of(script: Script) -> Iterator[LabelledTurn]:
    """By rule, for a person to correct: moves' examples are plain sailing, objections want tact, alone or behind a yes."""
    moves = [move for stage in script.stages.values() for move in stage.moves]
    for move in (*moves, *global_moves(script.agent_name, script.company)):
        for example in move.examples:
            yield LabelledTurn(words=example, label=FAST, group=f"{script.script_id}/{move.name}")
    answers = cycle([example for move in moves for example in move.examples] or [""])
    for name, objection in script.objections.items():
        group = f"{script.script_id}/objection/{name}"
        for example in objection.examples:
            yield LabelledTurn(words=example, label=STRONG, group=group)
            for _ in range(COMPOUNDS_AN_EXAMPLE):
                words = f"{next(answers)}, but {example}"
                yield LabelledTurn(words=words, label=STRONG, group=group)
