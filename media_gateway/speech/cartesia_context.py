"""PURE. One Cartesia context: which segment each of its messages belongs to, and when it can take no more text.

Every segment is followed by a flush, and the server answers each flush, in order, with `flush_done`. Word times count from
the context's start, the port's from the segment's. A context expires a second after its last audio was streamed, so a
segment that comes late needs a new one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from media_gateway.speech.ports import SegmentDone, SpokenAudio, WordTime

BYTES_PER_MS = 8
FRESH_FOR_S = 0.7
"""After the last message of a context. The service says one second; the way there takes its share."""

Message = Mapping[str, Any]


class MalformedMessage(ValueError):
    """What came is not what the protocol allows."""


@dataclass(slots=True)
class Context:
    """One context's segments. Times are seconds of the driver's clock."""

    context_id: str
    segments: list[tuple[int, str]] = field(default_factory=list)
    done: int = 0
    """So many of them are whole."""
    has_audio: bool = False
    """Of the first one that is not whole, some was delivered."""
    is_ended: bool = False
    """The server takes no more text for it."""
    last_message_s: float = 0.0
    _spoken_ms: float = 0.0
    _starts_ms: list[int] = field(default_factory=lambda: [0])

    def said(self, segment: int, text: str) -> None:
        """It was sent this segment."""
        self.segments.append((segment, text))

    @property
    def is_quiet(self) -> bool:
        """All that was said is spoken."""
        return self.done >= len(self.segments)

    @property
    def unspoken(self) -> list[tuple[int, str]]:
        """What is not whole."""
        return self.segments[self.done :]

    def takes_text(self, now_s: float) -> bool:
        """More may be said. Not once it is quiet for so long that the server may have given it up."""
        if self.is_ended:
            return False
        return not self.segments or not self.is_quiet or now_s - self.last_message_s < FRESH_FOR_S

    def audio(self, message: Message) -> SpokenAudio:
        """Of a `chunk`. Raises MalformedMessage."""
        try:
            mulaw = base64.b64decode(message["data"], validate=True)
        except (KeyError, binascii.Error, ValueError, TypeError):
            raise MalformedMessage("malformed audio") from None
        self._spoken_ms += len(mulaw) / BYTES_PER_MS
        self.has_audio |= bool(mulaw)
        return SpokenAudio(segment=self._number(self.done), mulaw=mulaw)

    def words(self, message: Message) -> SpokenAudio | None:
        """Of `timestamps`; None when they tell nothing. Raises MalformedMessage."""
        try:
            found = message["word_timestamps"]
            times = [
                (str(word), round(1000 * start), round(1000 * end))
                for word, start, end in zip(
                    found["words"], found["start"], found["end"], strict=True
                )
            ]
        except (KeyError, TypeError, ValueError, OverflowError):
            raise MalformedMessage("malformed word times") from None
        if not times:
            return None
        index = max(n for n, start in enumerate(self._starts_ms) if start <= max(0, times[0][1]))
        base_ms = self._starts_ms[index]
        return SpokenAudio(
            segment=self._number(index),
            mulaw=b"",
            words=tuple(
                WordTime(word=word, start_ms=max(0, start - base_ms), end_ms=max(0, end - base_ms))
                for word, start, end in times
            ),
        )

    def flushed(self) -> SegmentDone | None:
        """A `flush_done` came; None: one that nobody asked for."""
        if self.is_quiet:
            return None
        number = self._number(self.done)
        self.done += 1
        self.has_audio = False
        self._starts_ms.append(int(self._spoken_ms))
        return SegmentDone(segment=number)

    def _number(self, index: int) -> int:
        if not self.segments:
            raise MalformedMessage("audio without text")
        return self.segments[min(index, len(self.segments) - 1)][0]
