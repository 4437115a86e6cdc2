"""PURE. Whether a script can work: every stage reachable, every way out open, every required slot fillable."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches

from workflows.script.compiled import COMPILED_STAGES
from workflows.script.consent import problems_of_recording
from workflows.script.lines import placeholders
from workflows.script.model import Line, Outcome, Script, SlotType, Stage, Words
from workflows.script.openers import may_not_be_opened, openers_of_move
from workflows.script.unsound import Unsound

KNOWN_FACTS = frozenset({"company", "agent_name"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def problems_of(script: Script, passages: Collection[str] | None = None) -> Iterator[Unsound]:
    """Everything that is wrong with a script whose parts are well formed; `passages` as in `parse_script`."""
    yield from _names(script)
    if script.first_stage not in script.stages:
        yield Unsound(
            path=("first",),
            what=f"first stage `{script.first_stage}` does not exist",
            remedy="name one of the stages",
        )
        return
    yield from _targets(script)
    yield from _reachable(script)
    yield from _ways_out(script)
    yield from _slots(script)
    yield from _lines(script)
    yield from _openers(script)
    yield from _appointment(script)
    yield from _knowledge(script, passages)
    yield from problems_of_recording(script)
    if not script.silence:
        yield Unsound(
            path=("silence",),
            what="no silence lines: a silent caller would never be asked",
            remedy="give at least one line under `silence`",
        )


def _authored(script: Script) -> list[Stage]:
    return [stage for name, stage in script.stages.items() if name not in COMPILED_STAGES]


def _names(script: Script) -> Iterator[Unsound]:
    places = [
        *((("stages", name), name) for name in script.stages),
        *((("slots", name), name) for name in script.slots),
        *((("objections", name), name) for name in script.objections),
        *(
            (("stages", s.name, "moves", m.name), m.name)
            for s in _authored(script)
            for m in s.moves
        ),
    ]
    for path, name in places:
        if not _NAME.fullmatch(name):
            yield Unsound(
                path=path,
                what=f"`{name}` is not a name",
                remedy="use lower-case letters, digits and underscores",
            )


def _targets(script: Script) -> Iterator[Unsound]:
    for stage in _authored(script):
        path = ("stages", stage.name)
        for name in stage.collects:
            if name not in script.slots:
                yield Unsound(
                    path=(*path, "collects"),
                    what=f"slot `{name}` does not exist",
                    remedy="declare it under `slots`",
                )
        for name in stage.objections:
            if name not in script.objections:
                yield Unsound(
                    path=(*path, "objections"),
                    what=f"objection `{name}` does not exist",
                    remedy="declare it under `objections`",
                )
        for move in stage.moves:
            at = (*path, "moves", move.name)
            if move.to is None and not move.line:
                yield Unsound(
                    path=at,
                    what=f"move `{move.name}` has no target and no line",
                    remedy="give it `to: <stage>`, or a `line` to stay with",
                )
            if move.to is not None and move.to not in script.stages:
                yield Unsound(
                    path=(*at, "to"),
                    what=f"move `{move.name}` leads to `{move.to}`, which does not exist",
                    remedy="name one of the stages",
                )
            used = (move.guard.slots if move.guard else frozenset()) | set(move.slots)
            for name in sorted(used - script.slots.keys()):
                yield Unsound(
                    path=at,
                    what=f"move `{move.name}` uses slot `{name}`, which does not exist",
                    remedy="declare it under `slots`",
                )


def _next(stage: Stage) -> set[str]:
    return {move.to for move in stage.moves if move.to is not None}


def _reachable(script: Script) -> Iterator[Unsound]:
    seen, todo = set(COMPILED_STAGES), [script.first_stage]
    while todo:
        name = todo.pop()
        if name not in seen and name in script.stages:
            seen.add(name)
            todo.extend(_next(script.stages[name]))
    for name in script.stages.keys() - seen:
        yield Unsound(
            path=("stages", name),
            what=f"stage `{name}` cannot be reached from `{script.first_stage}`",
            remedy="lead a move to it, or remove it",
        )
    for stage in _authored(script):
        asks = any(move.consents_to_recording for move in stage.moves)
        # A question for consent may be skipped: without it nothing is recorded.
        may_be_skipped = asks or stage.name == script.first_stage or stage.outcome is not None
        if stage.opening.must_say and not may_be_skipped:
            yield Unsound(
                path=("stages", stage.name, "must_say"),
                what=f"the must-say line of `{stage.name}` could be skipped by a global move",
                remedy="only the first stage, final stages and those that ask for consent to record may have "
                "must-say openings",
            )


def _ways_out(script: Script) -> Iterator[Unsound]:
    """Every authored stage leads to an authored end; opt-out alone is no way to finish a script."""
    ends = {stage.name for stage in script.stages.values() if stage.outcome is not None}
    good = set(ends)
    while True:
        more = {s.name for s in _authored(script) if s.name not in good and _next(s) & good}
        if not more:
            break
        good |= more
    for stage in _authored(script):
        if stage.name not in good:
            yield Unsound(
                path=("stages", stage.name),
                what=f"stage `{stage.name}` has no way to an end of the script",
                remedy="give it a move towards a stage with an `outcome`",
            )
        if stage.outcome is not None and stage.moves:
            yield Unsound(
                path=("stages", stage.name, "moves"),
                what=f"stage `{stage.name}` ends the call and cannot have moves",
                remedy="remove its moves, or its outcome",
            )


def _slots(script: Script) -> Iterator[Unsound]:
    collected = {name for stage in _authored(script) for name in stage.collects}
    collected |= {name for stage in _authored(script) for m in stage.moves for name in m.slots}
    for slot in script.slots.values():
        path = ("slots", slot.name)
        if slot.required and slot.name not in collected:
            yield Unsound(
                path=path,
                what=f"required slot `{slot.name}` is never asked for",
                remedy="name it under a stage's `collects`, or make it optional",
            )
        if slot.type is SlotType.CHOICE and len(slot.choices) < 2:
            yield Unsound(
                path=path,
                what=f"choice slot `{slot.name}` can never be filled",
                remedy="give at least two `choices`",
            )
        if slot.minimum is not None and slot.maximum is not None and slot.minimum > slot.maximum:
            yield Unsound(
                path=path,
                what=f"slot `{slot.name}` can never be filled: min is above max",
                remedy="swap `min` and `max`",
            )


def _lines(script: Script) -> Iterator[Unsound]:
    known = KNOWN_FACTS | script.slots.keys() | script.facts.keys()

    def check(line: Line | None, path: tuple[str | int, ...]) -> Iterator[Unsound]:
        for name, has_default in sorted(placeholders(line.text)) if line else ():
            if name not in known and not has_default:
                yield Unsound(
                    path=path,
                    what=f"`{{{name}}}` is no slot and no fact of the script",
                    remedy=f"declare it, or give a default: {{{name}|there}}",
                )

    for stage in _authored(script):
        path = ("stages", stage.name)
        for key in ("opening", "fallback", "resume", "reask"):
            yield from check(getattr(stage, key), (*path, key))
        for move in stage.moves:
            yield from check(move.line, (*path, "moves", move.name, "line"))
    for objection in script.objections.values():
        yield from check(objection.line, ("objections", objection.name, "line"))


def _openers(script: Script) -> Iterator[Unsound]:
    for stage in _authored(script):
        for move in stage.moves:
            path = ("stages", stage.name, "moves", move.name, "openers")
            if not move.openers:
                continue
            if move.words is Words.AUTHORED:
                yield Unsound(
                    path=path,
                    what=f"move `{move.name}` has openers, but its words are authored",
                    remedy="write them into its line, or take them out",
                )
            elif may_not_be_opened(script, move):
                yield Unsound(
                    path=path,
                    what=f"nothing may be said before `{move.to}` opens",
                    remedy="take the openers out: these words must be the first that are heard",
                )
            elif not openers_of_move(script, stage.name, move):
                yield Unsound(
                    path=path,
                    what="what follows begins with the same words as each of its openers",
                    remedy="use another opener, or change the line that follows",
                )


def _appointment(script: Script) -> Iterator[Unsound]:
    slot = script.slots.get(script.appointment_slot or "")
    books = any(stage.outcome is Outcome.APPOINTMENT for stage in script.stages.values())
    if script.appointment_slot and (slot is None or slot.type is not SlotType.DATETIME):
        yield Unsound(
            path=("appointment_slot",),
            what=f"`{script.appointment_slot}` is no slot of type datetime",
            remedy="name a datetime slot",
        )
    if books and not script.appointment_slot:
        yield Unsound(
            path=("stages",),
            what="a stage ends with an appointment, but no slot holds its time",
            remedy="set `appointment_slot`",
        )


def _knowledge(script: Script, passages: Collection[str] | None) -> Iterator[Unsound]:
    for stage in _authored(script):
        for index, name in enumerate(stage.knowledge or ()):
            path = ("stages", stage.name, "knowledge", index)
            if script.knowledge is None:
                yield Unsound(
                    path=path,
                    what=f"stage `{stage.name}` quotes `{name}`, but the script has no passages",
                    remedy="name their folder under `knowledge` at the top, or remove this",
                )
            elif passages is not None and name not in passages:
                near = get_close_matches(name, passages, n=3, cutoff=0.5)
                yield Unsound(
                    path=path,
                    what=f"stage `{stage.name}` quotes `{name}`, which `{script.knowledge}` lacks",
                    remedy="write a file (`cost.md`), a folder (`prices/`) or a heading (`cost.md#Savings`)"
                    + (f": perhaps {' or '.join(f'`{other}`' for other in near)}" if near else ""),
                )
