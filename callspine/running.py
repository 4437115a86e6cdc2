"""What `callspine up` chose for itself, for commands that look at the running system: addresses and one-off secrets."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from callspine.settings import Settings

_FILE = "up.json"


@contextmanager
def told_while_running(var_dir: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Leave a file for the same user, as long as this lasts: variables, and the process that chose them."""
    path = var_dir / _FILE
    path.unlink(missing_ok=True)  # one of others' making, with others' rights, is not written into
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({"pid": os.getpid(), "environment": dict(environment)}, file)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def settings_of_what_runs(settings: Settings) -> Settings:
    """The settings that a system started by `callspine up` on this machine runs with; the given ones when none runs."""
    try:
        told = json.loads((settings.var_dir / _FILE).read_text(encoding="utf-8"))
        os.kill(int(told["pid"]), 0)
        environment = {str(name): str(value) for name, value in told["environment"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return settings  # none, or one that was killed
    from callspine.system import load_settings_with

    return load_settings_with(environment)
