"""PURE. Reads a prompt of Callspine's as a model would: its sections, moves, slots and the caller's words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_SLOT = re.compile(r"- (\w+) \((\w+)(?:: ([^)]*))?\): (.*?)(?: \| known: (.*))?$")
_SAID = re.compile(r'You have just answered aloud: "(.*?)"')
_FENCED = re.compile(r"<<<\s*(.*?)\s*>>>", re.S)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedMove:
    """A move that the prompt offers."""

    tag: str
    description: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedSlot:
    """A slot that the prompt asks for."""

    name: str
    type: str
    choices: tuple[str, ...]
    description: str
    known: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPrompt:
    """What a turn's prompt says."""

    today: str
    """ISO date; empty when the prompt has none."""
    question: str
    moves: tuple[OfferedMove, ...]
    slots: tuple[OfferedSlot, ...]
    passages: tuple[str, ...]
    caller_words: str
    already_said: str
    """By the agent, before the answer; empty mostly."""


def sections(text: str) -> dict[str, str]:
    """The text under each `## Heading`."""
    found: dict[str, str] = {}
    for part in re.split(r"^\s*## ", text, flags=re.M)[1:]:
        title, _, body = part.partition("\n")
        found[title.strip()] = body.strip()
    return found


def message_text(messages: Sequence[Mapping[str, object]], role: str) -> str:
    """The text of all messages of one role; content may be text or parts."""
    texts = []
    for message in messages:
        content = message.get("content")
        if message.get("role") != role:
            continue
        if isinstance(content, str):
            texts.append(content)
        elif isinstance(content, list):
            texts += [str(part.get("text", "")) for part in content if isinstance(part, dict)]
    return "\n".join(texts)


def read_turn(system: str, user: str) -> TurnPrompt:
    """A prompt of `TakeTurn`."""
    parts = sections(system)
    words, said = _FENCED.search(user), _SAID.search(user)
    day = re.search(r"\d{4}-\d{2}-\d{2}", parts.get("Today", ""))
    return TurnPrompt(
        today=day.group() if day else "",
        question=parts.get("Question that follows your words", ""),
        moves=tuple(_move(line) for line in _items(parts.get("Moves", ""))),
        slots=tuple(
            OfferedSlot(
                name=found[1],
                type=found[2],
                choices=tuple(filter(None, (found[3] or "").split(", "))),
                description=found[4],
                known=found[5] or "",
            )
            for line in _items(parts.get("Slots", ""))
            if (found := _SLOT.match(line))
        ),
        passages=tuple(_FENCED.findall(parts.get("Passages", ""))),
        caller_words=words.group(1) if words else user.strip(),
        already_said=said.group(1) if said else "",
    )


def _items(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("- ")]


def _move(line: str) -> OfferedMove:
    tag, _, rest = line.removeprefix("- ").partition(": ")
    description, _, examples = rest.partition(" | examples: ")
    return OfferedMove(
        tag=tag.split()[0] if tag.strip() else "",
        description=description.strip(),
        examples=tuple(example.strip() for example in examples.split(" / ") if example.strip()),
    )
