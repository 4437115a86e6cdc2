"""PURE. Headings and text in the order of reading → sections, each with the headings it stands under."""

from __future__ import annotations

from media_gateway.knowledge.cutting import Section


class Outline:
    """Fed while a document is walked through; `sections` ends it."""

    def __init__(self) -> None:
        self._above: list[tuple[int, str]] = []
        self._words: list[str] = []
        self._sections: list[Section] = []

    def heading(self, level: int, text: str) -> None:
        """A heading begins; 1 is the highest level."""
        self._close()
        text = " ".join(text.split())
        if text:
            self._above = [(above, name) for above, name in self._above if above < level]
            self._above.append((level, text))

    def text(self, text: str) -> None:
        """More text under the last heading."""
        self._words.append(text)

    def sections(self) -> list[Section]:
        """Those that have text."""
        self._close()
        return self._sections

    def _close(self) -> None:
        text = " ".join(" ".join(self._words).split())
        if text:
            headings = tuple(name for _, name in self._above)
            self._sections.append(Section(headings=headings, text=text))
        self._words = []
