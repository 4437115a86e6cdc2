"""One embedder for all: loading the model takes a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from media_gateway.knowledge.embedding import Embedder
from tests.knowledge.documents import write_each_kind


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """A folder with each kind of file."""
    write_each_kind(tmp_path / "kb")
    return tmp_path / "kb"
