"""PURE. Which floor may follow which, and on what evidence. `docs/turn-taking.md` draws its diagram from here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from media_gateway.turns.types import Floor

TRANSITIONS: Final[Mapping[tuple[Floor, Floor], str]] = MappingProxyType(
    {
        (Floor.OPEN, Floor.CALLER): "a sound",
        (Floor.OPEN, Floor.PAUSE): "words without a sound",
        (Floor.OPEN, Floor.THINKING): "long silence, a key, an order, the first line",
        (Floor.OPEN, Floor.ENDED): "handed over, hung up, line lost",
        (Floor.CALLER, Floor.PAUSE): "the sound stops",
        (Floor.CALLER, Floor.THINKING): "turn too long, a sound without words, a key, an order",
        (Floor.CALLER, Floor.ENDED): "hung up, line lost",
        (Floor.PAUSE, Floor.CALLER): "a sound",
        (Floor.PAUSE, Floor.THINKING): "the turn is over, a key, an order",
        (Floor.PAUSE, Floor.OPEN): "no words came",
        (Floor.PAUSE, Floor.ENDED): "hung up, line lost",
        (Floor.THINKING, Floor.AGENT): "audio",
        (Floor.THINKING, Floor.OVERLAP): "a sound",
        (Floor.THINKING, Floor.CALLER): "taken back, given up or failed, and he speaks",
        (Floor.THINKING, Floor.PAUSE): "taken back, given up or failed, and words wait",
        (Floor.THINKING, Floor.OPEN): "ended without audio",
        (Floor.THINKING, Floor.THINKING): "a key, an order",
        (Floor.THINKING, Floor.ENDED): "hung up, line lost",
        (Floor.AGENT, Floor.AGENT): "a part that may, or may not, be interrupted",
        (Floor.AGENT, Floor.OVERLAP): "a sound",
        (Floor.AGENT, Floor.CALLER): "real words, or played, and he speaks",
        (Floor.AGENT, Floor.PAUSE): "real words, or played, and words wait",
        (Floor.AGENT, Floor.OPEN): "played, failed, too long",
        (Floor.AGENT, Floor.THINKING): "a key, an order",
        (Floor.AGENT, Floor.ENDED): "hung up, line lost",
        (Floor.OVERLAP, Floor.AGENT): "it was nothing",
        (Floor.OVERLAP, Floor.THINKING): "it was nothing (no audio yet), a key, an order",
        (Floor.OVERLAP, Floor.CALLER): "real words, or all was heard",
        (Floor.OVERLAP, Floor.PAUSE): "real words, and he is silent",
        (Floor.OVERLAP, Floor.OPEN): "played or failed meanwhile",
        (Floor.OVERLAP, Floor.ENDED): "line lost",
    }
)
"""What is not here cannot happen; the machine refuses it."""


def mermaid() -> str:
    """The table as a state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {Floor.OPEN.name}"]
    lines += [
        f"    {old.name} --> {new.name}: {evidence}"
        for (old, new), evidence in TRANSITIONS.items()
        if new is not Floor.ENDED
    ]
    ends: dict[str, list[str]] = {}
    for (old, new), evidence in TRANSITIONS.items():
        if new is Floor.ENDED:
            ends.setdefault(evidence, []).append(old.name)
    lines += [
        f"    {name} --> {Floor.ENDED.name}: {evidence}"
        for evidence, names in ends.items()
        for name in names
    ]
    lines.append(f"    {Floor.ENDED.name} --> [*]")
    return "\n".join(lines)
