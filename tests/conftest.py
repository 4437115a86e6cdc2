"""Fixtures of more than one folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.line import Rehearsal, open_line


@pytest.fixture
def rehearsal(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[Rehearsal]]:
    """Opens a carrier on a free port, with a caller of these properties, and its customer."""
    return partial(open_line, tmp_path)
