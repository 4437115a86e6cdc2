"""PDF → sections: a short line in larger letters than the rest is a heading; without any, each page is a section."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pypdf import PageObject, PdfReader

from media_gateway.knowledge.cutting import Section
from media_gateway.knowledge.formats.outline import Outline

LARGER = 1.15
"""Times the size that most letters have."""
LONGEST_HEADING_WORDS = 14
MOST_PAGES = 1000
logging.getLogger("pypdf").setLevel(logging.ERROR)  # it tells of every oddity that it could mend


@dataclass(frozen=True, slots=True)
class _Line:
    page: int
    text: str
    size: float
    """Of its letters, in points; 0 when unknown."""


def sections_of(file: bytes) -> list[Section]:
    """Sections in the order of pages. Raises ValueError with the reason for a file without text to read.

    A damaged file raises pypdf's own errors, or whatever its parser trips over.
    """
    reader = PdfReader(io.BytesIO(file))
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it is encrypted: save it without a password")
    if len(reader.pages) > MOST_PAGES:
        raise ValueError(f"it has more than {MOST_PAGES} pages: split it")
    lines = [
        line for number, page in enumerate(reader.pages, start=1) for line in _lines(page, number)
    ]
    if not lines:
        raise ValueError("it has no text, only pictures: run it through text recognition first")
    return _sections(lines)


def _lines(page: PageObject, number: int) -> Iterator[_Line]:
    parts: list[tuple[str, float]] = []

    def visit(text: str, _cm: object, matrix: list[float], _font: object, size: float) -> None:
        scale = abs(matrix[3]) or abs(matrix[1]) or 1.0
        parts.append((text, round(abs(size or 0.0) * scale, 1)))

    page.extract_text(visitor_text=visit)
    words, sizes = "", Counter[float]()
    for text, size in parts:
        for index, piece in enumerate(text.split("\n")):
            if index:
                yield from _line(number, words, sizes)
                words, sizes = "", Counter()
            words += piece
            if piece.strip():
                sizes[size] += len(piece.strip())
    yield from _line(number, words, sizes)


def _line(page: int, words: str, sizes: Counter[float]) -> Iterator[_Line]:
    if words.strip():
        yield _Line(page, words.strip(), sizes.most_common(1)[0][0])


def _sections(lines: list[_Line]) -> list[Section]:
    letters = Counter[float]()
    for line in lines:
        letters[line.size] += len(line.text)
    body = letters.most_common(1)[0][0]
    sizes = sorted({line.size for line in lines if _is_heading(line, body)}, reverse=True)
    outline = Outline()
    page = 0
    for line in lines:
        if not sizes and line.page != page:
            page = line.page
            outline.heading(1, f"page {page}")
        if sizes and _is_heading(line, body):
            outline.heading(1 + sizes.index(line.size), line.text)
        else:
            outline.text(_unbroken(line.text))
    return outline.sections()


def _is_heading(line: _Line, body: float) -> bool:
    return line.size > LARGER * body and len(line.text.split()) <= LONGEST_HEADING_WORDS


def _unbroken(text: str) -> str:
    return text.replace("\N{SOFT HYPHEN}", "")
