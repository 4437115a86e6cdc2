"""PURE. How many flushes a socket may still be sent: the service counts them over the last minute."""

from __future__ import annotations

from collections import deque

MOST = 20
WINDOW_S = 60.0
"""Deepgram's limit for Aura: above it a flush is answered with a Warning, and what becomes of it is not documented."""


class FlushBudget:
    """One socket's. Times are seconds of the driver's clock, and never go back."""

    def __init__(self, most: int = MOST, window_s: float = WINDOW_S) -> None:
        self._most = most
        self._window_s = window_s
        self._sent: deque[float] = deque()

    def left(self, now_s: float) -> int:
        """So many may be sent now."""
        while self._sent and self._sent[0] <= now_s - self._window_s:
            self._sent.popleft()
        return self._most - len(self._sent)

    def spent(self, now_s: float) -> None:
        """One was sent."""
        self._sent.append(now_s)
