"""Tables on the terminal and JSON in `out/bench/`."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

OUT = Path("out/bench")
Row = Mapping[str, str | int | float]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def report(name: str, title: str, rows: Sequence[Row], notes: Sequence[str] = ()) -> Path:
    """Print the rows, write them with the machine, its load and the time; returns the file."""
    table = Table(title=f"\n{title}", title_justify="left")
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row.values()))
    console = Console(width=150)
    console.print(table)
    for note in notes:
        console.print(note, highlight=False)
    return write(OUT / f"{name}.json", name, title, rows, notes)


def write(path: Path, name: str, title: str, rows: Sequence[Row], notes: Sequence[str]) -> Path:
    """Write figures as JSON, with the machine, its load (1, 5, 15 minutes) and the time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "cpus": os.cpu_count(),
        "arch": platform.machine(),
        "python": platform.python_version(),
        "load average": [round(load, 2) for load in os.getloadavg()],
    }
    at = datetime.now(UTC).isoformat(timespec="seconds")
    body = {"name": name, "title": title, "at": at, "machine": machine, "rows": rows}
    path.write_text(json.dumps({**body, "notes": notes}, indent=2) + "\n", encoding="utf-8")
    return path
