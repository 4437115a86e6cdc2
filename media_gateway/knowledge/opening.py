"""The passages of a gateway: on a server where one is set, else in local mode; for each script its own view of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from media_gateway.knowledge.clients import server_collection
from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.local_store import LocalStore
from media_gateway.knowledge.server_store import ServerStore
from media_gateway.ports import Knowledge, Passage


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptKnowledge:
    """One script's passages in the store of all. See `Knowledge`."""

    script_id: str
    store: ServerStore | LocalStore

    async def search(
        self, words: str, *, limit: int = 3, within: tuple[str, ...] | None = None
    ) -> tuple[Passage, ...]:
        """See `Knowledge`."""
        if within == () or not words:
            return ()
        return await self.store.search(self.script_id, words, limit=limit, within=within)

    async def close(self) -> None:
        """Close the store of all scripts. Idempotent."""
        await self.store.close()


async def open_knowledge(
    documents: Mapping[str, Path],
    *,
    embedder: Embedder,
    local_folder: Path,
    url: str | None = None,
    api_key: str | None = None,
) -> dict[str, Knowledge]:
    """Knowledge by script id, for these scripts' folders of documents. Never raises for a store that is away.

    With a server the folders are not read: `callspine knowledge ingest` fills it.
    """
    if not documents:
        return {}
    store: ServerStore | LocalStore
    if url is None:
        store = LocalStore(local_folder, documents, embedder)
    else:
        store = ServerStore(server_collection(url, api_key), embedder)
    await store.open()
    return {script_id: ScriptKnowledge(script_id=script_id, store=store) for script_id in documents}
