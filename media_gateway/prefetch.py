"""Passages looked up while the caller still speaks, so that the reply does not wait for them."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from media_gateway.ports import Knowledge, Passage

_WORD = re.compile(r"[^\W_]+(?:['’.,][^\W_]+)*")
WAIT_S = 0.05
"""The reply waits this long for a look-up that is under way, then takes what the words before it found."""
MOST_WORDS = 32
"""Of the newest: a question stands at the end of what is said, and embedding takes 0.2 ms a word."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    words: str
    within: tuple[str, ...] | None
    """What the stage allows; see `Knowledge.search`."""


def plain_words(words: str) -> str:
    """What is embedded of them: the newest MOST_WORDS of `all_plain_words`."""
    return " ".join(_WORD.findall(words.lower())[-MOST_WORDS:])


def all_plain_words(words: str) -> str:
    """As a caller's final transcript and the interim before it have them: those mostly differ by capitals and points."""
    return " ".join(_WORD.findall(words.lower()))


class Prefetch:
    """One call's look-ups: at most one under way, always for the newest words."""

    def __init__(self, knowledge: Knowledge | None) -> None:
        self._knowledge = knowledge
        self._wanted = self._found_for = _Wanted("", None)
        self._found: tuple[Passage, ...] = ()
        self._task: asyncio.Task[None] | None = None

    def want(self, words: str, within: tuple[str, ...] | None = None) -> None:
        """The caller's words so far, and what the present stage allows to be quoted."""
        words = plain_words(words)
        wanted = _Wanted(words, within)
        if self._knowledge is None or not words or wanted == self._wanted:
            return
        self._wanted = wanted
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._search(self._knowledge), name="prefetch")

    async def passages(
        self, words: str, within: tuple[str, ...] | None = None
    ) -> tuple[Passage, ...]:
        """The best passages there are for these words within WAIT_S; none of another stage's."""
        self.want(words, within)
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=WAIT_S)
        return self._found if self._found_for.within == within else ()

    async def _search(self, knowledge: Knowledge) -> None:
        while self._found_for != self._wanted:
            wanted = self._wanted
            found = await knowledge.search(wanted.words, within=wanted.within)
            self._found, self._found_for = found, wanted

    def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
