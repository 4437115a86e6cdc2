"""What `/v1/listen` says to audio, by the documented rules: interims, spans, endpoints, Finalize."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.simulators.spoken import Heard, Listener

INTERIM_EVERY_MS = 500
LONGEST_SPAN_MS = 3000
"""Then the words so far become final, up to the end of the last whole one."""


class NovaRecogniser:
    """One connection's."""

    CONTROLS = frozenset({"KeepAlive", "Finalize", "CloseStream"})

    def __init__(self, query: dict[str, str]) -> None:
        self._endpointing_ms = float(query["endpointing"])
        self._utterance_end_ms = float(query["utterance_end_ms"])
        self._listener = Listener()
        self._begin_ms = 0.0
        self._told = 0
        self._interim_at_ms = 0.0
        self._is_ended = True
        self._has_utterance = False

    def opening(self) -> list[str]:
        return []

    def hear(self, audio: bytes) -> list[str]:
        self._listener.hear(audio)
        said = []
        words, quiet_ms = self._words(), self._listener.quiet_ms
        now_ms = self._listener.heard_ms
        if words:
            self._is_ended, self._has_utterance = False, True
        if not self._is_ended and quiet_ms >= self._endpointing_ms:
            said.append(self._final(words, now_ms, speech_final=True))
            self._is_ended = True
        elif now_ms - self._begin_ms >= LONGEST_SPAN_MS and (not words or words[-1].is_over):
            said.append(self._final(words, words[-1].end_ms if words else now_ms))
        elif now_ms - self._interim_at_ms >= INTERIM_EVERY_MS:
            self._interim_at_ms = now_ms
            said.append(results(words, self._begin_ms, now_ms))
        if self._has_utterance and quiet_ms >= self._utterance_end_ms:
            self._has_utterance = False
            last_ms = self._listener.words[-1].end_ms
            said.append(
                json.dumps(
                    {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": last_ms / 1000}
                )
            )
        return said

    def control(self, kind: str) -> list[str]:
        match kind:
            case "Finalize":
                return [self._final(self._words(), self._listener.heard_ms, from_finalize=True)]
            case "CloseStream":
                final = self._final(self._words(), self._listener.heard_ms)
                return [final, json.dumps({"type": "Metadata", "request_id": "r-1"})]
            case _:
                return []

    def _words(self) -> list[Heard]:
        present = self._listener.present()
        return [*self._listener.words[self._told :], *([present] if present else [])]

    def _final(self, words: Sequence[Heard], end_ms: float, **flags: bool) -> str:
        text = results(words, self._begin_ms, end_ms, is_final=True, **flags)
        self._told = len(self._listener.words)
        self._begin_ms = self._interim_at_ms = end_ms
        return text


def results(words: Sequence[Heard], begin_ms: float, end_ms: float, **flags: bool) -> str:
    """A `Results` message."""
    text = " ".join(word.text for word in words)
    timed = [
        {
            "word": word.text,
            "start": word.begin_ms / 1000,
            "end": word.end_ms / 1000,
            "confidence": 0.9,
        }
        for word in words
    ]
    alternative = {"transcript": text, "confidence": 0.9 if text else 0.0, "words": timed}
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [0, 1],
            "start": begin_ms / 1000,
            "duration": (end_ms - begin_ms) / 1000,
            "is_final": False,
            "speech_final": False,
            "from_finalize": False,
            **flags,
            "channel": {"alternatives": [alternative]},
            "metadata": {
                "request_id": "r-1",
                "model_uuid": "m-1",
                "model_info": {"name": "simulated", "version": "1", "arch": "none"},
            },
        }
    )
