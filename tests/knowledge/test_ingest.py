"""An ingest into local mode and into a server: idempotent, resumable, whole documents only, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import models

from media_gateway.knowledge.clients import local_collection, server_collection
from media_gateway.knowledge.collection import COLLECTION, PassageCollection
from media_gateway.knowledge.embedding import DIMENSIONS, MODEL, Embedder
from media_gateway.knowledge.errors import KnowledgeAway, KnowledgeBusy, KnowledgeMismatch
from media_gateway.knowledge.ingest import Ingested, Progress, ingest
from tests.simulators.qdrant import Fault, Qdrant, qdrant

Open = Callable[[], AbstractAsyncContextManager[PassageCollection]]


@asynccontextmanager
async def _server(made: Qdrant) -> AsyncIterator[PassageCollection]:
    collection = server_collection(made.url, made.api_key or None)
    yield collection
    await collection.close()


@pytest.fixture(params=["local", "server"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the same store again and again."""
    if request.param == "local":
        yield lambda: local_collection(tmp_path / "store")
    else:
        async with qdrant(api_key="secret") as made:
            yield lambda: _server(made)


async def run(opened: Open, folder: Path, embedder: Embedder, script_id: str = "s") -> Ingested:
    async with opened() as collection:
        return await ingest(collection, script_id=script_id, folder=folder, embedder=embedder)


async def sources(opened: Open, script_id: str = "s") -> list[str]:
    async with opened() as collection:
        return sorted(p.source for p in await collection.live() if p.script_id == script_id)


async def test_the_same_folder_twice_writes_once(
    opened: Open, documents: Path, embedder: Embedder
) -> None:
    first = await run(opened, documents, embedder)
    again = await run(opened, documents, embedder)

    assert first.written == ("guide.pdf", "more/notes.txt", "prices.md", "warranty.html")
    assert first.passages == again.passages == len(await sources(opened)) == 8
    assert (again.written, again.changed) == ((), False)
    assert again.unchanged == first.written


async def test_a_change_writes_that_document_and_what_is_gone_is_deleted(
    opened: Open, documents: Path, embedder: Embedder
) -> None:
    await run(opened, documents, embedder)
    (documents / "prices.md").write_text("# Prices\nA roof costs one dollar.")
    (documents / "guide.pdf").unlink()

    done = await run(opened, documents, embedder)

    assert (done.written, done.gone) == (("prices.md",), ("guide.pdf",))
    assert await sources(opened) == [
        "more/notes.txt",
        "prices.md#Prices",
        "warranty.html#Leaks",
        "warranty.html#Warranty",
    ]


async def test_a_bad_file_is_reported_and_what_was_stored_of_it_stays(
    opened: Open, documents: Path, embedder: Embedder
) -> None:
    await run(opened, documents, embedder)
    (documents / "guide.pdf").write_bytes(b"half a file")
    (documents / "prices.md").unlink()

    done = await run(opened, documents, embedder)

    assert [bad.name for bad in done.bad] == ["guide.pdf"]
    assert done.gone == ("prices.md",)
    assert "guide.pdf#Cleaning" in await sources(opened)


async def test_scripts_share_the_collection_and_do_not_see_each_other(
    opened: Open, documents: Path, embedder: Embedder, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.md").write_text("# Warranty\nNo warranty at all.")
    await run(opened, documents, embedder, "s")
    await run(opened, tmp_path / "other", embedder, "t")
    question = await embedder.embed("how long is the warranty")

    async with opened() as collection:
        mine = await collection.find("s", question, limit=3, within=None)
        theirs = await collection.find("t", question, limit=3, within=None)
        leaks = await collection.find("s", question, limit=3, within=("warranty.html#Leaks",))
        counts = await collection.scripts()

    assert mine[0].source == "warranty.html#Warranty"
    assert [passage.source for passage in theirs] == ["a.md#Warranty"]
    assert {passage.source for passage in leaks} <= {"warranty.html#Leaks"}
    assert counts == {"s": 8, "t": 1}


async def test_an_ingest_that_broke_off_is_gone_on_with(
    opened: Open, documents: Path, embedder: Embedder
) -> None:
    def stop_after_two(progress: Progress) -> None:
        if progress.document == "prices.md":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        async with opened() as collection:
            await ingest(
                collection, script_id="s", folder=documents, embedder=embedder, told=stop_after_two
            )
    done = await run(opened, documents, embedder)

    assert done.unchanged == ("guide.pdf", "more/notes.txt")
    assert done.written == ("prices.md", "warranty.html")
    assert len(await sources(opened)) == 8


async def test_an_index_of_another_model_is_refused_with_the_remedy(
    documents: Path, embedder: Embedder
) -> None:
    wrong: list[dict[str, models.VectorParams] | models.VectorParams] = [
        {"other-model": models.VectorParams(size=768, distance=models.Distance.COSINE)},
        {MODEL: models.VectorParams(size=768, distance=models.Distance.COSINE)},
        models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE),
    ]
    for vectors in wrong:
        async with qdrant() as made:
            made.store.create_collection(COLLECTION, vectors_config=vectors)
            with pytest.raises(KnowledgeMismatch, match=rf"{MODEL} .*delete the collection"):
                await run(lambda made=made: _server(made), documents, embedder)  # type: ignore[misc]


async def test_a_document_is_found_only_when_it_is_whole(
    documents: Path, embedder: Embedder
) -> None:
    async with qdrant() as made:
        await run(lambda: _server(made), documents, embedder)
        long = "\n".join(f"# Part {n}\nOur warranty, part {n}, is new." for n in range(250))
        (documents / "warranty.html").unlink()
        (documents / "prices.md").write_text(long)
        question = await embedder.embed("Our warranty, part 7")
        seen: set[str] = set()

        async def look(at: str) -> None:
            if (at.endswith("/points") and at.startswith("PUT")) or at.endswith("/batch"):
                async with _server(made) as other:
                    made.before = None
                    found = await other.find("s", question, limit=100, within=("prices.md",))
                    made.before = look
                    seen.update(passage.source.partition("#")[2] for passage in found)

        made.before = look
        await run(lambda: _server(made), documents, embedder)
        made.before = None

        assert made.asked.count(f"PUT /collections/{COLLECTION}/points") >= 3
        assert not {name for name in seen if name.startswith("Part")}, "a part was found"
        assert len([s for s in await sources(lambda: _server(made)) if "Part" in s]) == 250
        assert "prices.md#Small roofs" not in await sources(lambda: _server(made))


async def test_a_second_ingest_on_the_machine_is_refused(tmp_path: Path) -> None:
    async with local_collection(tmp_path):
        with pytest.raises(KnowledgeBusy, match="another ingest is running"):
            async with local_collection(tmp_path):
                pass
    async with local_collection(tmp_path):
        pass


@pytest.mark.parametrize("moment", ["/points/batch", "/points"], ids=["not yet shown", "shown"])
async def test_two_ingests_from_two_machines_end_with_one_of_both_and_one_is_told(
    tmp_path: Path, embedder: Embedder, moment: str
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "a.md").write_text(f"# A\nthe words of {folder.name}")

    async with qdrant() as made:
        await run(lambda: _server(made), folders[0], embedder)
        (folders[0] / "a.md").write_text("# A\nnewer words of one")

        async def other_machine(at: str) -> None:
            if at == f"POST /collections/{COLLECTION}{moment}":
                made.before = None
                await run(lambda: _server(made), folders[1], embedder)

        made.before = other_machine
        with pytest.raises(KnowledgeBusy, match=r"a\.md at the same time: run it again"):
            await run(lambda: _server(made), folders[0], embedder)
        async with _server(made) as collection:
            assert [p.text for p in await collection.live()] == ["the words of two"]
        await run(lambda: _server(made), folders[0], embedder)
        async with _server(made) as collection:
            assert [p.text for p in await collection.live()] == ["newer words of one"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.REFUSED_KEY, "CALLSPINE_QDRANT_API_KEY"),
        (Fault.BROKEN, "HTTP 500"),
        (Fault.CLOSED, "CALLSPINE_QDRANT_URL"),
        (Fault.NO_JSON, "CALLSPINE_QDRANT_URL"),
    ],
)
async def test_a_servers_trouble_ends_an_ingest_with_cause_and_remedy_and_it_can_be_run_again(
    documents: Path, embedder: Embedder, fault: Fault, reason: str
) -> None:
    async with qdrant() as made:
        made.faults = [fault]
        with pytest.raises(KnowledgeAway, match=reason):
            await run(lambda: _server(made), documents, embedder)
        done = await run(lambda: _server(made), documents, embedder)
    assert len(done.written) == 4


async def test_a_wrong_key_and_a_server_that_is_not_there_are_told(
    documents: Path, embedder: Embedder
) -> None:
    async with qdrant(api_key="right") as made:
        made.api_key, used = "another", server_collection(made.url, "wrong")
        with pytest.raises(KnowledgeAway, match="HTTP 401"):
            await used.check()
        await used.close()
    gone = server_collection(made.url, None)
    with pytest.raises(KnowledgeAway, match="CALLSPINE_QDRANT_URL"):
        await asyncio.wait_for(gone.check(), 5)
    await gone.close()


def test_vectors_made_many_at_once_are_those_made_one_by_one(embedder: Embedder) -> None:
    texts = ["How long is the warranty?", "Two cats. " * 40, "Roof", "It rains in spring."] * 6
    many = embedder.embed_many(texts)
    one_by_one = np.stack([embedder.embed_many([text])[0] for text in texts])
    # Eight-bit activations are scaled over the batch, so the numbers differ a little.
    assert (np.sum(many * one_by_one, axis=1) > 0.97).all()
