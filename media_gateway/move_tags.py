"""PURE. The short names by which the model picks a move: a word of the move's own name, so that it cannot be mistaken.

The tag is the key of the model's words. What comes before them is heard as silence, and `answer_question` is three
tokens where `answer` is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from workflows.script.compiled import (
    ANSWER,
    COMPILED_MOVES,
    CONTINUE,
    OBJECTION_PREFIX,
    OPT_OUT_MOVE,
    STOP_RECORDING_MOVE,
)
from workflows.script.model import Script

SLOTS_KEY = "s"
"""Stands where a tag could, for the slots: no move is written so."""
_COMPILED = {
    CONTINUE: "ok",
    ANSWER: "answer",
    OPT_OUT_MOVE: "stop",
    "human": "human",
    "robot_question": "robot",
    "call_back": "later",
    "wrong_person": "wrong",
    "goodbye": "bye",
    STOP_RECORDING_MOVE: "norec",
}
_EMPTY = frozenset(
    "a an the is are was be has have had to of in on at for with from by and or it its this that "
    "they we i you my our their too so now need known given objection move".split()
)
"""Words of a name that tell nothing of it."""
_NEGATIONS = frozenset(
    "no not never none without cannot cant dont doesnt wont isnt non un declines refuses".split()
)


def move_tags(script: Script, stage: str) -> dict[str, str]:
    """Tag of every move that this stage may ever offer, by the move's name. The same in every turn of the stage."""
    there = script.stages[stage]
    authored = [move.name for move in there.moves]
    objections = [OBJECTION_PREFIX + name for name in there.objections]
    names = {*authored, *objections, *COMPILED_MOVES}
    tags = {name: name if tag in names else tag for name, tag in _COMPILED.items()}
    for name in (*authored, *objections):
        # Another move's own name is no tag: the model may write a name instead of a tag.
        taken = {SLOTS_KEY, *tags.values(), *(names - {name})}
        tags[name] = next(tag for tag in _candidates(name) if tag not in taken)
    return tags


def names_by_written(tags: Mapping[str, str], allowed: Iterable[str]) -> dict[str, str]:
    """What a model may write for each allowed move, letter by letter: its tag or its name."""
    return {
        written: name for name in allowed for written in (tags[name], name) if written != SLOTS_KEY
    }


def _candidates(name: str) -> Iterator[str]:
    """The shortest first; the whole name is free but for one."""
    bare = name.removeprefix(OBJECTION_PREFIX)
    words = bare.split("_")
    if not _NEGATIONS & set(words):  # `interested` for `not_interested` would say the opposite
        telling = [word for word in words if word not in _EMPTY and len(word) > 1]
        # An authored move begins with what it is about; of an objection the last word says most.
        yield from telling if bare == name else reversed(telling)
    yield bare
    yield name
    yield f"{name}_move"
