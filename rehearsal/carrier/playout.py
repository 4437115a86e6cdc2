"""PURE. What waits to be played to the caller: audio and marks in one queue, marks told when they are reached or cleared."""

from __future__ import annotations

from collections import deque

FRAME_BYTES = 160
SILENCE = b"\xff"


class PlayoutBuffer:
    """One stream's queue."""

    def __init__(self) -> None:
        self._queue: deque[bytes | str] = deque()
        self.waiting_bytes = 0

    def add(self, mulaw: bytes) -> None:
        """Audio behind everything that waits."""
        self._queue.append(mulaw)
        self.waiting_bytes += len(mulaw)

    def mark(self, name: str) -> list[str]:
        """A mark behind everything that waits. Returns marks to tell now."""
        self._queue.append(name)
        return self._reached()

    def clear(self) -> list[str]:
        """Drop all audio. Returns every mark that waited, in order."""
        marks = [item for item in self._queue if isinstance(item, str)]
        self._queue.clear()
        self.waiting_bytes = 0
        return marks

    def play(self) -> tuple[bytes, list[str]]:
        """The next 20 ms, silence where there is none, and the marks reached with it."""
        frame = bytearray()
        marks = self._reached()
        while self._queue and len(frame) < FRAME_BYTES:
            audio = self._queue.popleft()
            if isinstance(audio, str):
                raise AssertionError("marks in front are told before audio is played")
            need = FRAME_BYTES - len(frame)
            frame += audio[:need]
            self.waiting_bytes -= len(audio[:need])
            if audio[need:]:
                self._queue.appendleft(audio[need:])
            marks += self._reached()
        return bytes(frame) + SILENCE * (FRAME_BYTES - len(frame)), marks

    def _reached(self) -> list[str]:
        marks = []
        while self._queue and isinstance(self._queue[0], str):
            marks.append(str(self._queue.popleft()))
        return marks
