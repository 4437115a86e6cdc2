"""Whether the committed BAML client is what `baml_src` generates: generate it elsewhere, compare file by file."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def differing_files(root: Path = ROOT) -> list[str]:
    """Names under `baml_client/` that differ, are missing or are too many. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root / "baml_src", Path(folder, "baml_src"))
        subprocess.run(
            [Path(sys.executable).with_name("baml-cli"), "generate", "--from", "baml_src"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        fresh, committed = Path(folder, "baml_client"), root / "baml_client"
        names = {
            path.relative_to(base).as_posix()
            for base in (fresh, committed)
            for path in base.rglob("*.py")
        }
        return sorted(
            name
            for name in names
            if not (fresh / name).is_file()
            or not (committed / name).is_file()
            or not filecmp.cmp(fresh / name, committed / name, shallow=False)
        )


def main() -> int:
    """Print what differs; 1 when anything does."""
    try:
        differing = differing_files()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(error.stderr.decode(errors="replace"))
        return 1
    if differing:
        sys.stderr.write(
            "baml_client is not what baml_src generates; run `.venv/bin/baml-cli generate --from baml_src`:\n"
            + "".join(f"  {name}\n" for name in differing)
        )
        return 1
    sys.stdout.write("BAML client: as generated\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
