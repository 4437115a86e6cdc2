"""A pipeline with a written clock: audio goes in at its own pace, events come out with the clock's time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from media_gateway.ears.ear import CallEar
from media_gateway.ears.pipeline import Pipeline
from media_gateway.ears.ports import (
    EarEvent,
    EndEstimate,
    EndModel,
    Expectation,
    Frames,
    PauseCheck,
)
from media_gateway.ears.speech import SpeechModel
from media_gateway.speech.ports import VoiceChange
from media_gateway.twilio.mulaw import SILENCE

FRAME = 160


@lru_cache(maxsize=1)
def speech_model() -> SpeechModel:
    """One for all tests."""
    return SpeechModel()


def silence(ms: int) -> bytes:
    return bytes([SILENCE]) * (8 * ms)


class RuleModel:
    """Stands in for the end-of-turn model: silence and finished words make the end likelier. Notes what it was asked."""

    def __init__(self) -> None:
        self.sounds: list[int] = []
        self.frames: list[Frames] = []
        self.texts: list[str] = []
        self.batches: list[int] = []
        self.checks: list[PauseCheck] = []

    def audio_scores(self, frames: Sequence[Frames]) -> npt.NDArray[np.float32]:
        self.sounds += [len(rows) for rows in frames]
        self.frames += frames
        return np.full(len(frames), 0.5, dtype=np.float32)

    def text_score(self, words: str, *, question: str, expectation: Expectation) -> float:
        self.texts.append(words)
        return 2.0 if words.endswith((".", "?")) else -2.0

    def estimate(self, checks: Sequence[PauseCheck]) -> npt.NDArray[np.float32]:
        self.batches.append(len(checks))
        self.checks += checks
        odds = [(c.text or 0.0) + (c.audio or 0.0) + c.silence_ms / 400 - 1 for c in checks]
        return np.array([1 / (1 + np.exp(-o)) for o in odds], dtype=np.float32)


class Line:
    """Calls on one pipeline; `now_s` is the clock."""

    def __init__(self, end: EndModel | None = None, speech: SpeechModel | None = None) -> None:
        self.now_s = 0.0
        self.due_s: float | None = None
        self.next_s: float | None = None
        """When the audio that was played so far has all come."""
        self.pipeline = Pipeline(
            speech or speech_model(), end, clock=lambda: self.now_s, wake=self._wake
        )
        self.told: list[tuple[CallEar, float, EarEvent]] = []

    def _wake(self, at_s: float) -> None:
        if self.due_s is None or at_s < self.due_s:
            self.due_s = at_s

    def open(self) -> CallEar:
        ear = self.pipeline.open(lambda event: self.told.append((ear, self.now_s, event)))
        return ear

    def run_to(self, until_s: float) -> None:
        """Let the clock run; every tick at its time."""
        ticks = 0
        while self.due_s is not None and self.due_s <= until_s + 1e-9:
            self.now_s, self.due_s = max(self.now_s, self.due_s), None
            self.pipeline.tick()
            ticks += 1
            assert ticks < 20_000, "the pipeline wakes itself for ever"
        self.now_s = max(self.now_s, until_s)

    def play(
        self, *streams: tuple[CallEar, bytes], frame: int = FRAME, at_ms: int | None = None
    ) -> None:
        """Each call's audio in frames at their own pace: a frame comes when it was spoken."""
        base_s = self.now_s if self.next_s is None else max(self.now_s, self.next_s)
        self.next_s = base_s + max(len(audio) for _, audio in streams) / 8000
        longest = max(len(audio) for _, audio in streams)
        for offset in range(0, longest, frame):
            self.run_to(base_s + min(offset + frame, longest) / 8000)
            for ear, audio in streams:
                if piece := audio[offset : offset + frame]:
                    start_ms = round(base_s * 1000) if at_ms is None else at_ms
                    ear.hear(piece, start_ms + offset // 8)
        if self.due_s is not None and self.due_s < self.now_s + 0.01:
            self.run_to(self.due_s)

    def voices(self, ear: CallEar | None = None) -> list[VoiceChange]:
        return [e for who, _, e in self.told if isinstance(e, VoiceChange) and ear in (None, who)]

    def estimates(self, ear: CallEar | None = None) -> list[EndEstimate]:
        return [e for who, _, e in self.told if isinstance(e, EndEstimate) and ear in (None, who)]


def kinds(changes: Iterable[VoiceChange]) -> list[bool]:
    return [change.speaking for change in changes]
