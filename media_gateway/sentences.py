"""PURE. Cuts growing text into pieces that can be spoken well: whole sentences, and an early first clause."""

from __future__ import annotations

import re

_END = re.compile(r"([.!?…]+[\"')\]]*)\s+|(?<=[^\W\d_])([!?])$")
_CLAUSE = re.compile(r"([,;:]|\s[–—-])\s+|(?<=[^\W\d_])([,;:])$")
"""Behind a letter a comma need not wait for what follows: only in numbers, times and addresses it may belong to a word."""
_LEFT_OVER = re.compile(r"[.!?…,;:\"')\]]*")
"""What still follows a piece that did not wait for it, as the second mark of `?!`."""
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|st|no|vs|etc|inc|e\.g|i\.e|a\.m|p\.m|u\.s|approx)\.$", re.I
)
FIRST_CLAUSE_WORDS = 2
"""The voice goes on in the same breath, so a short beginning sounds whole; a single word only where people pause."""
_ACKNOWLEDGEMENTS = frozenset(
    "absolutely alright certainly correct definitely excellent exactly fine good great no okay ok perfect right sure "
    "thanks true understood wonderful yeah yes".split()
)
NEXT_CLAUSE_WORDS = 4
ENOUGH_WORDS = 6
"""With fewer of them given out the voice may run dry before a whole sentence is there: clauses count until then."""


class SentenceCutter:
    """Feed it the whole text so far; it returns each new piece once. `finish` returns what is left."""

    def __init__(self) -> None:
        self._taken = 0
        self._words_given = 0

    def pieces(self, text: str) -> list[str]:
        """Pieces that are complete now."""
        found = []
        while (end := self._cut(text)) is not None:
            piece = text[self._taken : end].strip()
            self._taken = end
            if not _LEFT_OVER.fullmatch(piece):
                found.append(piece)
                self._words_given += len(piece.split())
        return found

    def finish(self, text: str) -> list[str]:
        """The complete pieces and the rest."""
        found = self.pieces(text)
        rest = text[self._taken :].strip()
        self._taken = len(text)
        return found if _LEFT_OVER.fullmatch(rest) else [*found, rest]

    def _cut(self, text: str) -> int | None:
        for match in _END.finditer(text, self._taken):
            sentence = text[self._taken : match.end()].rstrip()
            if not _ABBREVIATION.search(sentence):
                return match.end()
        if self._words_given < ENOUGH_WORDS:
            for match in _CLAUSE.finditer(text, self._taken):
                if self._can_stand(text[self._taken : match.start()].split()):
                    return match.end()
        return None

    def _can_stand(self, words: list[str]) -> bool:
        if self._words_given:
            return len(words) >= NEXT_CLAUSE_WORDS
        return len(words) >= FIRST_CLAUSE_WORDS or (
            len(words) == 1 and words[0].lower() in _ACKNOWLEDGEMENTS
        )
