"""PURE. What `/v2/listen` says: turns whose whole text is told again and again until the turn ends.

Flux has no `Finalize`. Where we ask for the words of a pause, those that the turn has by then are told as final, and what
the turn says beyond them is told on its own: a turn that Flux holds open for seconds must not come back as a whole when
it was long answered.

turn      | we own it      we have for years     |
asked              ^
told      [we own it]      [we have for years]     EndOfTurn
"""

from __future__ import annotations

from typing import Any

from deepgram.listen.v2.types import ListenV2TurnInfo
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

LEAD_IN_MS = 1000
"""Of the silence before a turn is kept: the turn is known only after it began."""
MOST_AGAIN_MS = 8000
"""Of one turn is recognised again after a break; a longer one's words stand as they were told."""
LATE = Read(oddity=Oddity.LATE)


class FluxReading:
    """Implements Reading."""

    def __init__(self) -> None:
        self.finished_ms = 0
        self.wanted_ms: int | None = None
        self._base_ms = 0
        self._heard_ms = 0
        """The service has transcribed up to here."""
        self._known_ms = 0
        """A new connection says nothing that was not told before until it is past this."""
        self._turn = -1
        """Index of the connection's present turn, or of the last one while none is open."""
        self._sequence = -1
        self._is_open = False
        self._words: list[str] = []
        """Of the open turn, as last told by the service."""
        self._ends_ms: list[int] = []
        """Where they end; empty when the service tells no times."""
        self._told = 0
        """So many of them were told as final."""
        self._is_eager = False
        """The turn is eagerly over, and was not resumed."""

    def connected(self, at_ms: int) -> None:
        """See Reading."""
        self._base_ms = self._heard_ms = at_ms
        self._turn = self._sequence = -1

    def lost(self, end_ms: int) -> tuple[Transcript, ...]:
        """See Reading."""
        self._known_ms = min(self._heard_ms, end_ms)
        rest: tuple[Transcript, ...] = ()
        if self._is_open and self._heard_ms - self.finished_ms > MOST_AGAIN_MS:
            self._finished(len(self._words), self._heard_ms)
            rest = self._rest_as_final()
        self._close_turn()
        return rest

    def finish_at(self, at_ms: int) -> None:
        """See Reading."""
        self.wanted_ms = at_ms

    def read(self, message: str | bytes) -> Read:
        """See Reading."""
        data = parsed(message)
        match data.get("type") if data is not None else None:
            case "TurnInfo":
                return self._turn_info(data or {})
            case "Error" | "Warning" | "ConfigureFailure":
                return complaint(data or {})
            case str():
                return NOTHING  # Connected, ConfigureSuccess, and what newer versions add
            case _:
                return MALFORMED

    def _turn_info(self, data: dict[str, Any]) -> Read:
        try:
            info = ListenV2TurnInfo.model_validate(data)
            end_ms = self._base_ms + round(1000 * info.audio_window_end)
            words, ends_ms = info.transcript.split(), self._ends(info)
        except (ValidationError, AttributeError, TypeError, ValueError, OverflowError):
            return MALFORMED
        is_over = info.turn_index < self._turn or (
            info.turn_index == self._turn and not self._is_open
        )
        if info.sequence_id <= self._sequence or is_over:
            return LATE
        self._sequence = info.sequence_id
        self._heard_ms = max(self._heard_ms, end_ms)
        told: list[Transcript] = []
        if info.turn_index > self._turn:
            told += self._rest_as_final()  # the end of the turn before got lost
            self._close_turn()
            self._turn, self._is_open = info.turn_index, True
        self._words = words
        self._ends_ms = ends_ms if len(ends_ms) == len(words) else []
        told += self._tell(info)
        return Read(transcripts=tuple(told), is_about_audio=True)

    def _tell(self, info: ListenV2TurnInfo) -> list[Transcript]:
        if info.event == "EndOfTurn":
            return [self._end()]
        if not self._words:
            self.finished_ms = max(self.finished_ms, self._heard_ms - LEAD_IN_MS)
        is_wanted = self.wanted_ms is not None and self._heard_ms >= self.wanted_ms
        told = [self._finish()] if is_wanted else []
        rest = self._rest()
        if info.event != "Update":
            self._is_eager = info.event == "EagerEndOfTurn"
        is_new = self._heard_ms > self._known_ms
        is_change = info.event in (
            "EagerEndOfTurn",
            "TurnResumed",
        )  # told though no word is left to tell
        if (is_new and is_change) or (rest and (is_new or self._is_eager)):
            told.append(Transcript(text=rest, is_final=False, eager_end_of_turn=self._is_eager))
        return told

    def _end(self) -> Transcript:
        self.wanted_ms = None
        self.finished_ms = max(self.finished_ms, self._heard_ms)
        text = self._rest()
        self._close_turn()
        return Transcript(text=text, is_final=True, end_of_turn=True, until_ms=self.finished_ms)

    def _finish(self) -> Transcript:
        """Answer `finish_at`, empty if there is nothing to finish."""
        wanted_ms, self.wanted_ms = self.wanted_ms or 0, None
        count = len(self._words)
        if self._ends_ms:  # he may have gone on since: a word that is only begun is not final
            count = sum(end_ms <= wanted_ms for end_ms in self._ends_ms)
        text = " ".join(self._words[self._told : count])
        if count > self._told:
            self._told = count
            self._finished(count, wanted_ms)
        return Transcript(text=text, is_final=True, from_finalize=True, until_ms=self.finished_ms)

    def _finished(self, count: int, otherwise_ms: int) -> None:
        """So many of the turn's words are final; without times they end at `otherwise_ms`."""
        end_ms = self._ends_ms[count - 1] if self._ends_ms and count else otherwise_ms
        self.finished_ms = max(self.finished_ms, end_ms)

    def _close_turn(self) -> None:
        self._is_open = self._is_eager = False
        self._words, self._ends_ms, self._told = [], [], 0

    def _rest(self) -> str:
        return " ".join(self._words[self._told :])

    def _rest_as_final(self) -> tuple[Transcript, ...]:
        text = self._rest() if self._is_open else ""
        return (Transcript(text=text, is_final=True, until_ms=self.finished_ms),) if text else ()

    def _ends(self, info: ListenV2TurnInfo) -> list[int]:
        ends = [getattr(word, "end", None) for word in info.words]
        return [self._base_ms + round(1000 * end) for end in ends if isinstance(end, int | float)]
