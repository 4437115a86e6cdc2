"""A table on the terminal and the same figures as JSON in out/endpointing/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.report import Row, write

OUT = Path("out/endpointing")


def show(name: str, title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> None:
    """Print and write."""
    table = Table(title=f"\n{title}", title_justify="left")
    for column, value in rows[0].items():
        table.add_column(column, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    console = Console(width=170)
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
    write(OUT / f"{name}.json", name, title, rows, notes)
