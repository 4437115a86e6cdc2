"""Phrases that a voice has said, on disk: made once, shared by every process that says them or knows them by their sound."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rehearsal.audio import Samples


class Shelf:
    """One voice's phrases in one folder. Files appear whole or not at all, so that processes may share it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._seen: set[str] = set()
        self._changed_ns = -1

    def get(self, text: str) -> Samples | None:
        """The phrase's 8 kHz samples; None when it was never put here."""
        path = self._path(text)
        return _read(path)[1] if path.exists() else None

    def put(self, text: str, samples: Samples) -> Samples:
        """Keep a phrase. Returns what `get` will give: the samples at 16 bits."""
        pcm = np.clip(np.round(samples * 32767), -32768, 32767).astype(np.int16)
        path = self._path(text)
        unfinished = path.with_suffix(f".{os.getpid()}")
        with unfinished.open("wb") as file:
            np.savez(file, text=np.array(text), pcm=pcm)
        unfinished.replace(path)
        return _samples(pcm)

    def news(self) -> Iterator[tuple[str, Samples]]:
        """Every phrase that earlier calls of this method did not give. Cheap while nothing was added."""
        changed_ns = self._folder.stat().st_mtime_ns
        if changed_ns == self._changed_ns:
            return
        self._changed_ns = changed_ns
        for path in sorted(self._folder.glob("*.npz")):
            if path.name not in self._seen:
                self._seen.add(path.name)
                yield _read(path)

    def _path(self, text: str) -> Path:
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npz"


def _read(path: Path) -> tuple[str, Samples]:
    with np.load(path) as kept:
        return str(kept["text"]), _samples(kept["pcm"])


def _samples(pcm: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> Samples:
    return pcm.astype(np.float32) / np.float32(32767)
