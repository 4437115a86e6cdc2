"""The turn's model chosen while the caller still speaks; at his last word the choice is there, or the fast one answers."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from media_gateway.prefetch import all_plain_words

log = structlog.get_logger(__name__)

CHOOSE_WITHIN_S = 1.0
"""For a router that asks somebody else; the words will have changed by then."""


class Choice(Protocol):
    """Which client answers these words."""

    async def choose(self, words: str) -> str:
        """A client's name, by what the caller has said in this turn so far. May take time, never the loop's."""


class RouteAhead:
    """One call's choices: at most one under way, always for the newest words. `choice` None: nothing is chosen."""

    def __init__(self, choice: Choice | None) -> None:
        self._choice = choice
        self._wanted = self._chosen_for = self._chosen = ""
        self._task: asyncio.Task[None] | None = None

    def want(self, words: str) -> None:
        """The caller's words so far, with every interim. Cheap to repeat; never waits, never raises."""
        words = all_plain_words(words)
        if self._choice is None or not words or words == self._wanted:
            return
        self._wanted = words
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._choose(self._choice), name="route")

    def chosen(self, words: str) -> str:
        """The client for these words, or for their beginning; empty when nothing is known. Never waits."""
        # All of them: a long turn's newest ones begin elsewhere with each word more.
        words = all_plain_words(words)
        is_same_turn = bool(self._chosen_for) and words.startswith(self._chosen_for)
        return self._chosen if is_same_turn else ""

    def close(self) -> None:
        """Stop choosing. Idempotent."""
        if self._task is not None:
            self._task.cancel()

    async def _choose(self, choice: Choice) -> None:
        while self._chosen_for != (words := self._wanted):
            try:
                async with asyncio.timeout(CHOOSE_WITHIN_S):
                    chosen = await choice.choose(words)
            except Exception as error:  # noqa: BLE001 - a task's top: without a choice the fast model answers
                log.warning("turn_not_routed", error=type(error).__name__)
                if self._wanted == words:
                    return
                continue
            self._chosen, self._chosen_for = chosen, words
