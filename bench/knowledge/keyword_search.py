"""The peer: SQLite's full-text search, BM25 over stemmed words, any of the caller's words counts."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from media_gateway.knowledge.cutting import Chunk

_WORD = re.compile(r"[a-z0-9]+")


class KeywordSearch:
    """Passages in an FTS5 table in memory, heading and text alike."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._base = sqlite3.connect(":memory:", check_same_thread=False)
        self._base.execute(
            "create virtual table passages using fts5(source unindexed, words, tokenize='porter')"
        )
        rows = [(chunk.source, chunk.embedded) for chunk in chunks]
        self._base.executemany("insert into passages values (?, ?)", rows)

    def best(self, words: str, *, limit: int) -> list[str]:
        """Sources, best first."""
        query = " OR ".join(f'"{word}"' for word in _WORD.findall(words.lower()))
        found = self._base.execute(
            "select source from passages where passages match ? order by bm25(passages) limit ?",
            (query, limit),
        )
        return [source for (source,) in found]
