"""PURE. How a document is cut into passages: one a heading, long ones at the ends of sentences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_WORDS = 120
"""Of a passage: some 160 tokens, well inside what the embedding model reads, and short enough to be quoted."""
FORMAT = "1"
"""Of the cutting and of what is stored with a passage: a change makes every document a new version."""
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Text under one heading."""

    headings: tuple[str, ...]
    """From the document's title down to the section's own; empty before the first."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A passage before it is embedded."""

    source: str
    """File and nearest heading, e.g. `warranty.md#Panels`: what the model and the evidence call it."""
    text: str
    headings: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    """Every name that a stage may allow it by: its folders, its file, its file with each heading above it."""

    @property
    def embedded(self) -> str:
        """What its vector stands for: a heading often holds the very word that is asked for."""
        return ": ".join((*self.headings, self.text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One file's passages."""

    name: str
    """Path in the knowledge folder, with `/`."""
    version: str
    """Hash of all that is stored of it: the same content is the same version."""
    chunks: tuple[Chunk, ...]


def cut(name: str, sections: Sequence[Section]) -> Document:
    """A document's passages in reading order; none when it holds no words."""
    chunks = tuple(
        _chunk(name, section.headings, piece)
        for section in sections
        for piece in _pieces(" ".join(section.text.split()))
    )
    digest = hashlib.sha256(FORMAT.encode())
    for chunk in chunks:
        for part in (chunk.source, *chunk.headings, chunk.text):
            digest.update(part.encode())
            digest.update(b"\0")
        digest.update(b"\0")
    return Document(name=name, version=digest.hexdigest()[:32], chunks=chunks)


def _chunk(name: str, headings: tuple[str, ...], text: str) -> Chunk:
    folders = name.split("/")[:-1]
    return Chunk(
        source=f"{name}#{headings[-1]}" if headings else name,
        text=text,
        headings=headings,
        within=(
            *("/".join(folders[: depth + 1]) + "/" for depth in range(len(folders))),
            name,
            *dict.fromkeys(f"{name}#{heading}" for heading in headings),
        ),
    )


def _pieces(text: str) -> Iterator[str]:
    held: list[str] = []
    for words in _sentences(text):
        if held and len(held) + len(words) > MOST_WORDS:
            yield " ".join(held)
            held = []
        held += words
    if held:
        yield " ".join(held)


def _sentences(text: str) -> Iterator[list[str]]:
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        for start in range(0, len(words), MOST_WORDS):
            yield words[start : start + MOST_WORDS]
