"""What `/v2/listen` says to audio, by the documented state machine: turns, eager ends, resumptions."""

from __future__ import annotations

import json
from typing import Any

from tests.simulators.spoken import Heard, Listener

UPDATE_EVERY_MS = 250
LAG_MS = 280
"""What is told of is this much older than what was sent."""
EAGER_QUIET_MS, END_QUIET_MS = 200, 560


class FluxRecogniser:
    """One connection's."""

    CONTROLS = frozenset({"CloseStream", "Configure", "ForceEndTurn"})

    def __init__(self, query: dict[str, str], *, has_word_times: bool = True) -> None:
        self._is_eager = "eager_eot_threshold" in query
        self._has_word_times = has_word_times
        self._listener = Listener()
        self._late = bytearray()
        self._turn = 0
        self._sequence = 0
        self._first = 0
        """Of the turn's words."""
        self._is_open = False
        self._eager: str | None = None
        self._told_at_ms = 0.0

    def opening(self) -> list[str]:
        return [json.dumps({"type": "Connected", "request_id": "r-1", "sequence_id": 0})]

    def hear(self, audio: bytes) -> list[str]:
        self._late += audio
        ready = max(0, len(self._late) - LAG_MS * 8)
        self._listener.hear(bytes(self._late[:ready]))
        del self._late[:ready]
        event = self._event()
        return [self._info(event)] if event else []

    def control(self, kind: str) -> list[str]:
        if kind == "ForceEndTurn" and self._is_open:
            return [self._info("EndOfTurn", trigger="manual")]
        return []

    def _event(self) -> str:
        words, quiet_ms = self._words(), self._listener.quiet_ms
        text = " ".join(word.text for word in words)
        if words and not self._is_open:
            self._is_open = True
            return "StartOfTurn"
        if self._is_open and self._eager is not None and quiet_ms == 0:
            self._eager = None
            return "TurnResumed"
        if self._is_open and quiet_ms >= END_QUIET_MS:
            return "EndOfTurn"
        if self._is_open and self._is_eager and self._eager is None and quiet_ms >= EAGER_QUIET_MS:
            self._eager = text
            return "EagerEndOfTurn"
        is_due = self._listener.heard_ms - self._told_at_ms >= UPDATE_EVERY_MS
        return "Update" if is_due else ""

    def _words(self) -> list[Heard]:
        return self._listener.words[self._first :]

    def _info(self, event: str, **fields: Any) -> str:
        words = self._words()
        self._sequence += 1
        times: list[dict[str, Any]] = [
            {"start": word.begin_ms / 1000, "end": word.end_ms / 1000} for word in words
        ]
        if not self._has_word_times:
            times = [{} for _ in words]
        message = {
            "type": "TurnInfo",
            "request_id": "r-1",
            "sequence_id": self._sequence,
            "event": event,
            "turn_index": self._turn,
            "audio_window_start": self._told_at_ms / 1000,
            "audio_window_end": self._listener.heard_ms / 1000,
            "transcript": " ".join(word.text for word in words),
            "words": [
                {"word": word.text, "confidence": 0.9, **time}
                for word, time in zip(words, times, strict=True)
            ],
            "end_of_turn_confidence": 0.9 if event == "EndOfTurn" else 0.1,
            **({"trigger": "model"} if event == "EndOfTurn" else {}),
            **fields,
        }
        self._told_at_ms = self._listener.heard_ms
        if event == "EndOfTurn":
            self._turn += 1
            self._first = len(self._listener.words)
            self._is_open, self._eager = False, None
        return json.dumps(message)
