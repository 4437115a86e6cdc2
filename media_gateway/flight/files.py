"""Which files hold a call's flights: `<call id>.epoch<n>.jsonl` in the recorder's folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote

OWNER_ONLY_FILE, OWNER_ONLY_FOLDER = 0o600, 0o700
"""A flight holds a caller's words."""
_MOST_OF_ONE_EPOCH = 100


def prepare_folder(folder: Path) -> None:
    """Make the folder, for its owner alone, and try to write to it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY_FOLDER)
    probe = folder / f".probe-{os.getpid()}"
    probe.touch(mode=OWNER_ONLY_FILE)
    probe.unlink()


def create(folder: Path, call_id: str, epoch: int) -> tuple[int, Path]:
    """A new file, open for writing: its descriptor and path. Never an old one. Raises OSError."""
    stem = f"{_safe(call_id)}.epoch{epoch}"
    for number in range(1, _MOST_OF_ONE_EPOCH):
        path = folder / (f"{stem}.jsonl" if number == 1 else f"{stem}-{number}.jsonl")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            return os.open(path, flags, OWNER_ONLY_FILE), path
        except FileExistsError:
            continue
    raise FileExistsError(f"{_MOST_OF_ONE_EPOCH} flights of {stem}")


def flights_of(folder: Path, call_id: str) -> list[Path]:
    """Every flight of a call in this folder; none when there is no such folder."""
    if not folder.is_dir():
        return []
    name = re.compile(re.escape(_safe(call_id)) + r"\.epoch\d+(-\d+)?\.jsonl")
    return sorted(path for path in folder.iterdir() if name.fullmatch(path.name))


def _safe(call_id: str) -> str:
    """No separator of paths survives, and no two ids become one name."""
    return quote(call_id, safe="")
