"""PURE. Fills authored lines: `{slot}`, `{fact}` and `{first_name|there}` with a default, spoken naturally."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from workflows.script.model import Line, Script, Slot, SlotType, SlotValue
from workflows.script.state import ScriptState

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?:\|([^{}]*))?\}")


def placeholders(text: str) -> set[tuple[str, bool]]:
    """Names in a line, each with whether it has a default."""
    return {(found.group(1), found.group(2) is not None) for found in PLACEHOLDER.finditer(text)}


def spoken_line(script: Script, state: ScriptState, line: Line) -> str:
    """The line's words for this call. A name without a value and without a default is left out."""
    values = _values(script, state)

    def fill(found: re.Match[str]) -> str:
        return values.get(found.group(1)) or found.group(2) or ""

    return " ".join(PLACEHOLDER.sub(fill, line.text).split())


def _values(script: Script, state: ScriptState) -> dict[str, str]:
    values = {"company": script.company, "agent_name": script.agent_name, **script.facts}
    values |= state.facts
    values |= {name: spoken_value(script.slots[name], value) for name, value in state.slots.items()}
    return values


def spoken_value(slot: Slot, value: SlotValue) -> str:
    """A slot's value as a person would say it."""
    match slot.type:
        case SlotType.YES_NO:
            return "yes" if value else "no"
        case SlotType.MONEY:
            return f"{float(value):g} dollars"
        case SlotType.DATETIME:
            return spoken_time(str(value))
        case _:
            return str(value)


def spoken_time(iso: str) -> str:
    """`2026-11-26T10:00` → `Thursday, November 26 at 10 AM`."""
    at = datetime.fromisoformat(iso)
    hour = at.hour % 12 or 12
    minutes = f":{at.minute:02}" if at.minute else ""
    half = "AM" if at.hour < 12 else "PM"
    return f"{at:%A}, {at:%B} {at.day} at {hour}{minutes} {half}"


def known_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts that may be spoken: short, one line, no braces."""
    return {
        name: " ".join(value.split())[:100].replace("{", "").replace("}", "")
        for name, value in facts.items()
        if value
    }
