"""`python -m bench [NAME ...]`: run the benchmarks that take minutes, or these."""

from __future__ import annotations

import sys

import uvloop

from bench import (
    density,
    ears,
    idle_calls,
    outbox,
    reply_path,
    router,
    turns,
    vendors_stt,
    vendors_tts,
)
from bench.durability import acknowledged, history, knee, spoken_path
from bench.knowledge import figures as knowledge

ALL = {
    "reply_path": reply_path.main,
    "ears": ears.main,
    "idle_calls": idle_calls.main,
    "outbox": outbox.main,
    "router": router.main,
    "spoken_path": spoken_path.main,
    "acknowledged": acknowledged.main,
    "history": history.main,
    "knee": knee.main,
    "tts": vendors_tts.main,
    "turns": turns.main,
    "density": density.main,
    "knowledge": knowledge.main,
    "stt": vendors_stt.main,
}


BY_NAME_ONLY = frozenset({"turns", "density"})
"""Half an hour and more, and a machine that does nothing else."""


def main() -> int:
    """Run them one after the other."""
    names = sys.argv[1:] or [name for name in ALL if name not in BY_NAME_ONLY]
    if unknown := set(names) - set(ALL):
        wrong, there = ", ".join(sorted(unknown)), ", ".join(ALL)
        sys.stderr.write(f"no benchmark {wrong}; there are {there}\n")
        return 2
    for name in names:
        uvloop.run(ALL[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main())
