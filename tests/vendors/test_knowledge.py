"""Passages: cut from markdown, embedded, found in Qdrant, prefetched; never a reason for a call to wait."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.passages import read_folder, split_markdown
from media_gateway.knowledge.store import QdrantKnowledge
from media_gateway.ports import Passage
from media_gateway.prefetch import WAIT_S, Prefetch

FOLDER = Path("sales_scripts/solar_consult")


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def test_a_passage_is_a_heading_with_text() -> None:
    chunks = split_markdown("intro\n# One\n\nfirst\nline\n## Empty\n### Two\nsecond\n", "a.md")
    assert [(chunk.source, chunk.text) for chunk in chunks] == [
        ("a.md", "intro"),
        ("a.md#One", "first line"),
        ("a.md#Two", "second"),
    ]
    again = split_markdown("# One\nfirst line", "a.md")
    assert again[0].chunk_id == chunks[1].chunk_id


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        read_folder(tmp_path / "nothing-here")


def test_embeddings_are_unit_vectors_that_know_what_is_alike(embedder: Embedder) -> None:
    vectors = embedder.embed_many(
        ["How long is the warranty?", "The guarantee lasts 25 years.", "I have two cats."]
    )
    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert embedder.embed_many([]).shape == (0, 384)


@pytest.mark.parametrize(
    ("question", "file"),
    [
        ("How long is the warranty on the panels?", "warranty"),
        ("Do I have to pay anything up front?", "financ"),
        ("Does the battery work in a power outage?", "battery"),
    ],
)
async def test_the_sample_answers_questions(embedder: Embedder, question: str, file: str) -> None:
    knowledge = await QdrantKnowledge.open(script_id="s", folder=FOLDER, embedder=embedder)
    found = await knowledge.search(question)
    assert any(file in f"{p.source} {p.text}".lower() for p in found), [p.source for p in found]
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    await knowledge.close()


async def test_words_about_something_else_find_nothing(embedder: Embedder) -> None:
    knowledge = await QdrantKnowledge.open(script_id="s", folder=FOLDER, embedder=embedder)
    assert await knowledge.search("xylophone quartet rehearsal") == ()
    await knowledge.close()


async def test_a_store_that_is_away_costs_the_passages_only(embedder: Embedder) -> None:
    knowledge = await QdrantKnowledge.open(script_id="s", folder=FOLDER, embedder=embedder)
    await knowledge.close()
    assert await knowledge.search("How long is the warranty?") == ()


class SlowKnowledge:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()

    async def search(self, words: str, *, limit: int = 3) -> tuple[Passage, ...]:
        self.asked.append(words)
        await self.gate.wait()
        return (Passage(source=words, text="", score=1),)

    async def close(self) -> None:
        return


async def test_prefetch_looks_up_the_newest_words_one_at_a_time() -> None:
    knowledge = SlowKnowledge()
    prefetch = Prefetch(knowledge)
    for words in ("how", "how long", "how long is it", "how long is it"):
        prefetch.want(words)
        await asyncio.sleep(0)
    assert knowledge.asked == ["how"]
    knowledge.gate.set()
    (found,) = await prefetch.passages("how long is it")
    assert found.source == "how long is it"
    assert knowledge.asked == ["how", "how long is it"]
    prefetch.close()


async def test_a_reply_waits_for_passages_no_longer_than_it_may() -> None:
    knowledge = SlowKnowledge()
    prefetch = Prefetch(knowledge)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await prefetch.passages("how long") == ()
    assert loop.time() - began_s < WAIT_S + 0.5
    prefetch.close()


async def test_without_knowledge_there_is_nothing_to_look_up() -> None:
    assert await Prefetch(None).passages("how long") == ()


async def test_a_final_that_differs_by_capitals_and_points_is_not_looked_up_again() -> None:
    knowledge = SlowKnowledge()
    knowledge.gate.set()
    prefetch = Prefetch(knowledge)
    await prefetch.passages("how long is it it's 1,000 dollars")
    assert await prefetch.passages("How long is it? It's 1,000 dollars.")
    await prefetch.passages("How long is it? It's 2,000 dollars.")
    assert len(knowledge.asked) == 2
    prefetch.close()
