"""`python -m bench knowledge`: recall beside BM25, look-ups beside Qdrant's own local mode, an ingest of 10,000 passages."""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from bench.knowledge.keyword_search import KeywordSearch
from bench.knowledge.recall import Question, missed, questions, row
from bench.knowledge.speed import measure
from bench.report import Row, report
from media_gateway.knowledge.clients import local_collection, mark_changed
from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.ingest import ingest
from media_gateway.knowledge.opening import open_knowledge
from media_gateway.knowledge.passages import read_folder
from media_gateway.ports import Knowledge
from media_gateway.prefetch import Prefetch

SAMPLE = Path("sales_scripts/solar_consult")
SCRIPT = "bench"
DOCUMENTS, SECTIONS = 500, 20
"""10,000 passages."""


async def main() -> None:
    """Print and write all tables."""
    asked = questions()
    embedder = Embedder()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with _opened(SAMPLE, folder / "small", embedder) as small:
            await _recall(asked, small)
            rows = [await _speed("Callspine, embedding included", 18, small, asked)]
            rows.append(await _vector_known(18, small, asked))
            rows.append(await _prefetched(small, asked))
        rows.append(await _peer(folder / "small", 18, embedder, asked))
        _write_many(folder / "many")
        await _ingests(folder)
        async with _opened(folder / "many", folder / "large", embedder) as large:
            rows.append(await _speed("Callspine, embedding included", 10_000, large, asked))
            within = tuple(f"part{number}.md" for number in range(50))
            rows.append(
                await measure(
                    "Callspine, 1,000 of them allowed",
                    10_000,
                    partial(large.search, within=within),
                    _asks(asked),
                )
            )
            rows.append(await _vector_known(10_000, large, asked))
        rows.append(await _peer(folder / "large", 10_000, embedder, asked))
    report(
        "knowledge_speed",
        "A look-up of a caller's words, and how late a 1 ms tick of the same loop comes",
        rows,
        [
            "One core embeds. Limit: 5 ms p99 for a look-up, and none of it on the event loop.",
            "The peer is qdrant-client's local mode, awaited on the loop, with the same payload filter.",
        ],
    )


@asynccontextmanager
async def _opened(documents: Path, store: Path, embedder: Embedder) -> AsyncIterator[Knowledge]:
    made = await open_knowledge({SCRIPT: documents}, embedder=embedder, local_folder=store)
    yield made[SCRIPT]
    await made[SCRIPT].close()


def _asks(asked: list[Question]) -> list[str]:
    return [question.ask for question in asked]


async def _recall(asked: list[Question], knowledge: Knowledge) -> None:
    ours = [[p.source for p in await knowledge.search(q.ask)] for q in asked]
    keywords = KeywordSearch(read_folder(SAMPLE))
    theirs = [keywords.best(q.ask, limit=3) for q in asked]
    report(
        "knowledge_recall",
        "How often an answering passage is among the first: the sample's documents, 18 passages",
        [row("MiniLM vectors (Callspine)", asked, ours), row("BM25 (SQLite FTS5)", asked, theirs)],
        [f"missed by Callspine: {ask}" for ask in missed(asked, ours)],
    )


async def _speed(name: str, passages: int, knowledge: Knowledge, asked: list[Question]) -> Row:
    return await measure(name, passages, knowledge.search, _asks(asked))


async def _vector_known(passages: int, knowledge: Knowledge, asked: list[Question]) -> Row:
    for words in _asks(asked):
        await knowledge.search(words)  # the embedder keeps it
    return await measure(
        "Callspine, vector known", passages, knowledge.search, _asks(asked), new=False
    )


async def _prefetched(knowledge: Knowledge, asked: list[Question]) -> Row:
    """What a reply waits for when the last interim text was the whole sentence."""
    prefetch = Prefetch(knowledge)

    async def ready(words: str) -> None:
        prefetch.want(words)
        await asyncio.sleep(0.05)

    row = await measure(
        "what the reply waits (prefetched)", 18, prefetch.passages, _asks(asked), before=ready
    )
    prefetch.close()
    return row


async def _peer(store: Path, passages: int, embedder: Embedder, asked: list[Question]) -> Row:
    vectors = {words: await embedder.embed(words) for words in _asks(asked)}
    async with local_collection(store) as collection:

        async def look_up(words: str) -> None:
            await collection.find(SCRIPT, vectors[words], limit=3, within=None)

        return await measure(
            "peer: local mode on the loop, vector known",
            passages,
            look_up,
            _asks(asked),
            new=False,
            times=300 if passages < 1000 else 30,
        )


def _write_many(folder: Path) -> None:
    """Documents of as many different passages, in the sample's own sentences and words."""
    folder.mkdir()
    texts = itertools.cycle([chunk.text for chunk in read_folder(SAMPLE)])
    for number in range(DOCUMENTS):
        sections = (
            f"## Part {section} of {number}\n{next(texts)} This is number {number}-{section}. {next(texts)}"
            for section in range(SECTIONS)
        )
        (folder / f"part{number}.md").write_text("\n\n".join(sections))


async def _ingests(folder: Path) -> None:
    embedder = Embedder(threads=os.cpu_count() or 1)
    rows: list[Row] = []
    for what in ("everything new", "nothing changed", "one document changed"):
        if what.startswith("one"):
            (folder / "many" / "part7.md").write_text("# New\nThis is new.")
        began_s = time.monotonic()
        async with local_collection(folder / "large") as collection:
            done = await ingest(
                collection, script_id=SCRIPT, folder=folder / "many", embedder=embedder
            )
            mark_changed(folder / "large")
        rows.append(
            {
                "ingest": what,
                "passages": done.passages,
                "documents written": len(done.written),
                "seconds": time.monotonic() - began_s,
            }
        )
    began_s = time.monotonic()
    async with local_collection(folder / "large") as collection:
        count = len(await collection.live())
    rows.append(
        {
            "ingest": "loaded by a gateway",
            "passages": count,
            "documents written": 0,
            "seconds": time.monotonic() - began_s,
        }
    )
    report("knowledge_ingest", "An ingest in local mode, on all cores", rows)
