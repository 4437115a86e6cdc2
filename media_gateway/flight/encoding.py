"""PURE. How a stream's turn-taking stands in a file: JSON lines, the first of which says how to read the others.

    {"format":"callspine-flight","version":1,"callspine":"0.1.0","call_id":…,"epoch":1,"begun":…,"rules":…,
     "policy":{…},"classes":{"SpeechStarted":["at","is_faint"],…}}
    [2100,"SpeechStopped",[2000],[]]                       now, event, its fields, the machine's commands
    [2700,"timer",[],[["BeginReply",2,"yes sure",false]]]  the machine's deadline came
    ["dropped",3]                                          so many steps are missing here
    ["end",812]                                            closed in order, after so many steps

Fields stand in the order of `classes`. Commands are null where the machine was not heard to answer. A step is one line,
so that a file that breaks off holds whole steps only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, get_args

from media_gateway.turns.types import Command, Event, Ms, TurnPolicy

FORMAT = "callspine-flight"
VERSION = 1
TIMER, DROPPED, END = "timer", "dropped", "end"

EVENTS: Mapping[str, type[Any]] = MappingProxyType(
    {kind.__name__: kind for kind in get_args(Event)}
)
COMMANDS: Mapping[str, type[Any]] = MappingProxyType(
    {kind.__name__: kind for kind in get_args(Command)}
)
_FIELDS = {
    kind.__name__: tuple(field.name for field in fields(kind))
    for kind in (*EVENTS.values(), *COMMANDS.values())
}


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a file says of itself."""

    callspine: str
    """Version of the program that wrote it."""
    call_id: str
    epoch: int
    begun: str
    """UTC, ISO 8601: when the recorder was opened. Times of steps count from the media stream's `start`."""
    rules: str
    """Fingerprint of the machine's source: another one may decide differently."""
    policy: TurnPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call into the machine, and what it answered."""

    now: Ms
    event: Event | None
    """None: the machine's deadline came."""
    commands: tuple[Command, ...] | None
    """None: it was not heard to answer; it raised, or the process ended."""


def encode_header(header: Header) -> bytes:
    """The first line."""
    return _line(
        {
            "format": FORMAT,
            "version": VERSION,
            "callspine": header.callspine,
            "call_id": header.call_id,
            "epoch": header.epoch,
            "begun": header.begun,
            "rules": header.rules,
            "policy": asdict(header.policy),
            "classes": _FIELDS,
        }
    )


def encode_step(step: Step) -> bytes:
    """One line. Raises TypeError for a field that JSON has no type for."""
    commands = step.commands
    return _line(
        [
            step.now,
            TIMER if step.event is None else type(step.event).__name__,
            [] if step.event is None else _values(step.event),
            None
            if commands is None
            else [[type(command).__name__, *_values(command)] for command in commands],
        ]
    )


def encode_dropped(count: int) -> bytes:
    """The line in place of steps that could not be kept."""
    return _line([DROPPED, count])


def encode_end(steps: int) -> bytes:
    """The last line of a file that was closed in order; `steps`: those that the file holds."""
    return _line([END, steps])


def _values(thing: Event | Command) -> Sequence[object]:
    return [getattr(thing, name) for name in _FIELDS[type(thing).__name__]]


def _line(content: object) -> bytes:
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    # Half a surrogate pair of a careless vendor is no reason to lose a step: it is kept as JSON has it.
    return text.encode("utf-8", "surrogatepass") + b"\n"
