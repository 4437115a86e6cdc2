"""PURE. What is sent when, and what of it was heard: the outbound audio of one stream, segment by segment.

Audio goes out 200 to 400 ms ahead of the playhead, so that `clear` loses little and the estimate of what was heard
stays tight. A mark follows every segment; marks carry a generation, so that those echoed by `clear` are never booked
as heard (on the wire the two look the same).

A reply may be held back: from its beginning, or from a pause on. What the voice delivers meanwhile is kept; let out, it
goes on with the first word that was not heard whole.

    sent        ├──────────────────────────┤ clear
    playhead    ├─────────────┤ pause
    words       one   two   thr|ee  four
    goes on                 ├ three  four …
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from media_gateway.speech.ports import WordTime
from media_gateway.turns.spoken_words import goes_on_at, heard_until, word_times
from media_gateway.turns.types import Ms
from media_gateway.twilio.messages import clear_message, mark_message, media_message
from media_gateway.twilio.mulaw import BYTES_PER_MS, FRAME_BYTES, SILENCE

AHEAD_LEAST_MS = 200
"""Below this, more is sent."""
AHEAD_MOST_MS = 400
"""Never more than this in the carrier's buffer."""
GRAIN_MS = FRAME_BYTES // BYTES_PER_MS
"""The carrier plays whole frames: the clock's playhead may be this far before the truth."""
MOST_LATE_MS = 200
"""The most that the way to the caller's ear is taken for, as the marks' echoes showed it."""
GUESSED_MS = 150
"""Without word times the end of a word is a guess by its letters: what lies this near counts as unheard when one goes on."""
MARK_WAIT_MS = 1500
"""A mark that is this much later than the clock has it is lost: nobody waits for it any longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message for the socket."""

    message: str
    audio_ms: int
    """0: a mark."""
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
    """Bytes handed to the socket, and not taken back by a pause."""
    is_complete: bool = False
    """The voice delivered all of it."""
    start_ms: int = 0
    """Where on the reply's way over the wire its first byte lies, or would lie if it goes on in its middle."""
    plays_at: Ms | None = None
    """Stream time of its first byte at the caller's ear, as the queue stood when that was sent."""
    mark: str = ""
    """Name of the mark behind it, once sent."""
    mark_is_timely: bool = False
    """It was sent while the audio before it still played: its echo tells when that ended."""
    is_heard: bool = False
    is_mark_lost: bool = False
    """It was played by the clock, long ago: enough to go on, but no proof that a line was heard."""
    heard_ms: int = 0
    """Of its audio, up to the last pause."""
    words: tuple[WordTime, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.is_heard or self.is_mark_lost

    @property
    def end_ms(self) -> int:
        """Where on the reply's way over the wire what was sent of it ends."""
        return self.start_ms + self.sent // BYTES_PER_MS

    @property
    def audio_ms(self) -> int:
        return len(self.audio) // BYTES_PER_MS

    @property
    def times(self) -> tuple[WordTime, ...]:
        return word_times(
            self.text, self.words, audio_ms=self.audio_ms, is_complete=self.is_complete
        )

    def position_ms(self, played_ms: int) -> int:
        """Of its audio heard, with so much of the reply played."""
        if self.is_heard:
            return self.audio_ms
        going_on = played_ms - self.start_ms if self.sent else 0
        return min(self.audio_ms, max(self.heard_ms, going_on))


class Playout:
    """One stream's outbound audio. One reply at a time: `begin_reply`, segments, `end_reply`; `clear` cuts it."""

    def __init__(self, stream_sid: str) -> None:
        self._stream_sid = stream_sid
        self._generation = 0
        self._reply_id = 0
        self._segments: list[_Segment] = []
        self._is_written = False
        self._is_cut = False
        self._is_held = False
        self._sent_ms = 0
        self._played_ms = 0
        """The playhead at `_anchor`."""
        self._anchor: Ms | None = None
        """When the playhead was last known; None while nothing was sent."""
        self._late_ms = 0
        """What the last mark's echo came later than the clock had it."""
        self._shown_interruptible = True

    # --- what the voice delivers -------------------------------------------------------------

    def begin_reply(self, reply_id: int, *, held: bool = False) -> None:
        """A new agent turn; the one before was played or cleared. Held: nothing goes out before `release`."""
        self._generation += 1
        self._reply_id = reply_id
        self._segments = []
        self._is_written = self._is_cut = False
        self._is_held = held
        self._sent_ms = self._played_ms = 0
        self._anchor = None
        self._shown_interruptible = True

    def begin_again(self, *, keep: int) -> int:
        """The same reply anew, but for so many of its first segments, as far as they are delivered. Returns how many."""
        kept = next((n for n, s in enumerate(self._segments) if not s.is_complete), keep)
        kept = min(kept, keep, len(self._segments))
        del self._segments[kept:]
        self._is_written = False
        self._generation += 1
        return kept

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

    def take_back(self, number: int, at_ms: int, now: Ms, *, unsent_ms: int = 0) -> str | None:
        """A segment's audio from here on is void; what is added next follows this place. Returns the `clear` to send, if any.

        It is needed where void audio was sent and may still wait to be played; what was heard of it cannot be undone.
        """
        if self._is_cut or number >= len(self._segments):
            return None
        segment = self._segments[number]
        message = None
        if segment.sent > at_ms * BYTES_PER_MS and not self._is_held:
            message = self.pause(now, unsent_ms=unsent_ms)
            self.release()
        kept = max(at_ms * BYTES_PER_MS, segment.sent)
        del segment.audio[kept:]
        segment.words = tuple(word for word in segment.words if word.end_ms <= at_ms)
        return message

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
        while not (self._is_cut or self._is_held):
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
                        message=media_message(self._stream_sid, piece),
                        audio_ms=len(piece) // BYTES_PER_MS,
                        segment=index,
                    )
                )
            elif segment.is_complete:
                segment.mark = f"r{self._reply_id}.s{index}.g{self._generation}"
                segment.mark_is_timely = self.is_audible(now)
                out.append(
                    Outgoing(
                        message=mark_message(self._stream_sid, segment.mark),
                        audio_ms=0,
                        segment=index,
                    )
                )
            else:
                break
        return out

    def next_due(self, now: Ms) -> Ms | None:
        """When `due` has more to send; None when that takes more audio, or the end of a segment, from the voice."""
        index = None if self._is_cut or self._is_held else self._next_index()
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
        for number, segment in enumerate(self._segments):
            if segment.mark == name and not segment.is_heard:
                # Marks come in order: one before it that did not come is lost, and its audio was played.
                for played in self._segments[: number + 1]:
                    played.is_heard = True
                end_ms = segment.end_ms
                if self._anchor is not None and segment.mark_is_timely:
                    by_clock_ms = self._played_ms + now - self._anchor
                    self._late_ms = min(MOST_LATE_MS, max(0, by_clock_ms - end_ms))
                # The echo is the truth: playback is exactly here, whatever the clock believed.
                self._played_ms, self._anchor = min(end_ms, self._sent_ms), now
                return

    @property
    def mark_lost_at(self) -> Ms | None:
        """When the next mark that is on its way is lost; None when there is none."""
        if self._is_cut or self._is_held or self._anchor is None:
            return None
        waiting = [s.end_ms for s in self._segments if s.mark and not s.is_over]
        if not waiting:
            return None
        return Ms(self._anchor + min(waiting) - self._played_ms + MARK_WAIT_MS)

    @property
    def ended_at(self) -> Ms | None:
        """When the last audio was or will be played, by the clock; None while nothing plays."""
        if self._is_cut or self._is_held or self._anchor is None:
            return None
        return Ms(self._anchor + self._sent_ms - self._played_ms)

    def give_up_marks(self, now: Ms) -> bool:
        """Wait no longer for marks that are lost; whether there were any."""
        is_any = False
        while (at := self.mark_lost_at) is not None and at <= now:
            next(s for s in self._segments if s.mark and not s.is_over).is_mark_lost = is_any = True
        return is_any

    # --- holding back, and cutting -----------------------------------------------------------

    def pause(self, now: Ms, *, unsent_ms: int = 0) -> str | None:
        """Hold the reply back where it is, unless all of it was heard. Returns the `clear` to send, if one is needed.

        `unsent_ms` is audio that `due` gave out and that has not reached the socket: it must not follow the `clear`, and
        is sent again after `release`.
        """
        if self._is_cut or self._is_held:
            return None
        queued_ms = self._sent_ms - self.playhead_ms(now)
        if queued_ms or unsent_ms:
            self._is_held = True
            self._take_back(now, unsent_ms)
            self._rewind()
            return clear_message(self._stream_sid)
        # What was sent has played by the clock, and marks that are on their way still count.
        self._is_held = not self.is_whole or self.unheard_ms(now) > 0
        return None

    def release(self) -> None:
        """Let out what was held; `due` has more to send now."""
        self._is_held = False

    def clear(self, now: Ms, *, unsent_ms: int = 0) -> str | None:
        """Cut the reply. Returns the `clear` to send, or None when nothing can be queued; `unsent_ms` as for `pause`."""
        if self._is_cut:
            return None
        has_queued = not self._is_held and any(s.sent and not s.is_heard for s in self._segments)
        if has_queued:
            self._take_back(now, unsent_ms)
        self._is_cut = True
        self._generation += 1
        return clear_message(self._stream_sid) if has_queued else None

    def _take_back(self, now: Ms, unsent_ms: int) -> None:
        """Book what was heard up to now, and forget what was queued behind it."""
        played_ms = min(self.playhead_ms(now), self._sent_ms - unsent_ms)
        for segment in self._segments:
            segment.heard_ms = segment.position_ms(played_ms)
            if not segment.is_heard:
                segment.mark = ""
            if segment.plays_at is not None and segment.plays_at >= now:
                segment.plays_at = None
        self._sent_ms = self._played_ms = played_ms
        self._anchor = now
        self._generation += 1

    def _rewind(self) -> None:
        """Put every segment back to its first word that was not heard whole."""
        is_behind = False
        for segment in self._segments:
            if segment.is_heard:
                continue
            at_ms = 0 if is_behind else self._goes_on_at(segment)
            is_behind |= not segment.is_complete or at_ms < segment.audio_ms
            segment.sent = at_ms * BYTES_PER_MS
            segment.start_ms = self._sent_ms - at_ms

    def _goes_on_at(self, segment: _Segment) -> int:
        if not segment.sent:
            return 0
        played_ms = self._sent_ms - segment.start_ms
        sure_ms = played_ms - GRAIN_MS - self._late_ms - (0 if segment.words else GUESSED_MS)
        if segment.is_complete and sure_ms >= segment.audio_ms:
            return segment.audio_ms
        at_ms = goes_on_at(segment.times, sure_ms, is_complete=segment.is_complete)
        return max(0, min(at_ms, played_ms, segment.audio_ms))

    # --- what was heard ----------------------------------------------------------------------

    def heard(self, now: Ms) -> Heard:
        """What the caller heard of this reply up to now: whole segments by their marks, the rest by the playhead.

        A word that a pause had said twice is one word.
        """
        played_ms = self.playhead_ms(now)
        words: list[str] = []
        lines: list[str] = []
        for segment in self._segments:
            if segment.is_heard:
                words.append(segment.text)
                if segment.line_id:
                    lines.append(segment.line_id)
            elif position_ms := segment.position_ms(played_ms):
                is_all = segment.is_complete and position_ms >= segment.audio_ms
                words.append(segment.text if is_all else heard_until(segment.times, position_ms))
        return Heard(words=" ".join(filter(None, words)), lines=tuple(lines))

    def unheard_ms(self, now: Ms) -> int:
        """Audio that the voice has delivered and the caller has not heard."""
        played_ms = self.playhead_ms(now)
        return sum(s.audio_ms - s.position_ms(played_ms) for s in self._segments)

    def is_audible(self, now: Ms) -> bool:
        """Whether audio plays."""
        return self._sent_ms > self.playhead_ms(now)

    @property
    def is_whole(self) -> bool:
        """The voice has delivered all of the reply."""
        return self._is_written

    @property
    def is_drained(self) -> bool:
        """Everything of a finished reply was played."""
        return (
            self._is_written
            and not self._is_cut
            and bool(self._segments)
            and all(segment.is_over for segment in self._segments)
        )

    @property
    def is_interruptible(self) -> bool:
        """Whether what plays now may be cut: not while a must-say segment is unheard."""
        return not any(segment.must_say and not segment.is_over for segment in self._segments)

    def interruptibility_changed(self) -> bool:
        """True once after each change of `is_interruptible`, first seen as True."""
        changed = self.is_interruptible != self._shown_interruptible
        self._shown_interruptible = self.is_interruptible
        return changed
