"""An outbox file, and what the gateway logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox" / "gateway-1.db"


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with capture_logs() as lines:
        yield lines
