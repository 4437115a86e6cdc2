"""PURE. Silence that was sent in place of audio that did not come: the vendor counts it, and whoever sent the audio does not."""

from __future__ import annotations

from collections import deque


class AddedSilence:
    """One stream's. Positions are ms of all that the stream holds, what was added included."""

    def __init__(self) -> None:
        self._ahead: deque[tuple[int, int]] = deque()
        """Position and length of what lies behind all positions that were asked for."""
        self._before_ms = 0

    def added(self, at_ms: int, length_ms: int) -> None:
        """Behind everything so far."""
        self._ahead.append((at_ms, length_ms))

    def without(self, position_ms: int) -> int:
        """The position in the audio alone. Positions that are asked for never go back."""
        while self._ahead and sum(self._ahead[0]) <= position_ms:
            self._before_ms += self._ahead.popleft()[1]
        inside_ms = max(0, position_ms - self._ahead[0][0]) if self._ahead else 0
        return position_ms - self._before_ms - inside_ms
