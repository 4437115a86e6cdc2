"""Which files of a knowledge folder are read, and how: Markdown, plain text, HTML and PDF; a bad one is told and left out."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from media_gateway.knowledge.cutting import Chunk, Document, Section, cut

LARGEST_BYTES = 50_000_000
_FORMATS = {
    ".md": "markdown", ".markdown": "markdown", ".txt": "text", ".text": "text",
    ".html": "html", ".htm": "html", ".xhtml": "html", ".pdf": "pdf",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class BadFile:
    """A file that gives no passages."""

    name: str
    reason: str
    """What is wrong and, where it can be known, what to do."""


def files_of(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones, in the order of names. Raises FileNotFoundError when it is none."""
    if not folder.is_dir():
        raise FileNotFoundError(f"knowledge folder {folder} does not exist")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_documents(folder: Path) -> Iterator[Document | BadFile]:
    """Each file of a folder. Blocks. Raises FileNotFoundError when there is no such folder."""
    for path in files_of(folder):
        yield read_document(path, path.relative_to(folder).as_posix())


def read_folder(folder: Path) -> list[Chunk]:
    """All passages that can be read. Blocks. Raises FileNotFoundError when there is no such folder."""
    return [
        chunk
        for document in read_documents(folder)
        if isinstance(document, Document)
        for chunk in document.chunks
    ]


def names_in(folder: Path) -> frozenset[str]:
    """What a stage's `knowledge` may hold: folders, files and headings that have passages. Blocks."""
    return frozenset(name for chunk in read_folder(folder) for name in chunk.within)


def read_document(path: Path, name: str) -> Document | BadFile:
    """One file's passages, or why there are none. Never raises for what a file may hold."""
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        readable = ", ".join(sorted(_FORMATS))
        return BadFile(name=name, reason=f"it is not one of {readable}")
    try:
        if path.stat().st_size > LARGEST_BYTES:
            return BadFile(name=name, reason=f"it is larger than {LARGEST_BYTES // 10**6} MB")
        document = cut(name, _READERS[kind](path.read_bytes()))
    except OSError as error:
        return BadFile(name=name, reason=f"it cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return BadFile(name=name, reason="it is not UTF-8 text: save it as UTF-8")
    except ImportError as error:
        return BadFile(name=name, reason=f"{error.name} is not installed: pip install {error.name}")
    except ValueError as error:
        return BadFile(name=name, reason=str(error))
    except Exception as error:  # noqa: BLE001 - a damaged file makes its parser raise anything
        return BadFile(name=name, reason=f"it is damaged: {type(error).__name__}: {error}")
    if not document.chunks:
        return BadFile(name=name, reason="there are no words in it")
    return document


def _text(file: bytes) -> list[Section]:
    return [Section(headings=(), text=file.decode("utf-8-sig"))]


def _markdown(file: bytes) -> list[Section]:
    sections: list[Section] = _reader("markdown")(file.decode("utf-8-sig"))
    return sections


def _html(file: bytes) -> list[Section]:
    sections: list[Section] = _reader("html")(file)
    return sections


def _pdf(file: bytes) -> list[Section]:
    sections: list[Section] = _reader("pdf")(file)
    return sections


def _reader(kind: str) -> Callable[..., list[Section]]:
    """Imported when a file of its kind is met: most folders hold one kind, and pypdf alone takes a third of a second."""
    module = importlib.import_module(f"media_gateway.knowledge.formats.{kind}")
    reader: Callable[..., list[Section]] = module.sections_of
    return reader


_READERS = {"text": _text, "markdown": _markdown, "html": _html, "pdf": _pdf}
