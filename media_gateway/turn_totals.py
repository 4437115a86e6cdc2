"""PURE. What became of the turns of many calls, added up: how often an answer was begun ahead, and what that cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from media_gateway.turns.types import TurnCounts


@dataclass(slots=True, kw_only=True)
class TurnTotals:
    """Of one call, or of a process since its start."""

    counts: TurnCounts = field(default_factory=TurnCounts)
    wasted_tokens: int = 0
    """That the model wrote of answers begun ahead and dropped; see `ReplyTrace.tokens_written`."""

    def add(self, other: TurnTotals) -> None:
        """Take a call's figures in."""
        for counter in fields(TurnCounts):
            now = getattr(self.counts, counter.name) + getattr(other.counts, counter.name)
            setattr(self.counts, counter.name, now)
        self.wasted_tokens += other.wasted_tokens

    def as_fields(self) -> dict[str, int]:
        """By name, for a log line or a health check."""
        return {**asdict(self.counts), "ahead_wasted_tokens": self.wasted_tokens}
