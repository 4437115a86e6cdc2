"""PURE. YAML text → a compiled `Script`, or a `ScriptError` that names every problem's file, line and remedy."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite

from workflows.script.compiled import (
    COMPILED_MOVES,
    COMPILED_STAGES,
    OBJECTION_PREFIX,
    call_back_slot,
    final_stages,
)
from workflows.script.guards import Guard, parse_guard
from workflows.script.model import (
    Line,
    Move,
    Objection,
    OpenerKind,
    Outcome,
    Recording,
    Script,
    Slot,
    SlotType,
    Stage,
    Words,
)
from workflows.script.openers import what_is_wrong
from workflows.script.soundness import problems_of
from workflows.script.yaml_lines import Path, YamlProblem, load_with_lines

_TOP = {
    "script", "version", "title", "company", "agent_name", "language", "first", "transfer_to",
    "knowledge", "key_terms", "facts", "appointment_slot", "slots", "objections", "filler",
    "silence", "stages", "openers", "recording",
}  # fmt: skip
_SLOT = {"type", "description", "ask", "required", "choices", "min", "max"}
_OBJECTION = {"description", "examples", "guidance", "line", "max_times"}
_STAGE = {
    "goal", "opening", "fallback", "resume", "reask", "must_say", "collects", "objections",
    "moves", "outcome", "transfer", "openers", "knowledge",
}  # fmt: skip
_MOVE = {
    "description",
    "examples",
    "to",
    "when",
    "when_complete",
    "words",
    "line",
    "slots",
    "openers",
    "consents_to_recording",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong."""

    file: str
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what} — {self.remedy}"


class ScriptError(ValueError):
    """A script is refused. `problems` holds everything that was found, in the order of lines."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line)
        super().__init__("\n".join(map(str, self.problems)))


def content_hash(text: str) -> str:
    """`sha256:` and the digest of the text as it is."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


MOST_SCRIPTS = 64
"""Compiled scripts that a process keeps: each is a few hundred kB, and compiling takes 50 ms."""


@lru_cache(maxsize=MOST_SCRIPTS)
def compiled_script(text: str) -> Script:
    """The same text's script, compiled once a process. Raises ScriptError each time for a text that is refused."""
    return parse_script(text, name="script")


def parse_script(text: str, *, name: str, passages: Collection[str] | None = None) -> Script:
    """Compile a script. `name` is the file's, for messages. Raises ScriptError.

    `passages` are the names that a stage's `knowledge` may hold; None where the documents are not at hand.
    """
    try:
        document, lines = load_with_lines(text)
    except YamlProblem as error:
        raise ScriptError(
            [Problem(file=name, line=error.line, what=error.reason, remedy=error.remedy)]
        ) from None
    reader = _Reader(name, lines)
    script = reader.script(document, content_hash(text))
    if not reader.problems and script is not None:
        for problem in problems_of(script, passages):
            reader.problem(problem.path, problem.what, problem.remedy)
    if reader.problems or script is None:
        raise ScriptError(reader.problems)
    return script


class _Reader:
    """Reads the document's parts; collects problems instead of stopping at the first."""

    def __init__(self, file: str, lines: dict[Path, int]) -> None:
        self._file = file
        self._lines = lines
        self.problems: list[Problem] = []

    def problem(self, path: Path, what: str, remedy: str) -> None:
        while path and path not in self._lines:
            path = path[:-1]
        line = self._lines.get(path, 1)
        self.problems.append(Problem(file=self._file, line=line, what=what, remedy=remedy))

    # --- plain values ------------------------------------------------------------------------

    def mapping(self, value: object, path: Path, keys: set[str] | None = None) -> dict[str, object]:
        if not isinstance(value, dict):
            self.problem(path, f"{_at(path)} is not a mapping", "write `key: value` lines here")
            return {}
        for key in value:
            if keys is not None and key not in keys:
                near = ", ".join(sorted(keys))
                self.problem((*path, key), f"unknown key `{key}`", f"use one of: {near}")
        return value

    def text(
        self, source: dict[str, object], key: str, path: Path, default: str | None = None
    ) -> str:
        value = source.get(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            self.problem((*path, key), f"{_at((*path, key))} is missing or not text", "write it")
            return ""
        return " ".join(value.split())

    def texts(self, source: dict[str, object], key: str, path: Path) -> tuple[str, ...]:
        value = source.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problem(
                (*path, key), f"{_at((*path, key))} is not a list of texts", "write `- text` lines"
            )
            return ()
        return tuple(" ".join(str(item).split()) for item in value)

    def flag(self, source: dict[str, object], key: str, path: Path) -> bool:
        value = source.get(key, False)
        if not isinstance(value, bool):
            self.problem(
                (*path, key), f"{_at((*path, key))} is not true or false", "write true or false"
            )
        return value is True

    def number(self, source: dict[str, object], key: str, path: Path) -> float | None:
        value = source.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        if isinstance(value, float) and isfinite(value):
            return value
        self.problem((*path, key), f"{_at((*path, key))} is not a number", "write a number")
        return None

    # --- parts -------------------------------------------------------------------------------

    def script(self, document: object, digest: str) -> Script | None:
        top = self.mapping(document, (), _TOP)
        if not top:
            return None
        company = self.text(top, "company", ())
        transfer_to = self.text(top, "transfer_to", ()) if "transfer_to" in top else None
        slots = {
            key: self.slot(key, value, ("slots", key))
            for key, value in self.mapping(top.get("slots", {}), ("slots",)).items()
        }
        default = call_back_slot()
        slots.setdefault(default.name, default)
        objections = {
            key: self.objection(key, value, ("objections", key))
            for key, value in self.mapping(top.get("objections", {}), ("objections",)).items()
        }
        stages = {
            key: self.stage(key, value, ("stages", key))
            for key, value in self.mapping(top.get("stages"), ("stages",)).items()
        }
        stages |= final_stages(company, transfer_to)
        facts = self.mapping(top.get("facts", {}), ("facts",))
        return Script(
            script_id=self.text(top, "script", ()),
            version=self.text(top, "version", ()),
            content_hash=digest,
            title=self.text(top, "title", ()),
            company=company,
            agent_name=self.text(top, "agent_name", ()),
            language=self.text(top, "language", (), "en"),
            first_stage=self.text(top, "first", ()),
            stages=stages,
            slots=slots,
            objections=objections,
            filler=self.lines_of(top, "filler"),
            silence=self.lines_of(top, "silence"),
            appointment_slot=(
                self.text(top, "appointment_slot", ()) if "appointment_slot" in top else None
            ),
            knowledge=self.text(top, "knowledge", ()) if "knowledge" in top else None,
            key_terms=self.texts(top, "key_terms", ()),
            transfer_to=transfer_to,
            facts={key: str(value) for key, value in facts.items()},
            openers=self.openers_by_kind(top, (), ""),
            recording=self.recording(top),
        )

    def recording(self, top: dict[str, object]) -> Recording:
        value = top.get("recording", Recording.OFF)
        if value is False:  # what YAML makes of `off`
            return Recording.OFF
        if value not in set(Recording):
            known = ", ".join(Recording)
            self.problem(("recording",), f"`{value}` is no time to record", f"use one of: {known}")
            return Recording.OFF
        return Recording(str(value))

    def lines_of(self, top: dict[str, object], key: str) -> tuple[Line, ...]:
        return tuple(
            Line(line_id=f"{key}.{index}", text=text)
            for index, text in enumerate(self.texts(top, key, ()))
        )

    def openers_by_kind(
        self, source: dict[str, object], path: Path, owner: str
    ) -> dict[OpenerKind, tuple[Line, ...]]:
        here = (*path, "openers")
        by_kind = self.mapping(source.get("openers", {}), here, set(OpenerKind))
        return {
            kind: self.openers(by_kind, kind, here, f"{owner}opener.{kind}")
            for kind in OpenerKind
            if kind in by_kind
        }

    def openers(
        self, source: dict[str, object], key: str, path: Path, line_id: str
    ) -> tuple[Line, ...]:
        lines = []
        for index, text in enumerate(self.texts(source, key, path)):
            if wrong := what_is_wrong(text):
                self.problem((*path, key, index), *wrong)
            lines.append(Line(line_id=f"{line_id}.{index}", text=text))
        return tuple(lines)

    def slot(self, name: str, value: object, path: Path) -> Slot:
        source = self.mapping(value, path, _SLOT)
        kind = self.text(source, "type", path)
        if kind not in set(SlotType):
            known = ", ".join(SlotType)
            self.problem((*path, "type"), f"`{kind}` is no slot type", f"use one of: {known}")
            kind = SlotType.TEXT
        return Slot(
            name=name,
            type=SlotType(kind),
            description=self.text(source, "description", path),
            ask=self.text(source, "ask", path),
            required=self.flag(source, "required", path),
            choices=self.texts(source, "choices", path),
            minimum=self.number(source, "min", path),
            maximum=self.number(source, "max", path),
        )

    def objection(self, name: str, value: object, path: Path) -> Objection:
        source = self.mapping(value, path, _OBJECTION)
        times = self.number(source, "max_times", path)
        return Objection(
            name=name,
            description=self.text(source, "description", path),
            examples=self.texts(source, "examples", path),
            guidance=self.text(source, "guidance", path),
            line=self.line(source, "line", path, f"{OBJECTION_PREFIX}{name}"),
            max_times=2 if times is None else int(times),
        )

    def line(
        self,
        source: dict[str, object],
        key: str,
        path: Path,
        line_id: str,
        *,
        must_say: bool = False,
    ) -> Line:
        return Line(line_id=line_id, text=self.text(source, key, path), must_say=must_say)

    def stage(self, name: str, value: object, path: Path) -> Stage:
        if name in COMPILED_STAGES or name == "disclosure":
            self.problem(path, f"stage `{name}` is compiled in", "give the stage another name")
        source = self.mapping(value, path, _STAGE)
        opening = self.line(
            source, "opening", path, f"{name}.opening", must_say=self.flag(source, "must_say", path)
        )
        outcome = self.text(source, "outcome", path) if "outcome" in source else None
        if outcome is not None and outcome not in set(Outcome):
            known = ", ".join(Outcome)
            self.problem((*path, "outcome"), f"`{outcome}` is no outcome", f"use one of: {known}")
            outcome = Outcome.GOODBYE

        def other(key: str) -> Line:
            if key not in source:
                return Line(line_id=f"{name}.{key}", text=opening.text)
            return self.line(source, key, path, f"{name}.{key}")

        moves = self.mapping(source.get("moves", {}), (*path, "moves"))
        return Stage(
            name=name,
            goal=self.text(source, "goal", path, "End the call." if outcome else None),
            opening=opening,
            fallback=other("fallback"),
            resume=other("resume"),
            reask=other("reask"),
            collects=self.texts(source, "collects", path),
            objections=self.texts(source, "objections", path),
            moves=tuple(
                self.move(name, key, item, (*path, "moves", key)) for key, item in moves.items()
            ),
            outcome=Outcome(outcome) if outcome is not None else None,
            transfer=self.flag(source, "transfer", path),
            openers=self.openers_by_kind(source, path, f"{name}."),
            knowledge=self.texts(source, "knowledge", path) if "knowledge" in source else None,
        )

    def move(self, stage: str, name: str, value: object, path: Path) -> Move:
        if name in COMPILED_MOVES or name.startswith(OBJECTION_PREFIX):
            self.problem(path, f"move `{name}` is compiled in", "give the move another name")
        source = self.mapping(value, path, _MOVE)
        words = self.text(source, "words", path, Words.MODEL)
        if words not in set(Words):
            self.problem((*path, "words"), f"`{words}` is not who speaks", "use model or authored")
            words = Words.MODEL
        return Move(
            name=name,
            description=self.text(source, "description", path),
            examples=self.texts(source, "examples", path),
            to=self.text(source, "to", path) if "to" in source else None,
            guard=self.guard(source, path),
            words=Words(words),
            line=(self.line(source, "line", path, f"{stage}.{name}") if "line" in source else None),
            when_complete=self.flag(source, "when_complete", path),
            slots=self.texts(source, "slots", path),
            openers=(
                self.openers(source, "openers", path, f"{stage}.{name}.opener")
                if "openers" in source
                else None
            ),
            consents_to_recording=self.flag(source, "consents_to_recording", path),
        )

    def guard(self, source: dict[str, object], path: Path) -> Guard | None:
        if "when" not in source:
            return None
        try:
            return parse_guard(self.text(source, "when", path))
        except ValueError as error:
            self.problem((*path, "when"), str(error), "correct the condition")
            return None


def _at(path: Path) -> str:
    return "`" + ".".join(map(str, path)) + "`" if path else "the document"
