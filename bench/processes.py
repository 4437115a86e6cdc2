"""What processes use of this machine, read from `/proc`: CPU seconds of one, of all, and which ones are our children."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, all its threads together."""
    fields = _stat(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8"))
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def busy_s() -> float:
    """CPU seconds that everybody on this machine has used, over all cores, since it was started."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, _idle, _wait, irq, soft_irq, *_ = map(int, stat.readline().split()[1:])
    return (user + nice + system + irq + soft_irq) / _TICKS_A_SECOND


def resident_mb(pid: int) -> float:
    """Resident memory of a process, in MB of 2^20 bytes."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return kb / 1024


def child_with(text: str) -> int:
    """The process id of our own child whose command line holds this text. Raises LookupError when there is none."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(_stat((folder / "stat").read_text(encoding="utf-8"))[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended meanwhile
        if parent == os.getpid() and text in command:
            return int(folder.name)
    raise LookupError(f"none of our children runs {text!r}")


def _stat(text: str) -> list[str]:
    """The fields behind the command's name, which may hold spaces."""
    return text.rsplit(")", 1)[1].split()
