"""PURE. Where people pause in what they say, and how likely: each prefix of a turn that a pause could leave standing.

The weights are assumptions, from how pauses fall in speech (at clause boundaries, before connectives, inside dictated
numbers, after hesitations), not counts: no public telephone corpus with pauses was to be had.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from media_gateway.ears.features import tokens
from media_gateway.ears.ports import Expectation

SENTENCE, CLAUSE, CONNECTIVE, NUMBER_GROUP, OPEN, ELSEWHERE = 0.6, 0.3, 0.25, 0.4, 0.12, 0.04
AFTER_YES = 0.08
"""Between "yes" and what follows: mostly said in one breath."""
_CONNECTIVES = frozenset("and but because so or if when which since although then".split())
_OPEN = frozenset(
    "the a an of to for with at in on about and but so because is are was my our your that i we it's".split()
)
_YES = frozenset("yes yeah yep no nope sure okay ok well".split())
_NUMBERS = frozenset(("<digit>", "<tens>", "<magnitude>"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The words said up to a boundary, and how likely a pause stands there (a turn's end has 1)."""

    words: str
    weight: float
    is_end: bool


def prefixes(turn: str, expectation: Expectation) -> list[Prefix]:
    """Every prefix of the turn, the whole turn last. `|` marks a place where a pause is natural."""
    parts = [part for part in turn.split() if part == "|" or tokens(part)]
    found: list[Prefix] = []
    said: list[str] = []
    for at, part in enumerate(parts):
        if part == "|":
            if found:
                found[-1] = Prefix(words=found[-1].words, weight=CLAUSE, is_end=False)
            continue
        said.append(part)
        words = " ".join(said)
        rest = parts[at + 1 :]
        if not rest:
            found.append(Prefix(words=words, weight=1.0, is_end=True))
        else:
            weight = _weight(said, rest[0], expectation)
            found.append(Prefix(words=words, weight=weight, is_end=False))
    return found


def _weight(said: list[str], following: str, expectation: Expectation) -> float:
    last, word = said[-1], re.sub(r"[^\w']", "", said[-1].lower())
    if len(said) == 1 and word in _YES:
        return AFTER_YES
    if last[-1] in ".?!;:":
        return SENTENCE
    if last[-1] in ",-–…":
        return CLAUSE
    if re.sub(r"\W", "", following.lower()) in _CONNECTIVES:
        return CONNECTIVE
    kinds = tokens(last)
    dictated = expectation in (Expectation.NUMBER, Expectation.SPELLED)
    if dictated and (kinds[-1] in _NUMBERS or len(kinds[-1]) == 1):
        return NUMBER_GROUP
    return OPEN if word in _OPEN else ELSEWHERE
