"""Looks at the gateway from inside its process: how late its loop wakes up, and in which part of the code its CPU goes.

`CALLSPINE_BENCH_LAGS` names a file for the loop's lags, a line of JSON a second. `CALLSPINE_BENCH_PARTS` names one for
the parts: every 4 ms of CPU the stack is looked at, and counted for the innermost part that it stands in.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY_S = 0.01
SAMPLE_S = 0.004
PARTS = (
    ("turn machine", ("turns/machine", "turns/table", "turns/pauses", "turns/words")),
    ("playout", ("turns/playout",)),
    ("ears", ("/ears/", "speech/silero", "onnxruntime")),
    ("recogniser", ("speech/deepgram", "/deepgram/")),
    ("voice", ("speech/cartesia",)),
    (
        "model",
        (
            *("media_gateway/dialogue", "media_gateway/completion", "media_gateway/head_start"),
            *("baml", "httpx", "httpcore", "h11", "media_gateway/sentences", "openers"),
        ),
    ),
    ("passages", ("prefetch", "/knowledge/", "qdrant", "tokenizers")),
    ("script", ("workflows/",)),
    ("JSON and base64", ("twilio/messages", "/json/", "base64.py", "orjson")),
    ("sockets", ("websockets/", "uvicorn", "starlette", "fastapi", "media_socket")),
    ("session", ("media_gateway/",)),
    ("loop", ("asyncio/", "uvloop")),
)
"""Innermost first; a part is what any of its marks is in the file's path of."""
_LIBRARIES = frozenset({"sockets", "loop", "JSON and base64"})
"""Counted for the part that called them, where there is one."""


async def watch_lags(path: Path) -> None:
    """Until cancelled."""
    lags: list[float] = []
    due, told = time.monotonic() + EVERY_S, time.monotonic()
    while True:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        now = time.monotonic()
        lags.append(round(1000 * (now - due), 2))
        due = max(due + EVERY_S, now)
        if now - told >= 1.0:
            told = now
            line = {"at_s": time.monotonic(), "lags_ms": lags}
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            lags = []


class PartSampler:
    """Counts from `begin` on; the file is written anew every 20 samples, as counts since the beginning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._counts: Counter[str] = Counter()
        self._seen: dict[str, str] = {}

    def begin(self) -> None:
        """Start the timer. In the main thread."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)

    def _sample(self, _signal: int, stack: FrameType | None) -> None:
        self._counts[self._part(stack)] += 1
        if self._counts.total() % 20 == 0:
            text = json.dumps({"at_s": time.monotonic(), "counts": self._counts})
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text + "\n")

    def _part(self, stack: FrameType | None) -> str:
        library = ""
        while stack is not None:
            part = self._part_of(stack.f_code.co_filename)
            if part and part not in _LIBRARIES:
                return part
            library = library or part
            stack = stack.f_back
        return library or "other"

    def _part_of(self, file: str) -> str:
        if file not in self._seen:
            self._seen[file] = next(
                (name for name, marks in PARTS if any(mark in file for mark in marks)), ""
            )
        return self._seen[file]
