"""Prints a call's evidence: each turn's gap step by step, then the checks."""

from __future__ import annotations

from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rehearsal.evidence.report import Evidence

_STEPS = (
    ("end of turn", "end_of_turn"),
    ("first token", "first_token"),
    ("first words", "first_words"),
    ("first audio", "first_audio"),
    ("sent", "first_audio_sent"),
    ("played", "first_audio_played"),
)


def print_turns(evidence: Evidence, console: Console) -> None:
    """A row a turn; milliseconds from the caller's last sound."""
    table = Table(title="\nms from the caller's last sound", title_justify="left")
    for name in ("turn", "stage", "move"):
        table.add_column(name, overflow="fold")
    for name, _ in _STEPS:
        table.add_column(name, justify="right")
    table.add_column("gap on the line", justify="right", style="bold")
    for turn in evidence.turns:
        timings = turn.record.timings
        cells = [getattr(timings, field) for _, field in _STEPS]
        if not turn.record.caller_words:
            cells = [None] * len(cells)
        table.add_row(
            str(turn.record.seq),
            turn.record.stage,
            escape(turn.record.move or turn.record.kind.value),
            *("" if cell is None else str(cell) for cell in cells),
            "" if turn.gap_ms is None else str(turn.gap_ms),
        )
    console.print(table)
    gaps = [turn.gap_ms for turn in evidence.turns if turn.gap_ms is not None]
    if gaps:
        console.print(f"gap on the line: median {median(gaps):.0f} ms, longest {max(gaps)} ms")


def print_checks(evidence: Evidence, console: Console) -> None:
    """A row a check."""
    table = Table(title="\nWhat the wire shows", title_justify="left")
    table.add_column("")
    table.add_column("check")
    table.add_column("seen", overflow="fold")
    for check in evidence.checks:
        table.add_row(
            "[green]ok[/]" if check.ok else "[bold red]FAILED[/]", check.name, escape(check.saw)
        )
    console.print(table)
