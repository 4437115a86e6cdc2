"""PURE. Which stage's question a phrase of the agent's is: the judge's key to what the caller was asked."""

from __future__ import annotations

import re

from workflows.script.lines import PLACEHOLDER
from workflows.script.model import Script


class Questions:
    """A script's authored questions by their words."""

    def __init__(self, script: Script) -> None:
        self._order = [name for name, stage in script.stages.items() if stage.outcome is None]
        self._order += [name for name in script.stages if name not in self._order]
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        for name in self._order:
            stage = script.stages[name]
            texts = [
                line.text for line in (stage.opening, stage.fallback, stage.resume, stage.reask)
            ]
            texts += [script.slots[slot].ask for slot in stage.collects]
            self._patterns += [(_pattern(text), name) for text in dict.fromkeys(texts)]

    def stage(self, phrase: str) -> str | None:
        """The stage whose line this is; None for any other words."""
        return next((stage for pattern, stage in self._patterns if pattern.fullmatch(phrase)), None)

    def rank(self, stage: str) -> int:
        """Its place on the way through the script."""
        return self._order.index(stage)


def _pattern(text: str) -> re.Pattern[str]:
    parts = PLACEHOLDER.split(" ".join(text.split()))
    # Text, then a name and a default for each placeholder.
    return re.compile(".+".join(re.escape(part) for part in parts[::3]))
