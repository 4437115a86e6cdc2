"""PURE. Which short first words, if any, are said before the reply is there. In doubt, none.

Three things must agree: the script allows words before the move, the caller's words are near that move's examples and
far from those of the moves that nothing may be said before, and nothing in them asks for care.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from media_gateway.speech.ports import ReadyAudio
from workflows.script.compiled import COMPILED_MOVES, DISCLOSURE_LINE
from workflows.script.machine import next_question
from workflows.script.model import Line, Move, OpenerKind, Script, SlotType
from workflows.script.moves import allowed_moves
from workflows.script.openers import (
    begins_with,
    may_not_be_opened,
    openers_of_kind,
    openers_of_move,
)
from workflows.script.slots import parse_slot
from workflows.script.state import ScriptState

NEAR = 0.55
"""Cosine similarity to one of a move's examples at which the words speak for it."""
OWN_QUESTION = 0.7
"""A question is a move's own, and not one to be answered, when it is nearly one of its examples."""
OTHER_QUESTION = 0.6
"""An objection that a question is as near to as this might be meant."""
MARGIN = 0.1
"""Between the nearest move and the nearest with other openers."""
CARE = 0.45
"""As near as this to a compiled-in move (opt-out, a person, goodbye ...) nothing is said before the reply."""
CARE_OF_QUESTIONS = 0.38
MOST_WORDS_OF_A_YES = 6
MOST_RUNNING = 2
"""Turns in a row that begin with an opener; then one without."""

_CARE = re.compile(
    r"\b(stop|unsubscribe|remove|lists?|calls?|calling|called|persons?|people|humans?|managers?|supervisor|operator"
    r"|representative|robots?|bots?|machine|record(ed|ing)?|ai|a\.i|computer|real|wrong|bye|goodbye|hang|busy|driving"
    r"|time for|lawyers?|attorney|police|sue|scam(mer)?s?|fraud|legal|complain(t|ing)?|di(ed|es|ing)|dead|passed away"
    r"|funeral|hospital|cancer|sick|emergency|divorced?|fuck\w*|shit\w*|damn|hell|alone|interested|sorry|pardon|repeat"
    r"|again|hello|wait|hold on|(a|one) (second|moment|minute)|who (is|are) (this|you)|your name|name of|my number"
    r"|hear you|speak up)\b",
    re.I,
)
"""Words after which `Great.` would be the wrong thing to hear, whatever they mean as a whole."""
_LEADING = (
    r"^(?:(?:um|uh|erm|well|oh|so|and|but|okay|ok|yeah|yes|hm+|like|look|listen)\b[\s,.!–—-]*)*"
)
_NO = re.compile(_LEADING + r"(?:no|nope|nah|not|never|neither|none)\b", re.I)
_DENIES = re.compile(
    r"n['’]t\b|\b(no|not|never|none|nothing|cannot|without|nobody|neither)\b", re.I
)
_RESERVES = re.compile(r"\b(but|however|unless|if|depends?|although|except|first)\b", re.I)
_ASKS = re.compile(
    r"\?|"
    + _LEADING
    + r"(?:what|how|why|when|where|which|who|whose|can|could|do|does|did|is|are|will|would|should"
    r"|what['’]s|how['’]s|who['’]s|isn['’]t|don['’]t you)\b",
    re.I,
)
_YES = re.compile(
    r"^(?:(?:um|uh|well|oh)[\s,]+)*(?:yes|yeah|yep|yup|sure|okay|ok|of course|definitely|absolutely|certainly|alright"
    r"|all right|sounds good|go ahead|gladly|please do|i do|we do|why not)\b",
    re.I,
)

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """First words that can be let out at once. The model is told of them (`ReplyRequest.already_said`)."""

    text: str
    line_id: str
    audio: ReadyAudio


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenersSaid:
    """What the replies so far began with."""

    last: str = ""
    running: int = 0
    """Replies in a row, up to the last one, that began with an opener."""

    def then(self, text: str) -> OpenersSaid:
        """After a reply that began with this; empty: with none."""
        if not text:
            return OpenersSaid(last=self.last)
        return OpenersSaid(last=text, running=self.running + 1)

    def choice(self, lines: Sequence[Line], is_ready: Callable[[str], bool]) -> Line | None:
        """Never the same twice in succession, and not in every turn."""
        if self.running >= MOST_RUNNING:
            return None
        return next(
            (line for line in lines if line.text != self.last and is_ready(line.text)), None
        )


def nearness(
    moves: Iterable[Move], words: Vector, examples: Mapping[str, Vector]
) -> dict[str, float]:
    """Similarity of the words to the nearest example of each move that has some, by the move's name."""
    near = {}
    for move in moves:
        vectors = [examples[text] for text in move.examples if text in examples]
        if vectors:
            near[move.name] = max(float(vector @ words) for vector in vectors)
    return near


def fitting_openers(
    script: Script, state: ScriptState, words: str, vector: Vector, examples: Mapping[str, Vector]
) -> tuple[Line, ...]:
    """What may be said before the reply to these words; empty when in doubt.

    `vector` and `examples`: embeddings of the words and of every example of the script, length 1.
    """
    if state.outcome is not None or DISCLOSURE_LINE not in state.lines_heard:
        return ()
    if not words.strip() or _CARE.search(words) or _NO.search(words):
        return ()
    moves = allowed_moves(script, state)
    near = nearness(moves, vector, examples)
    careful = max((near.get(name, 0.0) for name in COMPILED_MOVES), default=0.0)
    asks = _ASKS.search(words) is not None
    if careful >= (CARE_OF_QUESTIONS if asks else CARE):
        return ()
    lines = (
        _before_an_answer(script, state, moves, near)
        if asks
        else _before_a_move(script, state, words, moves, near)
    )
    question = next_question(script, state)
    return tuple(line for line in lines if not begins_with(question, line.text))


def _before_an_answer(
    script: Script, state: ScriptState, moves: Sequence[Move], near: Mapping[str, float]
) -> tuple[Line, ...]:
    """The caller asks: an objection in the form of a question, or a question for the passages."""
    nearest = max(near.values(), default=0.0)
    if nearest >= OWN_QUESTION:
        own = next(move for move in moves if near.get(move.name) == nearest)
        return openers_of_move(script, state.stage, own) if own.objection is not None else ()
    doubtful = (near.get(move.name, 0.0) for move in moves if move.objection is not None)
    if max(doubtful, default=0.0) >= OTHER_QUESTION:
        return ()
    return openers_of_kind(script, state.stage, OpenerKind.QUESTION)


def _before_a_move(
    script: Script,
    state: ScriptState,
    words: str,
    moves: Sequence[Move],
    near: Mapping[str, float],
) -> tuple[Line, ...]:
    denies = _DENIES.search(words) is not None
    ranked = sorted((move for move in moves if move.name in near), key=lambda m: -near[m.name])
    if ranked and near[ranked[0].name] >= NEAR:
        first = ranked[0]
        lines = openers_of_move(script, state.stage, first)
        rival = next(
            (m for m in ranked[1:] if openers_of_move(script, state.stage, m) != lines), None
        )
        is_clear = rival is None or near[first.name] - near[rival.name] >= MARGIN
        # Objections deny something as a rule; a yes that does is none.
        return lines if is_clear and (first.objection is not None or not denies) else ()
    if denies or _RESERVES.search(words):
        return ()
    if any(near[m.name] >= CARE for m in ranked if m.objection is not None):
        return ()
    kind = None
    if _gives_a_slot(script, state, words):
        kind = OpenerKind.ANSWER
    elif _YES.search(words) and len(words.split()) <= MOST_WORDS_OF_A_YES:
        kind = OpenerKind.AGREEMENT
    if kind is None:
        return ()
    # Which move it will be is not known: what is said must fit before all of them.
    authored = [move for move in moves if move.to is not None and move.name not in COMPILED_MOVES]
    if any(may_not_be_opened(script, move) for move in authored):
        return ()
    openings = [script.stages[move.to].opening.text for move in authored if move.to is not None]
    openings += [move.line.text for move in authored if move.line is not None]
    lines = openers_of_kind(script, state.stage, kind)
    return tuple(
        line for line in lines if not any(begins_with(text, line.text) for text in openings)
    )


def _gives_a_slot(script: Script, state: ScriptState, words: str) -> bool:
    """Whether the words hold what the stage asks for. A `no` is a value, too, but nothing to be glad of."""
    for name in script.stages[state.stage].collects:
        slot = script.slots[name]
        if name in state.slots or slot.type not in (
            SlotType.CHOICE,
            SlotType.INTEGER,
            SlotType.MONEY,
            SlotType.YES_NO,
        ):
            continue
        try:
            if parse_slot(slot, words, state.today) is not False:
                return True
        except ValueError:
            continue
    return False
