"""PURE. The answer that is begun before the turn is over: for which words, how often, and what it may cost in vain."""

from __future__ import annotations

from media_gateway.turns.types import DropReply, TurnCounts, TurnPolicy
from media_gateway.turns.words import normalised


class Ahead:
    """At most one answer at a time that nobody hears yet."""

    def __init__(self, policy: TurnPolicy, counts: TurnCounts) -> None:
        self._policy = policy
        self._counts = counts
        self.reply_id = 0
        """Of the answer that is being made ahead; 0: none is."""
        self.has_opener = False
        """It begins with words whose audio is there."""
        self._words: tuple[str, ...] = ()
        """What it answers; kept after it is gone, so that a failure is not repeated at once."""
        self._in_turn = 0

    def may_begin(self, words: str) -> bool:
        """Whether these words may be answered ahead: they were not yet, and neither turn nor call has spent its share."""
        wanted = normalised(words)
        allowed = self._policy.waste_share * self._counts.turns_answered + self._policy.waste_free
        return (
            wanted != self._words
            and self._in_turn < self._policy.ahead_per_turn
            and self._counts.ahead_dropped <= allowed
        )

    def begin(self, reply_id: int, words: str) -> None:
        """The answer to these words is being made."""
        self.reply_id = reply_id
        self.has_opener = False
        self._words = normalised(words)
        self._in_turn += 1
        self._counts.ahead_begun += 1

    def drop_unless_for(self, words: str) -> list[DropReply]:
        """Discard it when the caller's words are no longer those that it answers."""
        return [] if normalised(words) == self._words else self.drop()

    def drop(self) -> list[DropReply]:
        """Discard it if there is one."""
        if not self.reply_id:
            return []
        dropped = DropReply(reply_id=self.reply_id)
        self.reply_id = 0
        self._counts.ahead_dropped += 1
        return [dropped]

    def commit(self) -> int:
        """Hand it over: its id, or 0 when there is none."""
        reply_id, self.reply_id = self.reply_id, 0
        if reply_id:
            self._counts.ahead_committed += 1
        return reply_id

    def turn_over(self) -> None:
        """The next words are another turn's."""
        self._words = ()
        self._in_turn = 0
