"""PURE. A script as a picture: Mermaid text for documents, DOT text for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workflows.script.compiled import COMPILED_STAGES, global_moves
from workflows.script.model import Script, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrow:
    source: str
    target: str
    label: str


def mermaid(script: Script) -> str:
    """A Mermaid flowchart."""
    rows = ["flowchart TD"]
    for stage in _shown(script):
        shape = f'(["{_title(stage)}"])' if stage.outcome is not None else f'["{_title(stage)}"]'
        rows.append(f"  {stage.name}{shape}")
    rows += [
        f'  {arrow.source} -->|"{_mermaid_text(arrow.label)}"| {arrow.target}'
        for arrow in _arrows(script)
    ]
    rows.append(f'  anywhere(("from every stage")) -.-> {" & ".join(_global_targets(script))}')
    return "\n".join(rows) + "\n"


def dot(script: Script) -> str:
    """A Graphviz digraph."""
    rows = [f"digraph {_quoted(script.script_id)} {{", '  node [shape=box, fontname="sans-serif"];']
    for stage in _shown(script):
        shape = ", style=rounded, peripheries=2" if stage.outcome is not None else ""
        rows.append(f"  {_quoted(stage.name)} [label={_quoted(_title(stage))}{shape}];")
    rows += [
        f"  {_quoted(arrow.source)} -> {_quoted(arrow.target)} [label={_quoted(arrow.label)}];"
        for arrow in _arrows(script)
    ]
    rows.append('  "anywhere" [label="from every stage", shape=ellipse, style=dashed];')
    rows += [
        f'  "anywhere" -> {_quoted(target)} [style=dashed];' for target in _global_targets(script)
    ]
    return "\n".join([*rows, "}"]) + "\n"


def _shown(script: Script) -> list[Stage]:
    targets = {arrow.target for arrow in _arrows(script)} | set(_global_targets(script))
    return [
        stage
        for stage in script.stages.values()
        if stage.name not in COMPILED_STAGES or stage.name in targets
    ]


def _arrows(script: Script) -> Iterator[_Arrow]:
    for stage in script.stages.values():
        for move in stage.moves:
            label = f"{move.name} [{move.guard.source}]" if move.guard else move.name
            yield _Arrow(source=stage.name, target=move.to or stage.name, label=label)


def _global_targets(script: Script) -> list[str]:
    moves = global_moves(script.agent_name, script.company)
    return sorted({move.to for move in moves if move.to is not None})


def _title(stage: Stage) -> str:
    parts = [stage.name, *(f"? {name}" for name in stage.collects)]
    if stage.outcome is not None:
        parts.append(f"= {stage.outcome.value}")
    return " / ".join(parts)


def _mermaid_text(text: str) -> str:
    return text.replace('"', "'").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
