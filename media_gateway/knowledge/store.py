"""Passages in Qdrant: one collection a script, looked up off the event loop, never a reason for a call to wait.

Local mode runs in this process and answers synchronously (`:memory:`, filled at start: a script has dozens of
passages), so it lives in a worker thread; a server is reached by its async client.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from qdrant_client import AsyncQdrantClient, QdrantClient, models

from media_gateway.knowledge.embedding import DIMENSIONS, Embedder
from media_gateway.knowledge.passages import Chunk, read_folder
from media_gateway.ports import Passage

log = structlog.get_logger(__name__)

SEARCH_TIMEOUT_S = 0.3
LEAST_SCORE = 0.2
"""Cosine similarity below which a passage is about something else."""


class QdrantKnowledge:
    """The passages of one script. Make it with `open`."""

    def __init__(
        self,
        collection: str,
        embedder: Embedder,
        *,
        local: QdrantClient | None = None,
        server: AsyncQdrantClient | None = None,
    ) -> None:
        self._collection = collection
        self._embedder = embedder
        self._local = local
        self._server = server
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="qdrant")

    @classmethod
    async def open(
        cls,
        *,
        script_id: str,
        folder: Path,
        embedder: Embedder,
        url: str | None = None,
        api_key: str | None = None,
    ) -> QdrantKnowledge:
        """Bring the collection in line with the folder: new passages in, gone ones out, the rest untouched."""
        collection = f"script_{script_id}"
        chunks = await asyncio.to_thread(read_folder, folder)
        if url is None:
            knowledge = cls(collection, embedder, local=QdrantClient(":memory:"))
        else:
            # The constructor's own version check would block the loop.
            client = AsyncQdrantClient(
                url=url, api_key=api_key, timeout=5, check_compatibility=False
            )
            knowledge = cls(collection, embedder, server=client)
        await knowledge._bring_in_line(chunks)
        return knowledge

    async def _bring_in_line(self, chunks: list[Chunk]) -> None:
        vectors = await asyncio.to_thread(
            self._embedder.embed_many, [f"{chunk.source}: {chunk.text}" for chunk in chunks]
        )
        points = [
            models.PointStruct(
                id=chunk.chunk_id,
                vector=vector.tolist(),
                payload={"source": chunk.source, "text": chunk.text},
            )
            for chunk, vector in zip(chunks, vectors, strict=True)
        ]
        config = models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)
        if self._local is not None:
            local = self._local
            await asyncio.to_thread(local.create_collection, self._collection, config)
            await asyncio.to_thread(local.upsert, self._collection, points)
            return
        server = self._server
        if server is None:
            raise AssertionError("a store has a local or a server client")
        if not await server.collection_exists(self._collection):
            await server.create_collection(self._collection, vectors_config=config)
        await server.upsert(self._collection, points)
        wanted = [chunk.chunk_id for chunk in chunks]
        gone = models.Filter(must_not=[models.HasIdCondition(has_id=list(wanted))])
        await server.delete(self._collection, models.FilterSelector(filter=gone))

    async def search(self, words: str, *, limit: int = 3) -> tuple[Passage, ...]:
        """Best passages first; none on any trouble. See `Knowledge`."""
        try:
            async with asyncio.timeout(SEARCH_TIMEOUT_S):
                return await self._search(words, limit)
        except Exception as error:  # noqa: BLE001 - a vendor's trouble of any kind costs the passages, never the call
            log.warning("knowledge_unavailable", error=type(error).__name__)
            return ()

    async def _search(self, words: str, limit: int) -> tuple[Passage, ...]:
        vector = (await self._embedder.embed(words)).tolist()
        if self._local is not None:
            local = self._local
            answer = await asyncio.get_running_loop().run_in_executor(
                self._thread,
                lambda: local.query_points(
                    self._collection, query=vector, limit=limit, score_threshold=LEAST_SCORE
                ),
            )
        elif self._server is not None:
            answer = await self._server.query_points(
                self._collection, query=vector, limit=limit, score_threshold=LEAST_SCORE
            )
        else:
            return ()
        return tuple(
            Passage(
                source=str((point.payload or {}).get("source", "")),
                text=str((point.payload or {}).get("text", "")),
                score=point.score,
            )
            for point in answer.points
        )

    async def close(self) -> None:
        """Release the store. Idempotent; a look-up afterwards finds nothing."""
        if self._local is not None:
            await asyncio.to_thread(self._local.close)
        if self._server is not None:
            await self._server.close()
        self._thread.shutdown(wait=False)
