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
_ASKING = frozenset("how what which why when who where long much many can could have has".split())
"""In every other question, whatever it is about."""
EXTRA_WORDS = 3
"""That a recogniser may put between the words of a text: `nine` heard as `9 or`, a word split in two."""


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


def sentences(text: str) -> list[str]:
    """Its sentences that have words."""
    return [one for one in re.split(r"(?<=[.!?])\s+", text) if plain(one)]


def have_in_common(one: str, other: str) -> bool:
    """Whether two texts speak of the same: a word of both that carries meaning."""
    words = [word for word in plain(one) if word not in _SMALL and word not in _ASKING]
    return any(_alike(word, found) for word in words for found in plain(other))


def share_heard(meant: str, heard: str) -> float:
    """How many of the meant words that carry meaning were heard, 0 to 1; near misses count."""
    wanted = [word for word in plain(meant) if word not in _SMALL]
    there = plain(heard)
    if not wanted:
        return 1.0
    return sum(any(_alike(word, other) for other in there) for word in wanted) / len(wanted)


def heard_in_order(meant: str, heard: str) -> list[bool]:
    """For each word of the meant text whether it was heard, all in order and in one go; near misses count.

    In one go: within as many words as were meant and a few, so that two halves of two attempts are no whole.
    """
    wanted, there = plain(meant), plain(heard)
    length = len(wanted) + EXTRA_WORDS
    starts = range(max(1, len(there) - length + 1))
    found = (_aligned(wanted, there[start : start + length]) for start in starts)
    return max(found, key=sum, default=[False] * len(wanted))


def lost_words(meant: str, heard: str) -> list[str]:
    """The meant words that carry meaning and were not heard, in order and in one go."""
    flags = zip(plain(meant), heard_in_order(meant, heard), strict=True)
    return [word for word, was_heard in flags if not was_heard and word not in _SMALL]


def share_in_order(meant: str, heard: str) -> float:
    """How many of the meant words that carry meaning were heard, in order and in one go, 0 to 1."""
    counted = [word for word in plain(meant) if word not in _SMALL]
    return 1 - len(lost_words(meant, heard)) / len(counted) if counted else 1.0


def _aligned(wanted: list[str], there: list[str]) -> list[bool]:
    """Longest common subsequence, as flags of the wanted words; a word may be heard as two (`bright field`)."""
    best = [[0] * (len(there) + 2) for _ in range(len(wanted) + 1)]
    for i in range(len(wanted) - 1, -1, -1):
        for j in range(len(there) - 1, -1, -1):
            taken = _taken(wanted[i], there, j)
            both = best[i + 1][j + taken] + 1 if taken else 0
            best[i][j] = max(best[i + 1][j], best[i][j + 1], both)
    flags, i, j = [False] * len(wanted), 0, 0
    while i < len(wanted) and j < len(there):
        taken = _taken(wanted[i], there, j)
        if taken and best[i][j] == best[i + 1][j + taken] + 1:
            flags[i], i, j = True, i + 1, j + taken
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return flags


def _taken(wanted: str, there: list[str], at: int) -> int:
    """How many heard words from here are the wanted one: 0, 1 or 2."""
    if _alike(wanted, there[at]):
        return 1
    return 2 if wanted == "".join(there[at : at + 2]) else 0


def likeness(one: str, other: str) -> float:
    """Similarity of two sentences, 0 to 1."""
    return SequenceMatcher(None, " ".join(plain(one)), " ".join(plain(other))).ratio()


def _alike(one: str, other: str) -> bool:
    return one == other or (len(one) > 3 and SequenceMatcher(None, one, other).ratio() >= 0.75)
