"""A call told again, on the terminal: its decisions, or two tellings side by side."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from workflows.contracts.payloads import CallInput
from workflows.retelling import Decision, Retelling
from workflows.telling_apart import Parted


def print_decisions(call: CallInput, told: Retelling, console: Console) -> None:
    """Turn by turn: what opened it, the move, and what came of it."""
    console.print(
        Text(f"call {call.call_id} · {call.script_id} · {told.script_hash[:19]}…", style="bold")
    )
    for decision in told.decisions:
        console.print()
        lines = Table.grid(padding=(0, 1))
        lines.add_column(no_wrap=True, min_width=13, justify="right", style="dim")
        lines.add_column(overflow="fold")
        lines.add_row(str(decision.record.seq), Text(decision.opened_by, style="bold cyan"))
        if decision.told.move:
            lines.add_row("move", Text(decision.told.move))
        for what, text in decision.points().items():
            lines.add_row(what, Text(text, style=_style(what)))
        console.print(lines)


def print_side_by_side(
    was: Retelling, would: Retelling, turns: list[Parted], script: Path, console: Console
) -> None:
    """What was decided beside what another script would have made of the same messages."""
    table = Table(box=box.SIMPLE)
    for title in ("", "caller and move", "as it was", f"with {script.name}"):
        table.add_column(title, overflow="fold")
    first = next((turn for turn in turns if turn.unlike), None)
    for turn in turns:
        if turn is first:
            table.add_section()
        table.add_row(
            f"{turn.was.record.seq}",
            _opened(turn.was),
            _points(turn.was),
            _points(turn.would) if turn.unlike else Text("the same", style="dim"),
            style="" if not turn.unlike else "yellow",
        )
    console.print(table)
    console.print(
        f"outcome: {_outcome(was)}; with {script.name}: {_outcome(would)}",
        highlight=False,
        markup=False,
    )
    if first is None:
        console.print("Every turn would have gone the same way.")
        return
    console.print(
        f"They part at turn {first.was.record.seq} ({', '.join(first.unlike)}). After it the caller "
        "would have heard other words: what he said then is taken from the call as it was.",
        highlight=False,
    )


def _opened(decision: Decision) -> Text:
    opened = Text(decision.opened_by)
    if decision.told.move:
        opened.append(f"\n{decision.told.move}", style="dim")
    return opened


def _points(decision: Decision) -> Text:
    return Text("\n").join(
        Text(f"{what} {text}" if what != "stage" else text)
        for what, text in decision.points().items()
    )


def _outcome(told: Retelling) -> str:
    return str(told.decided) if told.decided else f"none of the script's own, at {told.state.stage}"


def _style(what: str) -> str:
    return {"refused": "red", "rejected": "red", "lasting": "bold", "outcome": "bold"}.get(what, "")
