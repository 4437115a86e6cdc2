"""PURE. When a socket is taken for dead though it is open: speech goes in and nothing comes out."""

from __future__ import annotations

import numpy as np

from media_gateway.twilio.mulaw import BYTES_PER_MS, decode

LOUD = 300
"""Of 32768, about -40 dBFS: above a line's noise, below quiet speech."""
LOUD_SHARE = 4
"""One sample in so many is loud in a frame that may hold speech."""
SOUND_MS = 200
"""So much of it and an unanswered `Finalize` are suspicious: a recogniser says something to a word."""
ANSWER_WITHIN_S = 1.0
"""To a `Finalize` behind speech, and to what was sent again on a new connection."""

_IS_LOUD = bytes((np.abs(decode(bytes(range(256))).astype(np.int32)) > LOUD).astype(np.uint8))


class SocketWatch:
    """One stream's. Times are seconds of any steady clock."""

    def __init__(self, *, silent_after_s: float) -> None:
        """`silent_after_s`: so much loud audio without any word about audio, and the socket is dead."""
        self._silent_after_s = silent_after_s
        self._loud_ms = 0.0
        self._loud_since_s: float | None = None
        self._answer_by_s: float | None = None

    def heard(self, mulaw: bytes, now_s: float) -> None:
        """Audio goes in, maybe much of it at once: what another recogniser has left unfinished."""
        if mulaw.translate(_IS_LOUD).count(1) * LOUD_SHARE >= len(mulaw):
            self._loud_ms += len(mulaw) / BYTES_PER_MS
            if self._loud_since_s is None:
                self._loud_since_s = now_s

    def asked(self, now_s: float) -> None:
        """It was asked to finish."""
        if self._loud_ms >= SOUND_MS and self._answer_by_s is None:
            self._answer_by_s = now_s + ANSWER_WITHIN_S

    def answered(self) -> None:
        """It said something of what it heard."""
        self._loud_ms, self._loud_since_s, self._answer_by_s = 0.0, None, None

    def was_dead(self, now_s: float) -> None:
        """A new connection is sent the same audio: it has to answer sooner."""
        self.answered()
        self._answer_by_s = now_s + ANSWER_WITHIN_S

    def is_dead(self, now_s: float) -> bool:
        """Whether to give it up."""
        if self._answer_by_s is not None and now_s >= self._answer_by_s:
            return True
        # Speech cannot be answered faster than it is spoken, but it can be sent faster.
        since_s, silent_s = self._loud_since_s, self._silent_after_s
        had_time = since_s is not None and now_s - since_s >= silent_s
        return had_time and self._loud_ms >= 1000 * silent_s
