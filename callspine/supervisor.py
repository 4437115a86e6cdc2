"""Starts the processes of an embedded system in order, waits until each is ready, and stops exactly those."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import httpx

STOP_WITHIN_S = 10.0


class ProcessFailed(Exception):
    """A process of the system did not start, or ended by itself; the message holds the end of its log."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One process."""

    name: str
    arguments: tuple[str, ...]
    """After the Python interpreter."""
    environment: Mapping[str, str]
    ready_url: str = ""
    """Answers 200 once it is ready."""
    ready_text: str = ""
    """For a process without a port: stands in its log once it is ready."""
    start_within_s: float = 60.0


class Supervisor:
    """An async context manager; leaving it stops every process in reverse order."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._running: list[tuple[Program, asyncio.subprocess.Process, Path]] = []

    async def __aenter__(self) -> Supervisor:
        self._log_dir.mkdir(parents=True, exist_ok=True)
        return self

    async def start(self, *programs: Program) -> list[asyncio.subprocess.Process]:
        """Start programs side by side and wait until all are ready; their processes. Raises ProcessFailed."""
        started = []
        processes = []
        for program in programs:
            log = self._log_dir / f"{program.name}.log"
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *program.arguments,
                    env=dict(program.environment),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    # Ctrl-C in the terminal is for us; we stop them in order.
                    start_new_session=True,
                )
            self._running.append((program, process, log))
            processes.append(process)
            started.append(self._wait_ready(program, process, log))
        await asyncio.gather(*started)
        return processes

    async def _wait_ready(
        self, program: Program, process: asyncio.subprocess.Process, log: Path
    ) -> None:
        async with httpx.AsyncClient(timeout=2) as http:
            for _ in range(int(program.start_within_s / 0.1)):
                if process.returncode is not None:
                    raise ProcessFailed(_why(program, process, log))
                if await _is_ready(program, log, http):
                    return
                await asyncio.sleep(0.1)
        raise ProcessFailed(
            f"{program.name} was not ready within {program.start_within_s:.0f} s; "
            f"its log is {log}\n{_tail(log)}"
        )

    async def watch(self) -> None:
        """Return never; raise ProcessFailed when a process ends by itself."""
        waits = {
            asyncio.create_task(process.wait()): (program, process, log)
            for program, process, log in self._running
        }
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            raise ProcessFailed(_why(*waits[done.pop()]))
        finally:
            for task in waits:
                task.cancel()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _, process, _ in reversed(self._running):
            await _stop(process)
        self._running.clear()


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _is_ready(program: Program, log: Path, http: httpx.AsyncClient) -> bool:
    if program.ready_text:
        return program.ready_text in _read(log)
    try:
        return (await http.get(program.ready_url)).status_code == 200
    except httpx.HTTPError:
        return False  # not listening yet


def _why(program: Program, process: asyncio.subprocess.Process, log: Path) -> str:
    return f"{program.name} ended with status {process.returncode}; its log is {log}\n{_tail(log)}"


def _tail(log: Path, lines: int = 15) -> str:
    text = _read(log)
    return "\n".join(text.splitlines()[-lines:])


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
