"""PURE. Whether recognised words are the words that were meant: a recogniser writes `25` for `twenty-five`, and mishears."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen".split()
    )
} | {
    word: str(10 * value)
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_SMALL = frozenset(
    "a an the and or of to in on at for with from by is are was be it this that we our you your i"
    " for will do".split()
)


def plain(text: str) -> list[str]:
    """Lower-case words; number words as digits."""
    words = re.findall(r"[a-z']+|\d+", text.lower().replace("-", " ").replace(",", " "))
    plainer = [_NUMBERS.get(word, word).removesuffix("'s") for word in words]
    out: list[str] = []
    for word in plainer:
        tens = out[-1] if out else ""
        if word.isdigit() and len(word) == 1 and len(tens) == 2 and tens.endswith("0"):
            out[-1] = str(int(tens) + int(word))
        else:
            out.append(word)
    return out


def share_heard(meant: str, heard: str) -> float:
    """How many of the meant words that carry meaning were heard, 0 to 1; near misses count."""
    wanted = [word for word in plain(meant) if word not in _SMALL]
    there = plain(heard)
    if not wanted:
        return 1.0
    return sum(any(_alike(word, other) for other in there) for word in wanted) / len(wanted)


def likeness(one: str, other: str) -> float:
    """Similarity of two sentences, 0 to 1."""
    return SequenceMatcher(None, " ".join(plain(one)), " ".join(plain(other))).ratio()


def _alike(one: str, other: str) -> bool:
    return one == other or (len(one) > 3 and SequenceMatcher(None, one, other).ratio() >= 0.75)
