"""PURE. Which audio of a stream may have to be sent again: what the recogniser has not finished, up to a bound."""

from __future__ import annotations


class UnfinishedAudio:
    """A ring of the stream's newest audio. Positions are bytes from the stream's first one."""

    def __init__(self, *, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._kept = bytearray()
        self.begin = 0
        """Of the oldest audio that is still here."""

    @property
    def end(self) -> int:
        """Behind the newest audio."""
        return self.begin + len(self._kept)

    def add(self, audio: bytes) -> int:
        """Take the next audio. Returns how many of the oldest bytes had to go for it."""
        self._kept += audio
        overflow = max(0, len(self._kept) - self._most_bytes)
        if overflow:
            self._forget(overflow)
        return overflow

    def after(self, position: int, *, most_bytes: int) -> bytes:
        """Audio from `position` on; empty when there is none yet. Raises ValueError when it is gone."""
        if position < self.begin:
            raise ValueError(f"audio before byte {self.begin} is gone")
        at = position - self.begin
        return bytes(self._kept[at : at + most_bytes])

    def finished(self, position: int) -> None:
        """What lies before `position` is never needed again."""
        self._forget(min(max(0, position - self.begin), len(self._kept)))

    def _forget(self, count: int) -> None:
        del self._kept[:count]  # the interpreter moves its beginning, not its bytes
        self.begin += count
