"""PURE. What `/v1/listen` says: spans of audio whose words change until they are final, each span after the one before.

connection 1  |--final--|--final--|--interim- x
connection 2                      |--interim--|--final--|     begins where the last final ended: no word is told twice
"""

from __future__ import annotations

from typing import Any

from deepgram.listen.v1.types import ListenV1Results
from pydantic import ValidationError

from media_gateway.speech.deepgram_listen.reading import (
    MALFORMED,
    NOTHING,
    Oddity,
    Read,
    complaint,
    parsed,
)
from media_gateway.speech.ports import Transcript

ROUNDING_MS = 50
"""A span may begin this much before the end of the one before."""


class NovaReading:
    """Implements Reading."""

    def __init__(self) -> None:
        self.finished_ms = 0
        self.wanted_ms: int | None = None
        self._base_ms = 0
        self._told_ms = 0
        """Words were told up to here, final or not."""
        self._known_ms = -1
        """A new connection says nothing that was not told before until it is past this."""
        self._has_missed = False
        """A message could not be read: it may have been a span's end."""

    def connected(self, at_ms: int) -> None:
        """See Reading."""
        self._base_ms = at_ms
        self._has_missed = False

    def lost(self, end_ms: int) -> tuple[Transcript, ...]:
        """See Reading."""
        self._known_ms = min(self._told_ms, end_ms)
        return ()

    def finish_at(self, at_ms: int) -> None:
        """See Reading."""
        self.wanted_ms = at_ms

    def read(self, message: str | bytes) -> Read:
        """See Reading."""
        read = self._of(message)
        self._has_missed |= read.oddity is Oddity.MALFORMED
        return read

    def _of(self, message: str | bytes) -> Read:
        data = parsed(message)
        match data.get("type") if data is not None else None:
            case "Results":
                return self._result(data or {})
            case "UtteranceEnd":
                over = Transcript(text="", is_final=False, end_of_turn=True)
                return Read(transcripts=(over,), is_about_audio=True)
            case "SpeechStarted":
                return Read(is_about_audio=True)
            case "Error":
                return complaint(data or {})
            case str():
                return NOTHING  # Metadata, and what newer versions add
            case _:
                return MALFORMED

    def _result(self, data: dict[str, Any]) -> Read:
        try:
            result = ListenV1Results.model_validate(data)
            text = result.channel.alternatives[0].transcript or ""
            begin_ms = self._base_ms + round(1000 * result.start)
            end_ms = begin_ms + round(1000 * result.duration)
        except (ValidationError, IndexError, AttributeError, TypeError, ValueError, OverflowError):
            return MALFORMED
        is_late = begin_ms < self.finished_ms - ROUNDING_MS
        if self._has_missed and begin_ms > self.finished_ms + ROUNDING_MS:
            # The span before it was finished in what could not be read: both are to be heard again.
            return Read(has_gap=True)
        if result.is_final:
            self._has_missed = False
            return self._final(result, text, end_ms, is_late=is_late)
        if is_late:
            return Read(is_about_audio=True, oddity=Oddity.LATE)  # its words are told, finished
        if not text or end_ms <= self._known_ms:
            return Read(is_about_audio=True)
        self._told_ms = end_ms
        return Read(transcripts=(Transcript(text=text, is_final=False),), is_about_audio=True)

    def _final(self, result: ListenV1Results, text: str, end_ms: int, *, is_late: bool) -> Read:
        """Told whatever its order: its words come once, and nobody else has them."""
        self.finished_ms = max(self.finished_ms, end_ms)
        self._told_ms = max(self._told_ms, end_ms)
        answers = bool(result.from_finalize)
        rounding_ms = ROUNDING_MS if answers else 0  # of an older one it is no answer to the last
        if self.wanted_ms is not None and end_ms >= self.wanted_ms - rounding_ms:
            self.wanted_ms = None
        transcript = Transcript(
            text=text,
            is_final=True,
            # A span that we had it finish ends where we said: that is our belief, not the vendor's.
            end_of_turn=bool(result.speech_final) and not answers,
            from_finalize=answers,
            until_ms=self.finished_ms,
        )
        oddity = Oddity.LATE if is_late else None
        return Read(transcripts=(transcript,), is_about_audio=True, oddity=oddity)
