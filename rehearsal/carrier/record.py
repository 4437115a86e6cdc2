"""What was on the line and on the wire: a stereo recording, and a witness that no believing program has touched."""

from __future__ import annotations

import json
import time
import wave
from pathlib import Path
from typing import IO, Literal

from media_gateway.twilio.mulaw import decode


class Witness:
    """One JSON line an event; `t_ms` counts from the answer, as the recording does; before it, it is negative or null."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[str] = (folder / "witness.jsonl").open("w", encoding="utf-8")
        self._answered_s: float | None = None

    def answered(self) -> None:
        """The recording begins now, `at_s` on the machine's monotonic clock, which all its processes share."""
        self._answered_s = time.monotonic()
        self.saw("answered", at_s=self._answered_s)

    def saw(self, kind: str, **fields: object) -> None:
        """Write an event down."""
        at = self._answered_s
        t_ms = None if at is None else round((time.monotonic() - at) * 1000, 1)
        self._file.write(json.dumps({"t_ms": t_ms, "kind": kind, **fields}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Nothing more follows."""
        self._file.close()


class StereoRecording:
    """Both sides of the line, caller left, agent right, 8 kHz, from the answer on."""

    def __init__(self) -> None:
        self._caller = bytearray()
        self._agent = bytearray()

    def add(self, caller: bytes, agent: bytes) -> None:
        """The same 20 ms of both, in mu-law."""
        self._caller += caller
        self._agent += agent

    @property
    def duration_ms(self) -> int:
        """So far."""
        return len(self._caller) // 8

    def write(self, path: Path, *, channels: Literal[1, 2] = 2) -> None:
        """As a 16 bit wav file; with one channel both sides are heard on it."""
        import numpy as np

        both = np.stack((decode(bytes(self._caller)), decode(bytes(self._agent))), axis=1)
        if channels == 1:
            both = np.clip(both.sum(axis=1, dtype=np.int32), -32768, 32767).astype(np.int16)
        with wave.open(str(path), "wb") as file:
            file.setnchannels(channels)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(both.tobytes())
