"""A knowledge folder as passages: one a heading of its markdown files, with an id made from its content."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(r"^(#{1,6})\s+(.+)$")
_NAMESPACE = uuid.UUID("8f5b2b1e-6f0c-4a55-9a0e-2f6f0a1d7c11")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A passage before it is embedded."""

    chunk_id: str
    """UUID of source and text: the same content is the same point."""
    source: str
    text: str


def read_folder(folder: Path) -> list[Chunk]:
    """All passages of a folder's `*.md`. Raises FileNotFoundError when there is no such folder."""
    if not folder.is_dir():
        raise FileNotFoundError(f"knowledge folder {folder} does not exist")
    chunks: list[Chunk] = []
    for path in sorted(folder.rglob("*.md")):
        chunks += split_markdown(
            path.read_text(encoding="utf-8"), path.relative_to(folder).as_posix()
        )
    return chunks


def split_markdown(text: str, name: str) -> list[Chunk]:
    """One passage a heading that has text under it. The headings above are part of its source."""
    chunks: list[Chunk] = []
    heading, body = "", list[str]()

    def close() -> None:
        words = " ".join(" ".join(body).split())
        if words:
            source = f"{name}#{heading}" if heading else name
            chunk_id = str(uuid.uuid5(_NAMESPACE, f"{source}\n{words}"))
            chunks.append(Chunk(chunk_id=chunk_id, source=source, text=words))

    for line in text.splitlines():
        found = _HEADING.match(line)
        if found:
            close()
            heading, body = found.group(2).strip(), []
        else:
            body.append(line)
    close()
    return chunks
