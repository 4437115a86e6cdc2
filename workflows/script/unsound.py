"""PURE. What a check of a whole script finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsound:
    """Something that cannot work, and where in the document it stands."""

    path: tuple[str | int, ...]
    what: str
    remedy: str
