"""PURE. Which short first words may stand before a reply, and what such words must be like."""

from __future__ import annotations

import re

from workflows.script.compiled import COMPILED_MOVES, COMPILED_STAGES
from workflows.script.lines import placeholders
from workflows.script.model import Line, Move, OpenerKind, Script, Words

MOST_WORDS = 3
MOST_CHARACTERS = 18
"""About a second: people speak some fifteen characters a second, and the reply is ready soon after."""


def what_is_wrong(text: str) -> tuple[str, str] | None:
    """What keeps a text from being an opener, and the remedy; None when it is one."""
    if placeholders(text) or "{" in text:
        return f"opener `{text}` has a placeholder", "write words that are the same in every call"
    if len(text.split()) > MOST_WORDS or len(text) > MOST_CHARACTERS:
        return (
            f"opener `{text}` is longer than {MOST_WORDS} words or {MOST_CHARACTERS} characters",
            "write what is said within a second, like `Good question.`",
        )
    if "?" in text:
        return f"opener `{text}` asks something", "write words that need no answer"
    if not re.search(r"\w.*[.!,—–]$", text):
        return f"opener `{text}` has no end", "end it with a full stop, a comma or a dash"
    return None


def openers_in(script: Script) -> tuple[Line, ...]:
    """All of a script's openers, in its order."""
    found = [line for lines in script.openers.values() for line in lines]
    for stage in script.stages.values():
        found += [line for lines in stage.openers.values() for line in lines]
        found += [line for move in stage.moves for line in move.openers or ()]
    return tuple(found)


def openers_of_kind(script: Script, stage: str, kind: OpenerKind) -> tuple[Line, ...]:
    """What may be said first in this stage when the caller did this."""
    return script.stages[stage].openers.get(kind, script.openers.get(kind, ()))


def openers_of_move(script: Script, stage: str, move: Move) -> tuple[Line, ...]:
    """What may be said first when this move follows; nothing before authored words, and before lines that must be heard."""
    if move.words is Words.AUTHORED or may_not_be_opened(script, move):
        return ()
    kind = kind_of(move)
    lines = move.openers
    if lines is None:
        lines = openers_of_kind(script, stage, kind) if kind is not None else ()
    return tuple(line for line in lines if not _repeats(script, move, line))


def may_not_be_opened(script: Script, move: Move) -> bool:
    """Whether the move leads to words that nothing may be put before: compiled-in ones, and those that must be heard."""
    if move.to is None:
        return False
    return move.to in COMPILED_STAGES or script.stages[move.to].opening.must_say


def kind_of(move: Move) -> OpenerKind | None:
    """What the caller did when this move follows; None where the move alone does not tell."""
    if move.objection is not None:
        return OpenerKind.OBJECTION
    if move.when_complete and move.name not in COMPILED_MOVES:
        return OpenerKind.ANSWER
    return None


def _repeats(script: Script, move: Move, opener: Line) -> bool:
    """`Great.` before a stage that opens with `Great.`."""
    follows = move.line or (script.stages[move.to].opening if move.to is not None else None)
    return follows is not None and begins_with(follows.text, opener.text)


def begins_with(text: str, opener: str) -> bool:
    """Whether a line starts with the opener's words, whatever their capitals and points."""
    first = re.findall(r"\w+", opener.lower())
    return re.findall(r"\w+", text.lower())[: len(first)] == first
