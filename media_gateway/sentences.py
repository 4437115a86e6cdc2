"""PURE. Cuts growing text into pieces that can be spoken well: whole sentences, and an early first clause."""

from __future__ import annotations

import re

_END = re.compile(r"([.!?…]+[\"')\]]*)\s+")
_CLAUSE = re.compile(r"([,;:]|\s[–—-])\s+")
_ABBREVIATION = re.compile(
    r"\b(?:mr|mrs|ms|dr|st|no|vs|etc|inc|e\.g|i\.e|a\.m|p\.m|u\.s|approx)\.$", re.I
)
FIRST_CLAUSE_WORDS = 4
"""A first clause shorter than this sounds torn off from the rest."""


class SentenceCutter:
    """Feed it the whole text so far; it returns each new piece once. `finish` returns what is left."""

    def __init__(self) -> None:
        self._taken = 0
        self._is_first = True

    def pieces(self, text: str) -> list[str]:
        """Pieces that are complete now."""
        found = []
        while (end := self._cut(text)) is not None:
            piece = text[self._taken : end].strip()
            self._taken = end
            if piece:
                found.append(piece)
                self._is_first = False
        return found

    def finish(self, text: str) -> list[str]:
        """The complete pieces and the rest."""
        found = self.pieces(text)
        rest = text[self._taken :].strip()
        self._taken = len(text)
        return [*found, rest] if rest else found

    def _cut(self, text: str) -> int | None:
        for match in _END.finditer(text, self._taken):
            sentence = text[self._taken : match.end(1)]
            if not _ABBREVIATION.search(sentence):
                return match.end()
        if self._is_first:
            for match in _CLAUSE.finditer(text, self._taken):
                if len(text[self._taken : match.start()].split()) >= FIRST_CLAUSE_WORDS:
                    return match.end()
        return None
