"""Passages looked up while the caller still speaks, so that the reply does not wait for them."""

from __future__ import annotations

import asyncio
import re

from media_gateway.ports import Knowledge, Passage

_WORD = re.compile(r"[^\W_]+(?:['’.,][^\W_]+)*")
WAIT_S = 0.05
"""The reply waits this long for a look-up that is under way, then takes what the words before it found."""


def plain_words(words: str) -> str:
    """A final transcript mostly differs from the interim before it by capitals and points only: those are left out."""
    return " ".join(_WORD.findall(words.lower()))


class Prefetch:
    """One call's look-ups: at most one under way, always for the newest words."""

    def __init__(self, knowledge: Knowledge | None) -> None:
        self._knowledge = knowledge
        self._wanted = ""
        self._found_for = ""
        self._found: tuple[Passage, ...] = ()
        self._task: asyncio.Task[None] | None = None

    def want(self, words: str) -> None:
        """The caller's words so far."""
        words = plain_words(words)
        if self._knowledge is None or not words or words == self._wanted:
            return
        self._wanted = words
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._search(self._knowledge), name="prefetch")

    async def passages(self, words: str) -> tuple[Passage, ...]:
        """The best passages there are for these words within WAIT_S."""
        self.want(words)
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=WAIT_S)
        return self._found

    async def _search(self, knowledge: Knowledge) -> None:
        while self._found_for != self._wanted:
            words = self._wanted
            self._found = await knowledge.search(words)
            self._found_for = words

    def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
