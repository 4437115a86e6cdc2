"""PURE. Whether the words so far sound as if more follows. Works on recognised text, whatever its punctuation."""

from __future__ import annotations

import re

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
    "thank you|see you|about you|to you|bless you".split("|")
)
"""Endings that are whole answers though their last word is an open one."""


def looks_unfinished(text: str) -> bool:
    """True when the last word leaves a sentence open. Recognisers like to close one with a full stop: that is ignored."""
    stripped = text.strip()
    if stripped.endswith((",", "...", "…", "-", "–")):
        return True
    words = re.findall(r"[a-z']+|\d+", stripped.lower())
    if not words:
        return False
    if " ".join(words[-2:]) in _ANSWERS:
        return False
    return words[-1] in _OPEN
