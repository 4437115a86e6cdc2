"""PURE. How messages of any size become steps of the speech model, and what is wrong with their times.

Times are anchored at the newest message, so that a hole shifts nothing that comes after it.
"""

from __future__ import annotations

from media_gateway.ears.counts import EarCounts
from media_gateway.twilio.mulaw import BYTES_PER_MS, FRAME_BYTES, SILENCE

WINDOW = 256
"""Samples a step: 32 ms, what the speech model was trained on at 8 kHz."""
CONTEXT = 32
"""Samples of the step before that it sees again."""
GAP_MS = 200
"""A hole this long is not bridged: what was said in it is lost, and so is the model's thread."""
HOLE_MS = 5
"""A hole this short is a clock that is not exact: with +-1 % of drift a frame of 20 ms is 0.2 ms out."""
LATE_MS = 60
LEAK = 0.02
"""Share by which the promptest arrival is forgotten: above any clock's drift."""
LONGEST_BYTES = 1000 * BYTES_PER_MS
"""Of audio that waits, a second: more is stale by the time it is heard."""
BELIEVED_AFTER = 10
"""Messages in a row from the past, after which it is the clock that was set back."""

_FRESH = bytes([SILENCE]) * CONTEXT
_SILENT_STEP = bytes([SILENCE]) * WINDOW


class Framing:
    """One call's audio between its arrival and the model."""

    def __init__(self, counts: EarCounts) -> None:
        self._counts = counts
        self._buffer = _FRESH
        """The context, then the audio that waits."""
        self._end_ms: float | None = None
        """Stream time just after the newest byte of the buffer."""
        self._heard_end_ms = 0.0
        """The same without silence that was filled in."""
        self._past_in_a_row = 0
        self._prompt_ms: float | None = None
        self._arrived_ms = 0.0

    @property
    def end_ms(self) -> float:
        """The stream's time: just after the newest audio."""
        return self._end_ms or 0.0

    @property
    def behind_ms(self) -> float:
        """What the stream's time lacks of the steady clock's, by the promptest message of late."""
        return self._prompt_ms or 0.0

    @property
    def is_ready(self) -> bool:
        """A step can be taken."""
        return len(self._buffer) >= CONTEXT + WINDOW

    @property
    def is_full(self) -> bool:
        """A second waits already."""
        return len(self._buffer) >= LONGEST_BYTES

    def take(self, mulaw: bytes, at_ms: int, now_ms: float) -> bool:
        """Take a message; `now_ms` is any steady clock. True: a gap came before it, the sound before it is over."""
        counts = self._counts
        counts.frames += 1
        size = len(mulaw)
        if size != FRAME_BYTES:
            counts.odd_sizes += 1
            if size == 0:
                return False
            if size > LONGEST_BYTES:
                counts.overrun += 1
                at_ms += (size - LONGEST_BYTES) // BYTES_PER_MS
                mulaw, size = mulaw[-LONGEST_BYTES:], LONGEST_BYTES
        end_ms = at_ms + size / BYTES_PER_MS
        is_gap = False
        if self._end_ms is not None:
            hole_ms = at_ms - self._heard_end_ms
            if hole_ms < -(size / BYTES_PER_MS / 2 + 1):
                self._past_in_a_row += 1
                if self._past_in_a_row < BELIEVED_AFTER:
                    counts.doubled += 1
                    return False
                counts.clock_jumps += 1
                self._prompt_ms, is_gap = None, True
            elif hole_ms > HOLE_MS:
                counts.lost += 1
                is_gap = hole_ms >= GAP_MS
                counts.gaps += is_gap
        self._past_in_a_row = 0
        self._note_arrival(now_ms, now_ms - end_ms)
        self._buffer = _FRESH + mulaw if is_gap else self._buffer + mulaw
        if len(self._buffer) > CONTEXT + LONGEST_BYTES:
            counts.overrun += 1
            self._buffer = self._buffer[-(CONTEXT + LONGEST_BYTES) :]
        self._end_ms = self._heard_end_ms = end_ms
        return is_gap

    def fill(self) -> None:
        """Put a step of silence where no audio came."""
        self._buffer += _SILENT_STEP
        self._end_ms = self.end_ms + WINDOW / BYTES_PER_MS

    def next(self) -> tuple[bytes, int]:
        """The next step: 288 bytes with their context, and the stream time of their end. Only when `is_ready`."""
        chunk, self._buffer = self._buffer[: CONTEXT + WINDOW], self._buffer[WINDOW:]
        return chunk, int(self.end_ms - (len(self._buffer) - CONTEXT) / BYTES_PER_MS)

    def _note_arrival(self, now_ms: float, behind_ms: float) -> None:
        """Late is what comes later than the promptest did, whose memory fades faster than any clock drifts."""
        if self._prompt_ms is None:
            self._prompt_ms = behind_ms
        else:
            faded_ms = self._prompt_ms + LEAK * (now_ms - self._arrived_ms)
            self._prompt_ms = min(faded_ms, behind_ms)
            self._counts.late += behind_ms - self._prompt_ms > LATE_MS
        self._arrived_ms = now_ms
