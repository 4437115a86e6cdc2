"""Passages on a Qdrant server that fails in every way, and in local mode; never a reason for a call to wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import AnyUrl
from qdrant_client.async_qdrant_remote import AsyncQdrantRemote
from structlog.testing import capture_logs

from callspine.settings import base_url
from media_gateway.knowledge import breaker, local_store, server_store
from media_gateway.knowledge.clients import local_collection, mark_changed, server_collection
from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.ingest import ingest
from media_gateway.knowledge.opening import open_knowledge
from media_gateway.knowledge.server_store import SEARCH_WITHIN_S
from media_gateway.ports import Knowledge, Passage
from media_gateway.prefetch import MOST_WORDS, WAIT_S, Prefetch
from tests.simulators.qdrant import Fault, Qdrant, qdrant

FOLDER = Path("sales_scripts/solar_consult")
QUESTION = "How long is the warranty on the panels?"
Logs = list[MutableMapping[str, Any]]


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@asynccontextmanager
async def local(embedder: Embedder, store: Path, folder: Path = FOLDER) -> AsyncIterator[Knowledge]:
    made = await open_knowledge({"s": folder}, embedder=embedder, local_folder=store)
    yield made["s"]
    await made["s"].close()


@asynccontextmanager
async def remote(
    embedder: Embedder, server: Qdrant, *, api_key: str | None = None
) -> AsyncIterator[Knowledge]:
    made = await open_knowledge(
        {"s": FOLDER},
        embedder=embedder,
        local_folder=Path("unused"),
        url=server.url,
        api_key=api_key,
    )
    yield made["s"]
    await made["s"].close()


async def fill(server: Qdrant, embedder: Embedder) -> None:
    collection = server_collection(server.url, server.api_key or None)
    await ingest(collection, script_id="s", folder=FOLDER, embedder=embedder)
    await collection.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def told(logs: Logs, event: str) -> list[str]:
    return [str(entry.get("reason", "")) for entry in logs if entry["event"] == event]


def test_embeddings_are_unit_vectors_that_know_what_is_alike(embedder: Embedder) -> None:
    vectors = np.concatenate(
        [
            embedder.embed_many([text])
            for text in (
                "How long is the warranty?",
                "The guarantee lasts 25 years.",
                "I have two cats.",
            )
        ]
    )
    assert vectors.shape == (3, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    assert embedder.embed_many([]).shape == (0, 384)


# --- local mode --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "file"),
    [
        (QUESTION, "warranty"),
        ("Do I have to pay anything up front?", "financ"),
        ("Does the battery work in a power outage?", "battery"),
    ],
)
async def test_the_sample_answers_questions_without_a_server(
    embedder: Embedder, tmp_path: Path, question: str, file: str
) -> None:
    async with local(embedder, tmp_path) as knowledge:
        found = await knowledge.search(question)
        assert any(file in f"{p.source} {p.text}".lower() for p in found), [p.source for p in found]
        assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


async def test_words_about_something_else_find_nothing(embedder: Embedder, tmp_path: Path) -> None:
    async with local(embedder, tmp_path) as knowledge:
        assert await knowledge.search("chess grandmaster") == ()
        assert await knowledge.search("") == ()


async def test_a_stage_is_given_only_what_it_allows(embedder: Embedder, tmp_path: Path) -> None:
    async with local(embedder, tmp_path) as knowledge:
        for within, files in [
            (("warranty.md#Inverter and battery",), {"warranty.md#Inverter and battery"}),
            (
                ("battery.md", "nothing.md"),
                {"battery.md#Power outages", "battery.md#Adding one later"},
            ),
            (("nothing.md",), set()),
            ((), set()),
        ]:
            found = await knowledge.search("how long does the battery last", within=within)
            assert {passage.source for passage in found} == files, within


async def test_a_gateway_takes_over_what_an_ingest_beside_it_wrote(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_store, "LOOK_EVERY_S", 0.02)
    folder, store = tmp_path / "kb", tmp_path / "store"
    folder.mkdir()
    (folder / "a.md").write_text("# Cats\nWe have two cats.")
    async with local(embedder, store, folder) as knowledge:
        assert [p.text for p in await knowledge.search("how many cats")] == ["We have two cats."]
        (folder / "a.md").write_text("# Cats\nWe have three cats.")
        async with local_collection(store) as collection:
            await ingest(collection, script_id="s", folder=folder, embedder=embedder)
            assert (await knowledge.search("how many cats"))[0].text == "We have two cats."
        mark_changed(store)
        async with asyncio.timeout(10):
            while (await knowledge.search("how many cats"))[0].text != "We have three cats.":
                await asyncio.sleep(0.01)


async def test_a_start_beside_a_running_ingest_waits_for_it_in_the_background(
    embedder: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_store, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(local_store, "READY_WITHIN_S", 0.1)
    with capture_logs() as logs:
        async with local_collection(tmp_path):
            made = await open_knowledge({"s": FOLDER}, embedder=embedder, local_folder=tmp_path)
            assert await made["s"].search(QUESTION) == ()
        await until(lambda: told(logs, "knowledge_back"))
        assert await made["s"].search(QUESTION)
        await made["s"].close()
    assert told(logs, "knowledge_unavailable") == [
        "another ingest is running: wait until it has ended"
    ]


async def test_a_missing_folder_and_a_bad_file_are_told_and_the_rest_is_served(
    embedder: Embedder, tmp_path: Path
) -> None:
    folder = tmp_path / "kb"
    folder.mkdir()
    (folder / "a.md").write_text("# Cats\nWe have two cats.")
    (folder / "b.md").write_bytes(b"\xff")
    with capture_logs() as logs:
        made = await open_knowledge(
            {"none": tmp_path / "none", "s": folder}, embedder=embedder, local_folder=tmp_path / "s"
        )
        assert await made["s"].search("how many cats")
        assert await made["none"].search("how many cats") == ()
        await made["s"].close()
        await made["none"].close()
    assert "does not exist" in told(logs, "knowledge_not_read")[0]
    assert "not UTF-8" in told(logs, "document_not_read")[0]


async def test_a_damaged_store_costs_the_passages_only(embedder: Embedder, tmp_path: Path) -> None:
    (tmp_path / "qdrant").mkdir()
    (tmp_path / "qdrant" / "meta.json").write_text("no json")
    with capture_logs() as logs:
        made = await asyncio.wait_for(_opened_within(embedder, tmp_path, 0.5), 10)
        assert await made.search(QUESTION) == ()
        await made.close()
    assert "delete the folder" in told(logs, "knowledge_unavailable")[0]


async def _opened_within(embedder: Embedder, store: Path, seconds: float) -> Knowledge:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_store, "READY_WITHIN_S", seconds)
        return (await open_knowledge({"s": FOLDER}, embedder=embedder, local_folder=store))["s"]


async def test_after_close_nothing_is_found(embedder: Embedder, tmp_path: Path) -> None:
    async with local(embedder, tmp_path) as knowledge:
        pass
    assert await knowledge.search(QUESTION) == ()
    await knowledge.close()


# --- a server ----------------------------------------------------------------------------------


async def test_a_server_answers_like_local_mode(embedder: Embedder, tmp_path: Path) -> None:
    async with qdrant(api_key="secret") as server, local(embedder, tmp_path) as near:
        await fill(server, embedder)
        async with remote(embedder, server, api_key="secret") as far:
            for within in (None, ("warranty.md",)):
                here = await near.search(QUESTION, within=within)
                there = await far.search(QUESTION, within=within)
                assert [p.source for p in here] == [p.source for p in there]
                assert [p.score for p in here] == pytest.approx([p.score for p in there], abs=1e-4)


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_server_in_trouble_costs_the_passages_in_time_is_told_once_and_comes_back(
    embedder: Embedder, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(server_store, "PROBE_WITHIN_S", 0.5)
    async with qdrant() as server:
        await fill(server, embedder)
        with capture_logs() as logs:
            async with remote(embedder, server) as knowledge:
                assert await knowledge.search(QUESTION)
                server.always = fault
                for _ in range(breaker.FAILURES):
                    began_s = time.monotonic()
                    assert await knowledge.search(QUESTION) == ()
                    assert time.monotonic() - began_s < SEARCH_WITHIN_S + 0.5
                asked = sum("query" in at for at in server.asked)
                for _ in range(20):
                    assert await knowledge.search(QUESTION) == ()
                assert sum("query" in at for at in server.asked) == asked, "it was asked on"
                server.always = None
                server.let_go.set()
                await until(lambda: told(logs, "knowledge_back"))
                assert await knowledge.search(QUESTION)
        # A probe's own deadline, or the collection's look, may name the same trouble in its own words.
        assert 1 <= len(told(logs, "knowledge_unavailable")) <= 2


async def test_one_failed_look_up_does_not_keep_the_next_from_the_server(
    embedder: Embedder,
) -> None:
    async with qdrant() as server:
        await fill(server, embedder)
        async with remote(embedder, server) as knowledge:
            server.faults = [Fault.BROKEN]
            assert await knowledge.search(QUESTION) == ()
            assert await knowledge.search(QUESTION)


async def test_a_gateway_starts_without_the_server_and_finds_it_later(
    embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_WAIT_S", 0.02)
    async with qdrant() as server:
        with capture_logs() as logs:
            async with remote(embedder, server) as knowledge:
                assert await knowledge.search(QUESTION) == ()
                await fill(server, embedder)
                await until(lambda: told(logs, "knowledge_back"))
                assert await knowledge.search(QUESTION)
    assert "callspine knowledge ingest" in told(logs, "knowledge_unavailable")[0]


# --- prefetching -------------------------------------------------------------------------------


class SlowKnowledge:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gate = asyncio.Event()

    async def search(
        self, words: str, *, limit: int = 3, within: tuple[str, ...] | None = None
    ) -> tuple[Passage, ...]:
        self.asked.append(words)
        await self.gate.wait()
        return (Passage(source=words, text=" ".join(within or ()), score=1),)

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


async def test_passages_of_another_stage_are_never_handed_on() -> None:
    knowledge = SlowKnowledge()
    knowledge.gate.set()
    prefetch = Prefetch(knowledge)
    (first,) = await prefetch.passages("how long", ("a.md",))
    assert first.text == "a.md"
    knowledge.gate.clear()
    assert await prefetch.passages("how long", ("b.md",)) == ()
    knowledge.gate.set()
    (second,) = await prefetch.passages("how long", ("b.md",))
    assert second.text == "b.md"
    prefetch.close()


async def test_of_a_long_speech_the_newest_words_are_looked_up() -> None:
    knowledge = SlowKnowledge()
    knowledge.gate.set()
    prefetch = Prefetch(knowledge)
    await prefetch.passages(" ".join(f"w{n}" for n in range(100)))
    assert knowledge.asked[0].split() == [f"w{n}" for n in range(100 - MOST_WORDS, 100)]
    prefetch.close()


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://q.example.com:443", "https://q.example.com:443"),
        ("https://q.example.com", "https://q.example.com:443"),
        ("http://q.example.com", "http://q.example.com:80"),
        ("http://localhost:6333/", "http://localhost:6333"),
        ("https://example.com/qdrant", "https://example.com:443/qdrant"),
    ],
)
async def test_a_server_is_asked_at_the_urls_own_port(url: str, asked: str) -> None:
    """A URL type drops a port that is its scheme's; Qdrant's client would then ask at 6333, where a proxy has nobody."""
    collection = server_collection(base_url(AnyUrl(url)), "k")
    remote = collection._client._client
    assert isinstance(remote, AsyncQdrantRemote)
    assert remote.rest_uri == asked
    await collection.close()
