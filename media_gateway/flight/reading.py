"""PURE. What a flight file holds, and where it cannot be believed any more. See `encoding` for the format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from media_gateway.flight.encoding import (
    COMMANDS,
    EVENTS,
    FORMAT,
    TIMER,
    VERSION,
    Header,
    Step,
)
from media_gateway.turns.types import Ms, TurnPolicy


@dataclass(frozen=True, kw_only=True)
class Damage:
    """Where the file stops making sense, and why."""

    line: int
    """Counted from 1."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Flight:
    """A stream as far as it could be read."""

    header: Header
    steps: tuple[Step, ...]
    lines: tuple[int, ...]
    """Of each step: its line in the file."""
    damage: Damage | None = None
    """None: the file is good to its last line."""
    is_closed: bool = False
    """It says where it ends. Otherwise the call goes on, or its process was killed: the last second may be missing."""
    assumed: tuple[str, ...] = ()
    """Fields of the policy that the file does not know: they have their defaults."""


class FlightUnreadable(Exception):
    """Not a flight file, or one of another version; the message says which and what to do."""


def read_flight(content: bytes) -> Flight:
    """Read a file's bytes. Raises FlightUnreadable when not even its first line can be used."""
    *whole, rest = content.split(b"\n")
    header, schema, assumed = _header(whole[0] if whole else rest)
    reader = _Reader(header.callspine, schema)
    steps: list[Step] = []
    lines: list[int] = []
    for number, line in enumerate(whole[1:], start=2):
        try:
            record = _parsed(line)
            match record:
                case ["end", int(count)] if number == len(whole) and not rest:
                    if count != len(steps):
                        raise _Refused(f"it closes after {count} steps, and {len(steps)} are there")
                    return Flight(
                        header=header,
                        steps=tuple(steps),
                        lines=tuple(lines),
                        is_closed=True,
                        assumed=assumed,
                    )
                case ["end", *_]:
                    raise _Refused("something follows the end")
                case ["dropped", int(count)]:
                    raise _Refused(f"{count} steps are missing: the recorder could not keep up")
                case _:
                    step = reader.step(record)
                    if steps and step.now < steps[-1].now:
                        raise _Refused(f"time goes back from {steps[-1].now} to {step.now} ms")
                    steps.append(step)
                    lines.append(number)
        except _Refused as error:
            return _broken(header, steps, lines, Damage(line=number, reason=str(error)), assumed)
    damage = None
    if rest:
        damage = Damage(line=len(whole) + 1, reason="it breaks off in the middle of the line")
    return _broken(header, steps, lines, damage, assumed)


class _Refused(Exception):
    """One line makes no sense."""


def _broken(
    header: Header,
    steps: Sequence[Step],
    lines: Sequence[int],
    damage: Damage | None,
    assumed: tuple[str, ...],
) -> Flight:
    return Flight(
        header=header, steps=tuple(steps), lines=tuple(lines), damage=damage, assumed=assumed
    )


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise _Refused("it is not JSON") from None


def _header(line: bytes) -> tuple[Header, Mapping[str, list[str]], tuple[str, ...]]:
    try:
        told = _parsed(line)
    except _Refused:
        raise FlightUnreadable("not a flight file: its first line is not JSON") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise FlightUnreadable(f'not a flight file: its first line does not say "{FORMAT}"')
    wrote = str(told.get("callspine"))
    if told.get("version") != VERSION:
        raise FlightUnreadable(
            f"format version {told.get('version')}, written by callspine {wrote}; this one reads version {VERSION}: "
            f"use callspine {wrote}"
        )
    try:
        schema = {
            str(name): [str(field) for field in told_fields]
            for name, told_fields in told["classes"].items()
        }
        policy, assumed = _policy(told["policy"], wrote)
        header = Header(
            callspine=wrote,
            call_id=str(told["call_id"]),
            epoch=int(told["epoch"]),
            begun=str(told["begun"]),
            rules=str(told["rules"]),
            policy=policy,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FlightUnreadable(
            f"its first line is damaged: {type(error).__name__} {error}"
        ) from None
    return header, schema, assumed


def _policy(told: Mapping[str, Any], wrote: str) -> tuple[TurnPolicy, tuple[str, ...]]:
    known = _HINTS[TurnPolicy]
    for name, value in told.items():
        if name not in known:
            raise FlightUnreadable(
                f"its policy has {name!r}, which this callspine does not know: use callspine {wrote}, which wrote it"
            )
        if not fits(value, known[name]):
            raise FlightUnreadable(f"its policy's {name} is {value!r}")
    return TurnPolicy(**told), tuple(name for name in known if name not in told)


class _Reader:
    """Makes steps of a file's records by its own list of classes."""

    def __init__(self, wrote: str, schema: Mapping[str, list[str]]) -> None:
        self._wrote = wrote
        self._schema = schema

    def step(self, record: Any) -> Step:
        match record:
            case [int(now), str(name), list(values), None | list() as commands] if _is_time(now):
                return Step(
                    now=Ms(now),
                    event=None
                    if name == TIMER and not values
                    else self._made(EVENTS, name, values),
                    commands=None
                    if commands is None
                    else tuple(self._command(command) for command in commands),
                )
            case _:
                raise _Refused("it is no step: [time, event, fields, commands]")

    def _command(self, record: Any) -> Any:
        match record:
            case [str(name), *values]:
                return self._made(COMMANDS, name, values)
            case _:
                raise _Refused("a command is no list that begins with its name")

    def _made(self, kinds: Mapping[str, type[Any]], name: str, values: Sequence[Any]) -> Any:
        kind = kinds.get(name)
        if kind is None:
            raise _Refused(
                f"{name!r} is unknown to this callspine: use {self._wrote}, which wrote it"
            )
        told = self._schema.get(name, ())
        if len(told) != len(values):
            raise _Refused(f"{name} has {len(values)} fields, and the first line lists {len(told)}")
        known = _HINTS[kind]
        for field, value in zip(told, values, strict=True):
            if field not in known:
                raise _Refused(
                    f"{name}.{field} is unknown to this callspine: use {self._wrote}, which wrote it"
                )
            if not fits(value, known[field]):
                raise _Refused(f"{name}.{field} is not of its type")
        missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in told]
        if missing:
            raise _Refused(
                f"{name} lacks {missing[0]}: use callspine {self._wrote}, which wrote it"
            )
        return kind(**dict(zip(told, values, strict=True)))


def _is_time(value: Any) -> bool:
    return fits(value, int) and value >= 0


_HINTS = {kind: get_type_hints(kind) for kind in (*EVENTS.values(), *COMMANDS.values(), TurnPolicy)}


def fits(value: object, hint: Any) -> bool:
    """Whether a JSON value is of a field's declared type: scalars, None, and unions of them."""
    if get_origin(hint) in (Union, UnionType):
        return any(fits(value, part) for part in get_args(hint))
    hint = getattr(hint, "__supertype__", hint)
    if hint is float:
        return type(value) in (int, float)
    if hint is None or hint is type(None):
        return value is None
    return hint in (str, int, bool) and type(value) is hint
