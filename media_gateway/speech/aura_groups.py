"""PURE. Which segment Aura's audio is of: it comes without a label, in order, with one `Flushed` behind each flush.

A flush mostly holds one segment. Where flushes had to be saved it holds several; then each takes audio for its letters,
at the pace of speech, and the last one takes the rest.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from media_gateway.speech.ports import SegmentDone, SpokenAudio

BYTES_PER_LETTER = 8 * 65
"""15 letters and spaces a second."""


@dataclass(slots=True)
class _Group:
    segments: list[tuple[int, int]] = field(default_factory=list)
    """`(segment, bytes of audio that it may take)`, of those that are not whole."""


class FlushGroups:
    """One reply's flushes, the one that is spoken now at the front."""

    def __init__(self) -> None:
        self._flushed: deque[_Group] = deque()
        self._open = _Group()

    @property
    def has_unflushed(self) -> bool:
        """There is text that no flush followed."""
        return bool(self._open.segments)

    @property
    def is_quiet(self) -> bool:
        """All that was flushed is spoken."""
        return not self._flushed

    def said(self, segment: int, text: str) -> None:
        """Text of this segment was sent."""
        self._open.segments.append((segment, (len(text) + 1) * BYTES_PER_LETTER))

    def flush_sent(self) -> None:
        """A flush was sent behind it."""
        self._flushed.append(self._open)
        self._open = _Group()

    def audio(self, mulaw: bytes) -> list[SpokenAudio | SegmentDone]:
        """Whose this audio is. None's, if nothing was asked for."""
        out: list[SpokenAudio | SegmentDone] = []
        segments = self._flushed[0].segments if self._flushed else []
        while segments and mulaw:
            number, room = segments[0]
            if len(segments) > 1 and len(mulaw) > room:
                out += [
                    SpokenAudio(segment=number, mulaw=mulaw[:room]),
                    SegmentDone(segment=number),
                ]
                mulaw = mulaw[room:]
                segments.pop(0)
            else:
                out.append(SpokenAudio(segment=number, mulaw=mulaw))
                segments[0] = (number, room - len(mulaw))
                mulaw = b""
        return out

    def flush_answered(self) -> list[SegmentDone]:
        """All audio of the flush at the front has come."""
        if not self._flushed:
            return []
        return [SegmentDone(segment=number) for number, _ in self._flushed.popleft().segments]
