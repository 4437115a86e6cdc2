"""Look-ups without a server: the local store is brought in line with the scripts' folders and loaded into memory.

The store is one Qdrant folder for all gateways and ingests of a machine, open only to write and to load; calls are
served from `Shelf`s. A gateway loads again when an ingest says that it changed something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import structlog

from media_gateway.knowledge.clients import local_collection, mark_changed, version_of
from media_gateway.knowledge.collection import PassageCollection
from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.errors import KnowledgeError, KnowledgeMissing
from media_gateway.knowledge.ingest import ingest
from media_gateway.knowledge.loop_thread import LoopThread
from media_gateway.knowledge.server_store import SEARCH_WITHIN_S
from media_gateway.knowledge.shelf import Shelf
from media_gateway.knowledge.trouble_log import TroubleLog
from media_gateway.ports import Passage

log = structlog.get_logger(__name__)

READY_WITHIN_S = 20.0
"""A start waits so long for the passages; a large folder that nobody ingested before goes on in the background."""
LOOK_EVERY_S = 2.0
"""For a change by an ingest, and for a store that another process has open."""


class LocalStore:
    """All scripts' passages. `open` before the first look-up, `close` once."""

    def __init__(self, folder: Path, documents: Mapping[str, Path], embedder: Embedder) -> None:
        self._folder = folder
        self._documents = documents
        self._embedder = embedder
        self._thread = LoopThread("knowledge")
        self._shelves: Mapping[str, Shelf] = {}
        self._told = TroubleLog()
        self._keeping: asyncio.Task[None] | None = None
        self._is_ready = asyncio.Event()
        self._version = ""
        self._is_closed = False

    async def open(self) -> None:
        """Wait for the passages, but not for ever. Never raises for what may be wrong with them: it is logged."""
        self._keeping = asyncio.create_task(self._keep(), name="knowledge")
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await self._is_ready.wait()
        except TimeoutError:
            log.warning("knowledge_is_being_made", folder=str(self._folder))

    async def search(
        self, script_id: str, words: str, *, limit: int, within: tuple[str, ...] | None
    ) -> tuple[Passage, ...]:
        """Best passages first; none while they are being made."""
        shelf = self._shelves.get(script_id)
        if shelf is None or self._is_closed:
            return ()
        try:
            async with asyncio.timeout(SEARCH_WITHIN_S):
                return await self._embedder.embed_then(
                    words, lambda vector: shelf.best(vector, limit=limit, within=within)
                )
        except TimeoutError:
            self._told.trouble("too many look-ups at once for this machine's processor")
            return ()

    async def close(self) -> None:
        """Stop following the store. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._thread.close()

    async def _keep(self) -> None:
        work = self._bring_in_line
        while True:
            try:
                if work == self._bring_in_line or self._version != await self._version_now():
                    await self._thread.run(work())
                    work = self._load_anew
                    self._is_ready.set()
                    self._told.over()
            except KnowledgeError as error:
                self._told.trouble(str(error))
            except Exception as error:  # noqa: BLE001 - a damaged store or a full disk costs the passages, never the gateway
                self._told.trouble(f"{type(error).__name__} in {self._folder}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _version_now(self) -> str:
        return await asyncio.to_thread(version_of, self._folder)

    async def _bring_in_line(self) -> None:
        async with local_collection(self._folder) as collection:
            await self._load(collection)
            has_changed = False
            for script_id, folder in self._documents.items():
                try:
                    done = await ingest(
                        collection, script_id=script_id, folder=folder, embedder=self._embedder
                    )
                except FileNotFoundError as error:
                    log.error("knowledge_not_read", script=script_id, reason=str(error))
                    continue
                for bad in done.bad:
                    log.warning("document_not_read", file=str(folder / bad.name), reason=bad.reason)
                has_changed |= done.changed
            if has_changed:
                mark_changed(self._folder)
                await self._load(collection)

    async def _load_anew(self) -> None:
        async with local_collection(self._folder) as collection:
            await self._load(collection)

    async def _load(self, collection: PassageCollection) -> None:
        """Take the store's passages, all at once."""
        version = version_of(self._folder)
        try:
            await collection.check()
        except KnowledgeMissing:
            return  # the first ingest makes it
        passages = await collection.live()
        self._shelves = {
            script_id: Shelf([one for one in passages if one.script_id == script_id])
            for script_id in self._documents
        }
        self._version = version
