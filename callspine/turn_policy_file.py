"""Which policy a YAML file asks for: a recorded one, with some of its fields changed."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from callspine.settings import SettingsError
from media_gateway.flight.reading import fits
from media_gateway.turns.types import TurnPolicy

LONGEST_MS = 3_600_000


def read_policy(path: Path, recorded: TurnPolicy) -> TurnPolicy:
    """Read a file of field names and values; what it leaves out is as recorded. Raises SettingsError."""
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(told, dict) or not told:
        raise SettingsError(
            f"{path}: write one `field: value` a line, for example `end_pause_ms: 500`"
        )
    known = [field.name for field in fields(TurnPolicy)]
    unknown = [str(name) for name in told if name not in known]
    if unknown:
        raise SettingsError(
            f"{path}: a policy has no {', '.join(unknown)}; it has {', '.join(known)}"
        )
    hints = get_type_hints(TurnPolicy)
    problems = [
        f"{path}: {name} is {value!r}: {problem}"
        for name, value in told.items()
        if (problem := _problem(name, value, hints[name]))
    ]
    if problems:
        raise SettingsError("\n".join(problems))
    try:
        policy = replace(recorded, **told)
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from None
    if policy.unfinished_pause_ms < policy.end_pause_ms:
        raise SettingsError(
            f"{path}: unfinished_pause_ms ({policy.unfinished_pause_ms}) must be at least "
            f"end_pause_ms ({policy.end_pause_ms})"
        )
    return policy


def _problem(name: str, value: Any, hint: Any) -> str:
    if not fits(value, hint):
        wanted = {float: "a number", int: "a whole number", bool: "true or false"}.get(
            hint, "a text"
        )
        return f"it must be {wanted}"
    if isinstance(value, bool | str) or value is None:
        return ""
    if not 0 <= value <= LONGEST_MS:  # not a number is neither
        return f"it must be between 0 and {LONGEST_MS}"
    if name.endswith("_p") and value > 1:
        return "a probability is between 0 and 1"
    return ""
