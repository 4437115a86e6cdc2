"""PURE. The audio of a call that no final transcript covers yet: what another recogniser has to hear again, and no more.

sent        ├──────────────────────────────┤
finals      ├────────────┤ "I own it."
replayed                 ├─────────────────┤
"""

from __future__ import annotations

from collections import deque

from media_gateway.speech.ports import Transcript

BYTES_PER_MS = 8
MOST_MS = 20_000
"""Kept; a caller who speaks longer without a final loses the beginning of what has to be heard again."""
PIECE_BYTES = 8000
"""Of a replay: a second, so that a recogniser's queue of frames is not filled by it."""
UNTOLD_LAG_MS = 500
"""A final that tells no times is taken to end so long before the audio that was sent last."""


class Unfinalised:
    """One recognition's. Positions are ms of all audio that was sent."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._start_bytes = 0
        self._end_bytes = 0
        self._asked_at_ms: int | None = None

    @property
    def starts_at_ms(self) -> int:
        """Where what is kept begins."""
        return self._start_bytes // BYTES_PER_MS

    @property
    def is_answer_due(self) -> bool:
        """A `finalize` was not answered."""
        return self._asked_at_ms is not None

    def sent(self, mulaw: bytes) -> None:
        """More audio was sent."""
        self._frames.append(mulaw)
        self._end_bytes += len(mulaw)
        self._drop_until(self._end_bytes - MOST_MS * BYTES_PER_MS)

    def asked(self) -> None:
        """A `finalize` was sent behind it."""
        self._asked_at_ms = self._end_bytes // BYTES_PER_MS

    def transcribed(self, transcript: Transcript) -> None:
        """Words came; `until_ms` counts from the first audio of all."""
        if not transcript.is_final:
            return
        until_ms = transcript.until_ms
        if until_ms is None:
            until_ms = self._end_bytes // BYTES_PER_MS - UNTOLD_LAG_MS
            if transcript.from_finalize and self._asked_at_ms is not None:
                until_ms = self._asked_at_ms
        if transcript.from_finalize:
            self._asked_at_ms = None
        self._drop_until(until_ms * BYTES_PER_MS)

    def replay(self) -> list[bytes]:
        """All that is kept, in pieces of a second."""
        audio = b"".join(self._frames)
        return [audio[at : at + PIECE_BYTES] for at in range(0, len(audio), PIECE_BYTES)]

    def _drop_until(self, end_bytes: int) -> None:
        while self._frames and self._start_bytes < end_bytes:
            frame = self._frames.popleft()
            cut = min(len(frame), end_bytes - self._start_bytes)
            self._start_bytes += cut
            if cut < len(frame):
                self._frames.appendleft(frame[cut:])
