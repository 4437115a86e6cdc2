"""PURE. Where people pause in what they say, and how likely: each prefix of a turn that a pause could leave standing.

The weights are assumptions, from how pauses fall in speech (at clause boundaries, before connectives, inside dictated
numbers, after hesitations), not counts: no public telephone corpus with pauses was to be had.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

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


class Place(Enum):
    """What a pause stands after."""

    SENTENCE = "sentence"
    """A whole sentence, another one following: nothing in the words tells that."""
    CLAUSE = "clause"
    """A comma, a connective's turn, a group of digits."""
    INSIDE = "inside"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The words said up to a boundary, and how likely a pause stands there (a turn's end has 1)."""

    words: str
    weight: float
    place: Place

    @property
    def is_end(self) -> bool:
        """Nothing more follows."""
        return self.place is Place.END


def prefixes(turn: str, expectation: Expectation) -> list[Prefix]:
    """Every prefix of the turn, the whole turn last. `|` marks a place where a pause is natural."""
    parts = [part for part in turn.split() if part == "|" or tokens(part)]
    found: list[Prefix] = []
    said: list[str] = []
    for at, part in enumerate(parts):
        if part == "|":
            if found:
                found[-1] = Prefix(words=found[-1].words, weight=CLAUSE, place=Place.CLAUSE)
            continue
        said.append(part)
        words, rest = " ".join(said), parts[at + 1 :]
        if not rest:
            found.append(Prefix(words=words, weight=1.0, place=Place.END))
        else:
            weight, place = _pause(said, rest[0], expectation)
            found.append(Prefix(words=words, weight=weight, place=place))
    return found


def _pause(said: list[str], following: str, expectation: Expectation) -> tuple[float, Place]:
    last, word = said[-1], re.sub(r"[^\w']", "", said[-1].lower())
    if len(said) == 1 and word in _YES:
        return AFTER_YES, Place.CLAUSE
    if last[-1] in ".?!;:":
        return SENTENCE, Place.SENTENCE
    if last[-1] in ",-–…":
        return CLAUSE, Place.CLAUSE
    if re.sub(r"\W", "", following.lower()) in _CONNECTIVES:
        return CONNECTIVE, Place.CLAUSE
    if (
        expectation in (Expectation.NUMBER, Expectation.SPELLED)
        and _dictated(last)
        and _dictated(following)
    ):
        return NUMBER_GROUP, Place.CLAUSE
    return (OPEN if word in _OPEN else ELSEWHERE), Place.INSIDE


def _dictated(part: str) -> bool:
    """A digit or a letter: one of several."""
    kinds = tokens(part)
    return bool(kinds) and (
        kinds[-1] in _NUMBERS or (len(kinds[-1]) == 1 and kinds[-1] not in "ai")
    )
