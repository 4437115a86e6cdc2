"""`python -m endpointing prepare|train|evaluate|export`: each step reads what the one before it left in var/endpointing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main() -> int:
    """One step; 2 when something that it needs is missing."""
    parser = argparse.ArgumentParser(prog="python -m endpointing", description=__doc__)
    parser.add_argument("step", choices=("prepare", "train", "evaluate", "export"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    asked = parser.parse_args()
    try:
        from endpointing import data
    except ImportError as error:
        return _refused(f"{error.name} is missing: pip install 'callspine[endpointing,local]'")
    try:
        _step(asked.step, asked.data)
    except ImportError as error:
        return _refused(f"{error.name} is missing: pip install 'callspine[endpointing,local]'")
    except data.DataMissing as error:
        return _refused(str(error))
    return 0


def _step(step: str, folder: Path) -> None:
    if step == "prepare":
        from endpointing.prepare import prepare

        prepare(folder, _say)
    elif step == "train":
        from endpointing.train import train

        train(folder, _say)
    elif step == "evaluate":
        from endpointing.evaluate import evaluate

        evaluate(folder, _say)
    else:
        from endpointing import train as training
        from endpointing.export import export

        for file in export(training.read()):
            _say(f"{file} {file.stat().st_size} bytes")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _refused(why: str) -> int:
    sys.stderr.write(f"endpointing: {why}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
