"""Fills the slots of phrases.yaml: answers on the telephone, in the words that callers use."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from endpointing.data import SEED
from endpointing.dialogues import Turn
from media_gateway.ears.ports import Expectation

COPIES = 16
FOLLOWED = 400
_ONES = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_NAMES = (
    "james mary john linda robert susan david karen maria jose anna peter smith johnson miller garcia "
    "brown davis wilson moore taylor lee martin clark lewis walker hall young king wright lopez hill"
).split()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEnd:
    """Words after which more always comes."""

    question: str
    expectation: Expectation
    text: str


def phrases() -> tuple[list[Turn], list[OpenEnd]]:
    """Whole answers, and beginnings of answers. The same each time."""
    chance = random.Random(SEED)
    turns: list[Turn] = []
    open_ends: list[OpenEnd] = []
    entries: list[dict[str, Any]] = yaml.safe_load(
        Path(__file__).with_name("phrases.yaml").read_text(encoding="utf-8")
    )
    for entry in entries:
        expectation = Expectation(entry["expectation"])
        for answer in entry["answers"]:
            for copy in range(COPIES * entry.get("often", 1)):
                text, question = filled(answer, chance), chance.choice(entry["questions"])
                if entry.get("ends", True):
                    turns.append(
                        Turn(
                            dialogue=f"phrases/{answer}",
                            question=question,
                            expectation=expectation,
                            text=text,
                        )
                    )
                elif copy < COPIES // 2:
                    kind = chance.choice(list(Expectation))
                    open_ends.append(OpenEnd(question=question, expectation=kind, text=text))
    return turns + _followed(turns, chance), open_ends


def _followed(turns: list[Turn], chance: random.Random) -> list[Turn]:
    """Some answers with another sentence after them: a whole one is not always all."""
    asked = [t for t in turns if t.expectation is Expectation.YES_NO and len(t.text.split()) <= 6]
    more = [t for t in turns if t.expectation in (Expectation.FREE, Expectation.YES_NO)]
    return [
        replace(
            first,
            dialogue="phrases/two sentences",
            text=f"{first.text} | {chance.choice(more).text}",
        )
        for first in chance.sample(asked, FOLLOWED)
    ]


def filled(template: str, chance: random.Random) -> str:
    """The template with every slot filled."""
    return re.sub(r"\{(\w+)\}", lambda slot: _SLOTS[slot[1]](chance), template)


def _small(chance: random.Random) -> str:
    number = chance.choice([*range(1, 20), 20, 25, 30, 35, 40, 45, 60])
    if chance.random() < 0.4:
        return str(number)
    return _two_digits(number)


def _two_digits(number: int) -> str:
    if number < 10:
        return _ONES[number - 1]
    if number < 20:
        return _TEENS[number - 10]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f" {_ONES[ones - 1]}" if ones else "")


def _money(chance: random.Random) -> str:
    hundreds, rest = chance.randint(0, 6), chance.choice([0, 20, 30, 50, 80])
    if not hundreds and not rest:
        hundreds = 1
    if chance.random() < 0.4:
        return str(hundreds * 100 + rest)
    spoken = [f"{_ONES[hundreds - 1]} hundred"] if hundreds else []
    if rest:
        spoken += (["and"] if spoken and chance.random() < 0.5 else []) + [_two_digits(rest)]
    return " ".join(spoken)


def _groups(sizes: list[int]) -> Callable[[random.Random], str]:
    def say(chance: random.Random) -> str:
        as_words = chance.random() < 0.6
        digits = ["zero", *_ONES] if as_words else list("0123456789")
        return " | ".join(" ".join(chance.choice(digits) for _ in range(n)) for n in sizes)

    return say


def _year(chance: random.Random) -> str:
    if chance.random() < 0.5:
        return str(chance.randint(1950, 2025))
    if chance.random() < 0.5:
        return f"two thousand {_ONES[chance.randint(0, 8)]}"
    return f"nineteen {_TENS[chance.randint(3, 7)]} {_ONES[chance.randint(0, 8)]}"


def _of(words: str) -> Callable[[random.Random], str]:
    choices = [word.replace("_", " ") for word in words.split()]
    return lambda chance: chance.choice(choices)


_SLOTS: dict[str, Callable[[random.Random], str]] = {
    "n": _small,
    "money": _money,
    "year": _year,
    "phone": lambda chance: chance.choice([_groups([3, 3, 4]), _groups([3, 3, 2, 2])])(chance),
    "zip": _groups([5]),
    "letters": lambda chance: " ".join(
        chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(chance.randint(3, 8))
    ),
    "name": lambda chance: chance.choice(_NAMES),
    "hes": _of("um uh er hmm well let_me_see"),
    "person": _of("wife husband landlord mother father son daughter partner boss neighbor"),
    "day": _of(
        "monday tuesday wednesday thursday friday saturday sunday tomorrow next_monday next_friday"
    ),
    "part": _of("morning afternoon evening"),
    "hour": _of("nine ten eleven noon one two three four_thirty half_past_five 10 11:30 2 3:15"),
    "ampm": _of("am pm a.m. p.m."),
    "month": _of("january february march april may june july august september october november"),
    "ordinal": _of("first second third 5th tenth 12th fifteenth twentieth 21st"),
    "city": _of(
        "denver austin dallas boston san_diego portland los_angeles chicago oakland new_york"
    ),
    "noun": _of(
        "address price number warranty visit ticket table car room contract offer bill date time doctor "
        "restaurant movie hotel flight appointment battery inverter panel form house garage kitchen phone_number "
        "start_time total guarantee insurance discount installation brochure"
    ),
    "mail": _of("gmail yahoo outlook hotmail icloud"),
    "material": _of("metal tile flat shingle asphalt_shingle slate concrete wood clay asphalt gas"),
}
