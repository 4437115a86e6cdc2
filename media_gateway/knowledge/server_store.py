"""Look-ups on a Qdrant server: none of its troubles costs a call more than the passages.

The client's work (JSON, validation, sockets) is done by a loop in a thread of its own. After some failures in a row the
server is not asked at all until a probe in the background finds it well again. Never ran against a real server here.
"""

from __future__ import annotations

import asyncio

from media_gateway.knowledge.breaker import Breaker
from media_gateway.knowledge.collection import PassageCollection
from media_gateway.knowledge.embedding import Embedder
from media_gateway.knowledge.errors import KnowledgeError
from media_gateway.knowledge.loop_thread import LoopThread
from media_gateway.knowledge.trouble_log import TroubleLog
from media_gateway.ports import Passage

SEARCH_WITHIN_S = 0.3
"""Longest look-up, the embedding included. It runs while the caller speaks; a reply waits for it less than that."""
PROBE_WITHIN_S = 2.0


class ServerStore:
    """All scripts' passages. `open` before the first look-up, `close` once."""

    def __init__(self, collection: PassageCollection, embedder: Embedder) -> None:
        self._collection = collection
        self._embedder = embedder
        self._thread = LoopThread("qdrant")
        self._breaker = Breaker()
        self._told = TroubleLog()
        self._probing: asyncio.Task[None] | None = None
        self._is_closed = False

    async def open(self) -> None:
        """Find out whether the collection is there and ours. A server that is away is waited for in the background."""
        if not await self._probe():
            self._breaker.open()
            self._start_probing()

    async def search(
        self, script_id: str, words: str, *, limit: int, within: tuple[str, ...] | None
    ) -> tuple[Passage, ...]:
        """Best passages first; none on any trouble, and none at once while the server is known to be away."""
        if self._breaker.is_open or self._is_closed:
            return ()
        ends_s = asyncio.get_running_loop().time() + SEARCH_WITHIN_S
        try:
            async with asyncio.timeout_at(ends_s):
                vector = await self._embedder.embed(words)
        except TimeoutError:
            self._told.trouble("too many look-ups at once for this machine's processor")
            return ()
        look_up = self._collection.find(script_id, vector, limit=limit, within=within)
        try:
            async with asyncio.timeout_at(ends_s):
                found = await self._thread.run(look_up)
        except TimeoutError:
            self._failed(f"Qdrant does not answer within {SEARCH_WITHIN_S} s")
        except Exception as error:  # noqa: BLE001 - a vendor's trouble of any kind costs the passages, never the call
            self._failed(_reason(error))
        else:
            self._breaker.succeeded()
            self._told.over()
            return found
        return ()

    async def close(self) -> None:
        """Stop probing, close the client and its thread. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._thread.run(self._collection.close())
        await self._thread.close()

    def _failed(self, reason: str) -> None:
        self._told.trouble(reason)
        if self._breaker.failed():
            self._start_probing()

    def _start_probing(self) -> None:
        self._probing = asyncio.create_task(self._probe_until_well(), name="knowledge probe")

    async def _probe_until_well(self) -> None:
        while True:
            await asyncio.sleep(self._breaker.wait_s)
            if await self._probe():
                self._breaker.succeeded()
                return
            self._breaker.probe_failed()

    async def _probe(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_WITHIN_S):
                await self._thread.run(self._collection.check())
        except Exception as error:  # noqa: BLE001 - as in `search`
            self._told.trouble(_reason(error))
            return False
        self._told.over()
        return True


def _reason(error: Exception) -> str:
    if isinstance(error, KnowledgeError):
        return str(error)
    return f"Qdrant does not answer as it should ({type(error).__name__})"
