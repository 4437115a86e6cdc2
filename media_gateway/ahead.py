"""PURE. What replies that were begun before the caller's turn was over came to: of a call, or of a whole process."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class AheadCount:
    """Replies begun ahead. Those that are neither committed nor dropped are being made."""

    begun: int = 0
    committed: int = 0
    dropped: int = 0
    wasted_tokens: int = 0
    """That the model had written of the dropped ones; see `ReplyTrace.tokens_written`."""

    def begin(self) -> None:
        """One more is made."""
        self.begun += 1

    def commit(self) -> None:
        """The caller's turn was over, and its words were these."""
        self.committed += 1

    def drop(self, *, tokens: int) -> None:
        """It was made for nothing."""
        self.dropped += 1
        self.wasted_tokens += tokens

    def add(self, other: AheadCount) -> None:
        """Take a call's figures into a process's."""
        self.begun += other.begun
        self.committed += other.committed
        self.dropped += other.dropped
        self.wasted_tokens += other.wasted_tokens
