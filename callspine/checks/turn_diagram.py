"""The state diagram in `docs/turn-taking.md`: whether it is the turn machine's table, and how it gets there.

`python -m callspine.checks.turn_diagram` compares; with `--write` it renews the diagram.
"""

from __future__ import annotations

import sys
from pathlib import Path

from media_gateway.turns.table import mermaid

PAGE = Path(__file__).resolve().parents[2] / "docs" / "turn-taking.md"
_BEGIN, _END = "```mermaid\n", "\n```"


def renewed(page: str) -> str:
    """The page with the diagram that the table gives. Raises ValueError when it has no place for one."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no ```mermaid block: put an empty one where it belongs")
    return f"{before}{begin}{mermaid()}{end}{after}"


def main(arguments: list[str]) -> int:
    """Say whether the diagram is the table's, or make it so."""
    page = PAGE.read_text(encoding="utf-8")
    fresh = renewed(page)
    if "--write" in arguments:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != page:
        sys.stderr.write(
            "docs/turn-taking.md: the diagram is not that of media_gateway/turns/table.py; "
            "run python -m callspine.checks.turn_diagram --write\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
