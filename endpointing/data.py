"""Where the training data lies, and what to do when it does not."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SEED = 20261125


class DataMissing(Exception):
    """A source is not where it should be; the message says how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One source: where, whose, under which licence, and where it comes from."""

    path: str
    what: str
    licence: str
    get: str


TASKMASTER = Source(
    path="text/taskmaster.jsonl.gz",
    what="Taskmaster-3/-4 task dialogues",
    licence="CC BY 4.0",
    get="github.com/google-research-datasets/Taskmaster, as JSON lines "
    '{"id", "turns": [["U"|"A", text], ...]}',
)
CLINC = Source(
    path="text/clinc_oos_full.json",
    what="CLINC150 queries",
    licence="CC BY 3.0",
    get="github.com/clinc/oos-eval, data/data_full.json",
)
SGD = Source(
    path="text/sgd_train.jsonl.gz",
    what="Schema-Guided Dialogue (only to judge and to calibrate: its share-alike licence stays out of the weights)",
    licence="CC BY-SA 4.0",
    get="github.com/google-research-datasets/dstc8-schema-guided-dialogue, train split, as JSON lines "
    '{"id", "turns": [["U"|"S", text], ...]}',
)
MEETINGS = Source(
    path="meetings",
    what="AMI meeting clips (*.flac) with who spoke when (*.rttm)",
    licence="CC BY 4.0",
    get="github.com/pyannote/pyannote-audio, tests/data",
)
NOISE = Source(
    path="noise",
    what="ESC-10 noises, a folder of *.flac a class",
    licence="CC BY 3.0",
    get="github.com/karolpiczak/ESC-50, the ESC-10 classes",
)
SOURCES = (TASKMASTER, CLINC, SGD, MEETINGS, NOISE)


def check(data: Path) -> None:
    """DataMissing names every source that is not there."""
    missing = [source for source in SOURCES if not (data / source.path).exists()]
    if missing:
        raise DataMissing(
            "\n".join(
                f"{data / source.path} is missing: {source.what} ({source.licence}). Get it from {source.get}."
                for source in missing
            )
            + "\nOr name the folder that holds them: --data DIR."
        )


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The file's objects."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
