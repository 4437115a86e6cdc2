"""PURE. What recognised words say by themselves: whether more follows, whether two texts say the same."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_OPEN = frozenset(
    # conjunctions and relatives
    "and or but because so if when while that which who than then though although since until "
    # prepositions and articles
    "of to in on at for with from by about into over under between the a an "
    # possessives, determiners, pronouns that start something
    "my your our their his her its this these those some any every we i you they "
    # verbs that want an object or a complement
    "is are was were am own have has had want need like got get pay paid bought think "
    "know guess mean would could should will can do does did "
    # hesitations
    "um uh er erm hmm well actually basically".split()
)
_ANSWERS = frozenset(
    "i do|we do|i am|we are|it is|yes i have|we have|i have|i think|i know|i will|i can|i would|"
    "thank you|see you|about you|to you|bless you|hold on|hang on|go on|is this|is that|do that|like that".split(
        "|"
    )
)
"""Endings that are whole answers though their last word is an open one."""

_LEAD_INS = frozenset(
    "honestly|frankly|personally|to be honest|to be frank|i mean|you know|you see|look|listen".split(
        "|"
    )
)
"""Said before something, and no answer by themselves."""
_PRONOUNS = frozenset("i he she it there that".split())
"""Said twice they were begun twice; once they may end a sentence."""

_NOISES = (
    (re.compile(r"\b(?:n?uh[- ]uh|mm[- ]mm)\b", re.IGNORECASE), "uhuh"),
    (re.compile(r"\bu+h+[- ]?h+u+h*\b", re.IGNORECASE), "uhhuh"),
    (re.compile(r"\bm+[- ]?h+m+\b", re.IGNORECASE), "mhm"),
)
"""One spelling each for the sounds that mean no, yes and yes; the first is no beginning of the second."""
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*")
_STAMMER = re.compile(
    r"\b((?!(?:oh|zero|one|two|three|four|five|six|seven|eight|nine)\b)[a-z']{2,})(?:\W+\1\b){2,}",
    re.IGNORECASE,
)
_HESITATIONS = frozenset("um uhm uh er erm".split())
_SAME = {"ok": "okay", "k": "okay", "alright": "all right"}


def looks_unfinished(text: str) -> bool:
    """True when the last word leaves a sentence open. Recognisers like to close one with a full stop: that is ignored."""
    stripped = text.strip()
    if stripped.endswith((",", "...", "…", "-", "–")):
        return True
    words = re.findall(r"[a-z']+|\d+", unstammered(stripped).lower())
    if not words:
        return False
    if " ".join(words) in _LEAD_INS or (words[-1] in _PRONOUNS and words[-2:-1] == words[-1:]):
        return True
    if " ".join(words[-2:]) in _ANSWERS:
        return False
    return words[-1] in _OPEN


def unstammered(text: str) -> str:
    """With a word that stands there three times or more in a row once: no more is said by it. Numbers and letters stay."""
    return _STAMMER.sub(r"\1", text)


def normalised(text: str) -> tuple[str, ...]:
    """The words for comparing: without capitals, punctuation and hesitations; "uh-huh" and "mm-hmm" are one word each."""
    return tuple(word for word, _ in _tokens(_joined(text)))


def beyond(known: str, text: str) -> str:
    """What `text` says after the last word that `known` says too, as it stands; empty when it says nothing more."""
    joined = _joined(text)
    tokens = list(_tokens(joined))
    if not known:
        return text.strip() if tokens else ""
    matcher = SequenceMatcher(a=normalised(known), b=[word for word, _ in tokens], autojunk=False)
    said = max(
        (block.b + block.size for block in matcher.get_matching_blocks() if block.size), default=0
    )
    return joined[tokens[said][1] :].strip() if said < len(tokens) else ""


def _joined(text: str) -> str:
    text = text.replace("’", "'")
    for pattern, one in _NOISES:
        text = pattern.sub(one, text)
    return text


def _tokens(text: str) -> list[tuple[str, int]]:
    """Each word in its form for comparing, and where in the text it begins."""
    found: list[tuple[str, int]] = []
    for match in _WORD.finditer(text):
        word = match.group().lower().replace(",", "").replace("'", "")
        if word not in _HESITATIONS:
            found += [(part, match.start()) for part in _SAME.get(word, word).split()]
    return found
