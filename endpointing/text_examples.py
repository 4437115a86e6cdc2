"""Examples for the text model: beginnings of turns as the recogniser would show them, and whether the turn was over."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from endpointing.data import SEED
from endpointing.dialogues import Turn
from endpointing.pauses_in_text import Place, prefixes
from endpointing.phrases import OpenEnd
from media_gateway.ears.features import tokens
from media_gateway.ears.ports import Expectation

_HESITATIONS = ("um", "uh", "er", "hmm", "you know", "i mean", "like", "well", "let me see")
_GOING_ON = (
    "and",
    "but",
    "so",
    "because",
    "and um",
    "but i",
    "and the",
    "so the",
    "or",
    "and then",
    "which is",
    "about",
    "since about",
    "around",
    "like about",
    "with",
    "with my",
    "for the",
    "in",
    "at",
    "on",
    "from",
    "to",
    "of",
    "the",
    "a",
    "is",
    "it's",
    "if",
    "when",
    "that",
    "since",
    "until",
    "i think",
    "we",
    "my",
    "not",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One pause: the words before it, the question they answer, how likely people pause there."""

    dialogue: str
    question: str
    expectation: Expectation
    words: str
    place: Place
    weight: float

    @property
    def is_end(self) -> bool:
        """Nothing more follows."""
        return self.place is Place.END


def of_turns(turns: Iterable[Turn], *, varied: bool, source_weight: float = 1.0) -> list[Example]:
    """Each prefix of each turn. `varied` adds hesitations, connectives, and turns whose beginning was not heard."""
    chance = random.Random(SEED)
    examples: list[Example] = []
    for turn in turns:
        found = prefixes(turn.text, turn.expectation)
        examples += (
            _example(turn, prefix.words, prefix.place, prefix.weight * source_weight)
            for prefix in found
        )
        if varied and found:
            examples += _variations(
                turn, found[-1].words, [p.words for p in found], source_weight, chance
            )
    return examples


def of_open_ends(ends: Iterable[OpenEnd]) -> list[Example]:
    """Holds, all of them."""
    return [
        Example(
            dialogue=f"open/{end.text}",
            question=end.question,
            expectation=end.expectation,
            words=end.text,
            place=Place.INSIDE,
            weight=0.5,
        )
        for end in ends
    ]


def spoken(words: str, *, is_end: bool = False, source: str = "") -> Example:
    """Recognised words of free speech, of which no question is known."""
    return Example(
        dialogue=source,
        question="",
        expectation=Expectation.FREE,
        words=words,
        place=Place.END if is_end else Place.INSIDE,
        weight=1.0,
    )


def _variations(
    turn: Turn, whole: str, beginnings: Sequence[str], weight: float, chance: random.Random
) -> list[Example]:
    examples = []
    beginning = chance.choice(beginnings)
    if chance.random() < 0.3:
        hesitating = f"{beginning} {chance.choice(_HESITATIONS)}"
        examples.append(_example(turn, hesitating, Place.INSIDE, 0.4 * weight))
    if chance.random() < 0.4:
        going_on = f"{whole} {chance.choice(_GOING_ON)}"
        examples.append(_example(turn, going_on, Place.INSIDE, 0.4 * weight))
    if chance.random() < 0.15:
        hesitated = f"{chance.choice(_HESITATIONS[:4])} {whole}"
        examples.append(_example(turn, hesitated, Place.END, 0.5 * weight))
    said = whole.split()
    if len(said) > 6 and chance.random() < 0.2:
        # The recogniser lost the beginning: neither label may be told by it.
        cut = chance.randint(1, len(said) - 4)
        stop = chance.randint(cut + 2, len(said))
        examples.append(
            _example(
                turn,
                " ".join(said[cut:stop]),
                Place.END if stop == len(said) else Place.INSIDE,
                0.3 * weight,
            )
        )
    return examples


def _example(turn: Turn, words: str, place: Place, weight: float) -> Example:
    return Example(
        dialogue=turn.dialogue,
        question=turn.question,
        expectation=turn.expectation,
        words=" ".join(tokens_kept(words)),
        place=place,
        weight=weight,
    )


def tokens_kept(words: str) -> list[str]:
    """The words as they are, those without any letter or digit away."""
    return [word for word in words.split() if tokens(word)]
