"""What a stream's step of 32 ms costs in the ear: batched as it runs, one by one, and the bare graph.

Thread CPU time: the cores are shared. The target is 60 microseconds in all at 8 calls.

Then the delays: from the caller's first and last sound to the events.
"""

from __future__ import annotations

import heapq
import math
import time
import tracemalloc
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from bench.report import quantile, report
from media_gateway.ears.end_model import OnnxEndModel
from media_gateway.ears.pipeline import Pipeline
from media_gateway.ears.ports import EarEvent, EndModel, Expectation, Frames, PauseCheck
from media_gateway.ears.speech import CHUNK, Floats, SpeechModel
from media_gateway.speech.ports import VoiceChange
from media_gateway.twilio.mulaw import FRAME_BYTES
from rehearsal.audio import to_mulaw
from rehearsal.voice import LocalVoice

STREAMS = (1, 8, 32, 60, 100)
SECONDS = 12
WEIGHED = 50
SENTENCES = (
    "We own the house since six years.",
    "Yes.",
    "No, thank you.",
    "Around one hundred and fifty dollars a month, I think.",
    "It is an asphalt shingle roof, about ten years old.",
    "What is this about?",
    "I am not interested at the moment.",
    "Thursday at ten would be fine.",
    "Well, my husband decides that, so I would have to ask him first.",
    "We rent.",
    "That is too expensive for us.",
    "Stop.",
)
LIMIT_US = 60.0
FRAME_S = 0.02
STEP_S = 0.032


class _FreeModel:
    """An end-of-turn model that costs nothing: what is measured is the ear around it."""

    def audio_scores(self, frames: Sequence[Frames]) -> npt.NDArray[np.float32]:
        return np.zeros(len(frames), dtype=np.float32)

    def text_score(self, words: str, *, question: str, expectation: Expectation) -> float:
        return 0.0

    def estimate(self, checks: Sequence[PauseCheck]) -> npt.NDArray[np.float32]:
        return np.zeros(len(checks), dtype=np.float32)


def _audio() -> bytes:
    """A caller who talks and pauses."""
    said = [LocalVoice(pitch=1.15).say(text) for text in SENTENCES]
    parts = [part for samples in said for part in (samples, np.zeros(6400, dtype=np.float32))]
    whole = np.concatenate(parts)
    return to_mulaw(np.resize(whole, 8000 * SECONDS))


def _frames_in_time(streams: int) -> list[tuple[float, int, int]]:
    """`(arrival, stream, frame)`: every stream in its own phase, as calls are."""
    phases = np.random.default_rng(3).uniform(0, FRAME_S, streams)
    each = [
        [(phases[n] + k * FRAME_S, n, k) for k in range(int(SECONDS / FRAME_S))]
        for n in range(streams)
    ]
    return list(heapq.merge(*each))


class Driven:
    """A pipeline with a clock that is set; CPU of every entry is noted."""

    def __init__(self, model: SpeechModel, end: EndModel) -> None:
        self.now_s = 0.0
        self.due_s: float | None = None
        self.cpu_ns = 0
        self.ticks_us: list[float] = []
        self.pipeline = Pipeline(model, end, clock=lambda: self.now_s, wake=self._wake)

    def _wake(self, at_s: float) -> None:
        if self.due_s is None or at_s < self.due_s:
            self.due_s = at_s

    def spend(self, work: Callable[[], None]) -> float:
        """Do it; returns its CPU in microseconds."""
        began = time.thread_time_ns()
        work()
        spent = time.thread_time_ns() - began
        self.cpu_ns += spent
        return spent / 1000

    def run_to(self, until_s: float) -> None:
        """Let the clock run; every tick at its time."""
        while self.due_s is not None and self.due_s <= until_s:
            self.now_s, self.due_s = max(self.now_s, self.due_s), None
            self.ticks_us.append(self.spend(self.pipeline.tick))
        self.now_s = until_s


class _CountedModel(SpeechModel):
    """Counts its runs."""

    runs = 0

    def run(self, chunks: Floats, state: Floats) -> tuple[Floats, Floats]:
        self.runs += 1
        return super().run(chunks, state)


def _pipeline(streams: int, audio: bytes, end: EndModel) -> tuple[float, float, list[float]]:
    """CPU a stream's step in microseconds, hearing included; steps a run; every tick's microseconds."""
    model = _CountedModel()
    driven = Driven(model, end)
    ears = [driven.pipeline.open(lambda _: None) for _ in range(streams)]
    for ear in ears:
        ear.words("about one hundred and fifty", is_final=False)
    pieces = _pieces(audio)
    for at_s, n, k in _frames_in_time(streams):
        driven.run_to(at_s)
        # Nobody pauses when another does: each call is elsewhere in the same audio.
        ear, piece = ears[n], pieces[(k + 37 * n) % len(pieces)]
        driven.spend(lambda ear=ear, piece=piece, k=k: ear.hear(piece, 20 * k))  # type: ignore[misc]
    steps = streams * SECONDS / STEP_S
    return driven.cpu_ns / 1000 / steps, steps / max(1, model.runs), driven.ticks_us


def _bare(model: SpeechModel, batch: int) -> float:
    """The graph alone, a stream's step in microseconds."""
    chunks = np.zeros((batch, CHUNK), dtype=np.float32)
    state = np.zeros((2, batch, 128), dtype=np.float32)
    rounds = max(50, 1000 // batch)
    began = time.thread_time_ns()
    for _ in range(rounds):
        _, state = model.run(chunks, state)
    return (time.thread_time_ns() - began) / 1000 / rounds / batch


def _cost(model: SpeechModel) -> list[dict[str, str | int | float]]:
    audio = _audio()
    free, end = _FreeModel(), OnnxEndModel()
    alone_us, _, _ = _pipeline(1, audio, free)
    bare_alone_us = _bare(model, 1)
    rows: list[dict[str, str | int | float]] = []
    for streams in STREAMS:
        ours_us, batch, _ = _pipeline(streams, audio, free)
        whole_us, _, ticks_us = _pipeline(streams, audio, end)
        rows.append(
            {
                "calls": streams,
                "ear us": ours_us,
                "with end of turn us": whole_us,
                "steps a run": batch,
                "ear one by one us": alone_us,
                "graph, 8 a run, us": _bare(model, 8),
                "graph one by one us": bare_alone_us,
                "tick p50 us": quantile(ticks_us, 0.5),
                "tick p99 us": quantile(ticks_us, 0.99),
                "core %": whole_us * streams / STEP_S / 1e4,
            }
        )
    return rows


def _weight(model: SpeechModel) -> float:
    """Of one more call, in kB, heap and arrays, after 12 s of audio."""
    audio = _audio()
    driven = Driven(model, _FreeModel())
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    ears = [driven.pipeline.open(lambda _: None) for _ in range(WEIGHED)]
    for at in range(0, len(audio), FRAME_BYTES):
        driven.run_to(at / 8000)
        for ear in ears:
            ear.hear(audio[at : at + FRAME_BYTES], at // 8)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / 1024 / WEIGHED


def _delays(model: SpeechModel, snr_db: float | None) -> dict[str, str | int | float]:
    """Sentences in silence or noise: from the caller's first and last sound to the events."""
    rng = np.random.default_rng(5)
    starts, stops, dated, splits, missed, clips = [], [], [], 0, 0, 0
    for pitch in (0.9, 1.0, 1.15, 1.3):
        voice = LocalVoice(pitch=pitch)
        for text in SENTENCES:
            said = voice.say(text)
            lead = 8000 + int(rng.integers(0, 256))
            parts = (np.zeros(lead, np.float32), said, np.zeros(6400, np.float32))
            samples = np.concatenate(parts)
            power = float(np.square(said[np.abs(said) > 0.004]).mean())
            if snr_db is not None:
                hiss = rng.normal(0, math.sqrt(power) * 10 ** (-snr_db / 20), len(samples))
                samples = samples + _coloured(hiss)
            # The voice cuts its silence 20 ms from the first and last audible sample.
            first_ms, last_ms = lead / 8 + 20, (lead + len(said)) / 8 - 20
            told = _listened(model, to_mulaw(samples), phase_ms=int(rng.integers(0, 20)))
            clips += 1
            on = [at for at, change in told if change.speaking]
            off = [(at, change.at_ms) for at, change in told if not change.speaking]
            if not on or not off:
                missed += 1
                continue
            starts.append(on[0] - first_ms)
            stops.append(off[-1][0] - last_ms)
            dated.append(off[-1][1] - last_ms)
            splits += len(off) - 1
    return {
        "line": "clean" if snr_db is None else f"noise, {snr_db:.0f} dB",
        "sentences": clips,
        "missed": missed,
        "start p50 ms": quantile(starts, 0.5),
        "start p95 ms": quantile(starts, 0.95),
        "stop p50 ms": quantile(stops, 0.5),
        "stop p95 ms": quantile(stops, 0.95),
        "last sound dated p5 ms": quantile(dated, 0.05),
        "p95 ms": quantile(dated, 0.95),
        "pauses within": splits,
    }


def _coloured(hiss: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Pink, as rooms and cars are, of the same power."""
    spectrum = np.fft.rfft(hiss)
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    pink = np.fft.irfft(spectrum, len(hiss))
    scaled: npt.NDArray[np.float32] = (pink * (hiss.std() / pink.std())).astype(np.float32)
    return scaled


def _listened(
    model: SpeechModel, audio: bytes, *, phase_ms: int
) -> list[tuple[float, VoiceChange]]:
    """What is told and when, in stream milliseconds; frames come when they were spoken."""
    driven = Driven(model, _FreeModel())
    told: list[tuple[float, VoiceChange]] = []

    def tell(event: EarEvent) -> None:
        if isinstance(event, VoiceChange):
            told.append((driven.now_s * 1000, event))

    ear = driven.pipeline.open(tell)
    frames = [audio[: phase_ms * 8], *_pieces(audio[phase_ms * 8 :])]
    at = 0
    for frame in frames:
        if frame:
            driven.run_to((at + len(frame)) / 8000)
            ear.hear(frame, at // 8)
            at += len(frame)
    driven.run_to(at / 8000 + 0.01)
    return told


def _pieces(audio: bytes) -> list[bytes]:
    return [audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)]


async def main() -> None:
    """Measure, print, write."""
    model = SpeechModel()
    report(
        "ears",
        f"The ear's CPU for a call's step of {STEP_S * 1000:.0f} ms; target {LIMIT_US:.0f} us at 8 calls",
        _cost(model),
        notes=[
            f"a call's ear weighs {_weight(model):.0f} kB",
            "CPU of the thread; framing, levels, gate and events are in `ear us`, whose end-of-turn model is free",
            "ticks with the end-of-turn model; every call has words, so every step of a pause is estimated",
        ],
    )
    report(
        "ears_delays",
        "From the caller's first and last sound to the ear's events, frames of 20 ms",
        [_delays(model, snr_db) for snr_db in (None, 20.0, 10.0)],
        notes=["`pauses within` are told stops inside a sentence, commas and full stops included"],
    )
