"""Bring the store in line with a folder: new and changed documents in, gone ones out, the rest untouched.

Each document is stored whole before the next begins, so an ingest that broke off goes on where it was when it is run
again. A file that cannot be read is told with its reason; what the store has of it stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from media_gateway.knowledge.collection import PassageCollection
from media_gateway.knowledge.cutting import Document
from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.errors import KnowledgeBusy
from media_gateway.knowledge.passages import BadFile, read_documents
from media_gateway.knowledge.planning import plan

EMBED_AT_ONCE = 64
"""Passages between two looks at whether to stop, and two steps of a progress bar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an ingest is."""

    done: int
    total: int
    """Passages to embed."""
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What an ingest did."""

    written: tuple[str, ...]
    unchanged: tuple[str, ...]
    gone: tuple[str, ...]
    bad: tuple[BadFile, ...]
    passages: int
    """Of the documents that were read, written or not."""

    @property
    def changed(self) -> bool:
        """Whether the store is another than before."""
        return bool(self.written or self.gone)


@contextmanager
def only_ingest(folder: Path) -> Iterator[None]:
    """Hold the lock of this machine's ingests. Raises KnowledgeBusy at once when another has it.

    Ingests on two machines into one server are not kept apart: each document ends as one of the two wrote it, and the
    one that lost is told so by `PassageCollection.write`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "ingest.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise KnowledgeBusy("another ingest is running: wait until it has ended") from None
    try:
        yield
    finally:
        lock.release()


async def ingest(
    collection: PassageCollection,
    *,
    script_id: str,
    folder: Path,
    embedder: Embedder,
    told: Callable[[Progress], None] = lambda progress: None,
) -> Ingested:
    """Ingest a folder for one script. The caller holds `only_ingest`.

    Raises FileNotFoundError for no folder and `KnowledgeError`s for a store that cannot be used.
    """
    await collection.prepare()
    read = await asyncio.to_thread(lambda: list(read_documents(folder)))
    documents = [one for one in read if isinstance(one, Document)]
    bad = tuple(one for one in read if isinstance(one, BadFile))
    todo = plan(await collection.stored(script_id), documents, kept={one.name for one in bad})
    total = sum(len(replacement.document.chunks) for replacement in todo.write)
    done = 0
    for replacement in todo.write:
        texts = [chunk.embedded for chunk in replacement.document.chunks]
        vectors = []
        for start in range(0, len(texts), EMBED_AT_ONCE):
            some = texts[start : start + EMBED_AT_ONCE]
            vectors.append(await asyncio.to_thread(embedder.embed_many, some))
            done += len(some)
            told(Progress(done=done, total=total, document=replacement.document.name))
        await collection.write(script_id, replacement, np.concatenate(vectors))
    await collection.remove(todo.remove)
    return Ingested(
        written=tuple(replacement.document.name for replacement in todo.write),
        unchanged=todo.unchanged,
        gone=todo.gone,
        bad=bad,
        passages=sum(len(document.chunks) for document in documents),
    )
