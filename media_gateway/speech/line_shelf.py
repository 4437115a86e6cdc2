"""Spoken lines on disk, by what was said and in which voice: a gateway that starts again need not pay for them twice.

Nothing of a call is in them. All of it blocks, for a thread; a disk that fails costs the file, never the line.
"""

from __future__ import annotations

import base64
import json
import os
from hashlib import sha256
from pathlib import Path

import structlog

from media_gateway.speech.ports import ReadyAudio, WordTime

log = structlog.get_logger(__name__)

MOST_FILES = 4000
"""Some 100 MB. Those that were used least lately go first."""


class LineShelf:
    """One voice's lines in a folder that voices and gateways may share. `voice`: all that makes it sound as it does."""

    def __init__(self, folder: Path, *, voice: str) -> None:
        self._folder = folder
        self._voice = voice

    def take(self, text: str) -> ReadyAudio | None:
        """The line's audio; None when it was never spoken, or its file cannot be read."""
        path = self._path(text)
        try:
            found = json.loads(path.read_bytes())
            audio = ReadyAudio(
                mulaw=base64.b64decode(found["mulaw"], validate=True),
                words=tuple(
                    WordTime(word=str(word), start_ms=int(start), end_ms=int(end))
                    for word, start, end in found["words"]
                ),
            )
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("line_file_not_read", file=path.name, error=type(error).__name__)
            return None
        return audio if audio.mulaw else None

    def put(self, text: str, audio: ReadyAudio) -> None:
        """Keep a line. Never raises."""
        path = self._path(text)
        content = {
            "mulaw": base64.b64encode(audio.mulaw).decode(),
            "words": [[word.word, word.start_ms, word.end_ms] for word in audio.words],
        }
        unfinished = path.with_suffix(f".{os.getpid()}.new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(content), encoding="ascii")
            unfinished.replace(path)  # whole, or not at all: another gateway may read it now
            self._make_room()
        except OSError as error:
            log.warning("line_file_not_written", file=path.name, error=type(error).__name__)

    def _make_room(self) -> None:
        files = list(self._folder.glob("*.json"))
        if len(files) > MOST_FILES:
            files.sort(key=lambda file: file.stat().st_mtime)
            for file in files[: len(files) - MOST_FILES]:
                file.unlink(missing_ok=True)

    def _path(self, text: str) -> Path:
        name = sha256(f"{self._voice}\n{text}".encode()).hexdigest()
        return self._folder / f"{name}.json"
