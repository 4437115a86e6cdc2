"""The words' store for an event loop: its own few threads, a deadline, and errors that senders know what to do with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError, RPCStatusCode

from callspine.privacy.word_store import WordStore

WITHIN_S = 5.0
THREADS = 4
T = TypeVar("T")


class WordStoreAway(RPCError):
    """The database did not do its part. To whoever sends a message this is Temporal being away: it is tried again."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"the words' database did not answer ({reason}): see CALLSPINE_DATABASE_URL",
            RPCStatusCode.UNAVAILABLE,
            b"",
        )


class CallForgotten(RPCError):
    """A message to a call whose words were deleted. To whoever sends it the call is gone: it is not tried again."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(
            f"the words of {workflow_id} were deleted, and no more are kept",
            RPCStatusCode.NOT_FOUND,
            b"",
        )


class StoreInThreads:
    """The store for an event loop: its own few threads, and a deadline."""

    def __init__(self, store: WordStore) -> None:
        self.store = store
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="words")

    async def ask(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run one of the store's methods. Raises WordStoreAway."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(WITHIN_S):
                return await loop.run_in_executor(self._threads, work, *arguments)
        except TimeoutError:
            raise WordStoreAway(f"not within {WITHIN_S:.0f} s") from None
        except (SQLAlchemyError, OSError) as error:
            # Without the cause: a database's own message may quote a row.
            raise WordStoreAway(type(error).__name__) from None
