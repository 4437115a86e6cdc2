"""PURE. What is sent when, and what of it was heard: the outbound audio of one stream, segment by segment.

Audio goes out 200 to 400 ms ahead of the playhead, so that `clear` loses little and the estimate of what was heard
stays tight. A mark follows every segment; marks carry a generation, so that those echoed by `clear` are never booked
as heard (on the wire the two look the same).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from media_gateway.speech.ports import WordTime
from media_gateway.turns.types import Ms
from media_gateway.twilio.messages import clear_message, mark_message, media_message
from media_gateway.twilio.mulaw import BYTES_PER_MS, FRAME_BYTES, SILENCE

AHEAD_LEAST_MS = 200
"""Below this, more is sent."""
AHEAD_MOST_MS = 400
"""Never more than this in the carrier's buffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message for the socket."""

    message: str
    is_audio: bool
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the caller heard of a reply."""

    words: str
    lines: tuple[str, ...]
    """Ids of authored lines heard to their last word."""


@dataclass(slots=True, kw_only=True)
class _Segment:
    text: str
    line_id: str
    must_say: bool
    audio: bytearray = field(default_factory=bytearray)
    sent: int = 0
    """Bytes handed to the socket."""
    is_complete: bool = False
    """The voice delivered all of it."""
    start_ms: int = 0
    """Sent audio of the reply before this segment."""
    plays_at: Ms | None = None
    """Stream time of its first byte at the caller's ear, as the queue stood when that was sent."""
    mark: str = ""
    """Name of the mark behind it, once sent."""
    is_heard: bool = False
    words: tuple[WordTime, ...] = ()


class Playout:
    """One stream's outbound audio. One reply at a time: `begin_reply`, segments, `end_reply`; `clear` cuts it."""

    def __init__(self, stream_sid: str) -> None:
        self._stream_sid = stream_sid
        self._generation = 0
        self._reply_id = 0
        self._segments: list[_Segment] = []
        self._is_written = False
        self._is_cut = False
        self._sent_ms = 0
        self._played_ms = 0
        """The playhead at `_anchor`."""
        self._anchor: Ms | None = None
        """When the playhead was last known; None while nothing was sent."""
        self._shown_interruptible = True

    # --- what the voice delivers -------------------------------------------------------------

    def begin_reply(self, reply_id: int) -> None:
        """A new agent turn; the one before was played or cleared."""
        self._generation += 1
        self._reply_id = reply_id
        self._segments = []
        self._is_written = self._is_cut = False
        self._sent_ms = self._played_ms = 0
        self._anchor = None
        self._shown_interruptible = True

    def begin_segment(
        self, number: int, text: str, *, line_id: str = "", must_say: bool = False
    ) -> None:
        """The next segment's words. Numbers count from 0."""
        if number != len(self._segments):
            raise ValueError(f"segment {number} is not the next one")
        self._segments.append(_Segment(text=text, line_id=line_id, must_say=must_say))

    def add(self, number: int, mulaw: bytes, words: Sequence[WordTime] = ()) -> None:
        """Audio of a segment. Late audio of a cut reply is dropped here."""
        if self._is_cut or number >= len(self._segments):
            return
        segment = self._segments[number]
        segment.audio += mulaw
        segment.words = (*segment.words, *words)

    def segment_done(self, number: int) -> None:
        """The voice has delivered all of a segment."""
        if not self._is_cut and number < len(self._segments):
            self._segments[number].is_complete = True

    def end_reply(self) -> None:
        """No segment follows."""
        self._is_written = True
        for segment in self._segments:
            segment.is_complete = True

    # --- what goes out -----------------------------------------------------------------------

    def due(self, now: Ms) -> list[Outgoing]:
        """Messages to send now, in order."""
        out: list[Outgoing] = []
        while not self._is_cut:
            index = self._next_index()
            if index is None:
                break
            segment = self._segments[index]
            room_ms = AHEAD_MOST_MS - (self._sent_ms - self.playhead_ms(now))
            if segment.sent < len(segment.audio):
                piece = self._piece(segment, room_ms)
                if not piece:
                    break
                self._book(segment, piece, now)
                out.append(
                    Outgoing(
                        message=media_message(self._stream_sid, piece), is_audio=True, segment=index
                    )
                )
            elif segment.is_complete:
                segment.mark = f"r{self._reply_id}.s{index}.g{self._generation}"
                out.append(
                    Outgoing(
                        message=mark_message(self._stream_sid, segment.mark),
                        is_audio=False,
                        segment=index,
                    )
                )
            else:
                break
        return out

    def next_due(self, now: Ms) -> Ms | None:
        """When `due` has more to send; None when that takes more audio, or the end of a segment, from the voice."""
        index = None if self._is_cut else self._next_index()
        if index is None:
            return None
        segment = self._segments[index]
        waiting = len(segment.audio) - segment.sent
        if waiting < (1 if segment.is_complete else FRAME_BYTES):
            return None
        ahead_ms = self._sent_ms - self.playhead_ms(now)
        return Ms(now + max(1, ahead_ms - AHEAD_LEAST_MS))

    def _next_index(self) -> int | None:
        return next((i for i, segment in enumerate(self._segments) if not segment.mark), None)

    def _piece(self, segment: _Segment, room_ms: int) -> bytes:
        """Whole 20 ms frames; only a finished segment's last one is filled up with silence."""
        room_bytes = max(0, room_ms) * BYTES_PER_MS // FRAME_BYTES * FRAME_BYTES
        waiting = len(segment.audio) - segment.sent
        if waiting < FRAME_BYTES and segment.is_complete and room_bytes:
            segment.audio += bytes([SILENCE]) * (FRAME_BYTES - waiting)
            waiting = FRAME_BYTES
        count = min(waiting // FRAME_BYTES * FRAME_BYTES, room_bytes)
        return bytes(segment.audio[segment.sent : segment.sent + count])

    def _book(self, segment: _Segment, piece: bytes, now: Ms) -> None:
        played_ms = self.playhead_ms(now)
        if segment.sent == 0:
            segment.start_ms = self._sent_ms
            segment.plays_at = Ms(now + self._sent_ms - played_ms)
        segment.sent += len(piece)
        # The playhead stands while nothing is queued: it runs on from here.
        self._played_ms, self._anchor = played_ms, now
        self._sent_ms += len(piece) // BYTES_PER_MS

    # --- what comes back ---------------------------------------------------------------------

    def playhead_ms(self, now: Ms) -> int:
        """Audio of this reply played so far: from the last mark by the clock, never more than was sent."""
        if self._anchor is None:
            return 0
        return min(self._sent_ms, self._played_ms + (now - self._anchor))

    def starts_at_ms(self, number: int) -> Ms | None:
        """Stream time at which a segment's first byte was or will be played; None while unsent, or cleared before it."""
        return self._segments[number].plays_at if number < len(self._segments) else None

    def mark_echoed(self, name: str, now: Ms) -> None:
        """A mark came back. Of an old generation, or unknown: nothing."""
        for segment in self._segments:
            if segment.mark == name and not segment.is_heard:
                segment.is_heard = True
                end_ms = segment.start_ms + segment.sent // BYTES_PER_MS
                # The echo is the truth: playback is exactly here, whatever the clock believed.
                self._played_ms, self._anchor = min(end_ms, self._sent_ms), now
                return

    def clear(self, now: Ms) -> str | None:
        """Cut the reply. Returns the `clear` to send, or None when nothing can be queued at the carrier."""
        played_ms = self.playhead_ms(now)
        has_queued = self._anchor is not None and any(
            segment.sent and not segment.is_heard for segment in self._segments
        )
        self._played_ms, self._sent_ms = played_ms, played_ms
        self._is_cut = True
        self._generation += 1
        for segment in self._segments:
            if not segment.is_heard:
                segment.mark = "cleared"
            if segment.plays_at is not None and segment.plays_at >= now:
                segment.plays_at = None
        return clear_message(self._stream_sid) if has_queued else None

    # --- what was heard ----------------------------------------------------------------------

    def heard(self, now: Ms) -> Heard:
        """What the caller heard of this reply up to now: whole segments by their marks, the rest by the playhead."""
        played_ms = self.playhead_ms(now)
        words: list[str] = []
        lines: list[str] = []
        for segment in self._segments:
            if segment.is_heard:
                words.append(segment.text)
                if segment.line_id:
                    lines.append(segment.line_id)
            elif segment.sent:
                part = _heard_part(segment, played_ms - segment.start_ms)
                if part:
                    words.append(part)
        return Heard(words=" ".join(words), lines=tuple(lines))

    @property
    def is_drained(self) -> bool:
        """Everything of a finished reply was played."""
        return (
            self._is_written
            and not self._is_cut
            and bool(self._segments)
            and all(segment.is_heard for segment in self._segments)
        )

    @property
    def is_interruptible(self) -> bool:
        """Whether what plays now may be cut: not while a must-say segment is unheard."""
        return not any(segment.must_say and not segment.is_heard for segment in self._segments)

    def interruptibility_changed(self) -> bool:
        """True once after each change of `is_interruptible`, first seen as True."""
        changed = self.is_interruptible != self._shown_interruptible
        self._shown_interruptible = self.is_interruptible
        return changed


def _heard_part(segment: _Segment, played_ms: int) -> str:
    """The words of a segment that were heard to their end."""
    if played_ms <= 0:
        return ""
    if segment.words:
        return " ".join(word.word for word in segment.words if word.end_ms <= played_ms)
    total_ms = max(1, len(segment.audio) // BYTES_PER_MS)
    words = segment.text.split()
    return " ".join(words[: int(len(words) * min(1.0, played_ms / total_ms))])
