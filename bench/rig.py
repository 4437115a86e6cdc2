"""Starts what is measured in its own process, with instant vendors and callers in this one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import processes
from bench.line import BenchLine
from bench.servers import free_port
from bench.vendors import InstantVendors

AUTH_TOKEN, TOKEN_SECRET = "bench auth token", "bench token secret"


@dataclass(kw_only=True)
class Rig:
    """A running gateway, or its peer."""

    port: int
    pid: int
    vendors: InstantVendors

    def line(self, call_id: str) -> BenchLine:
        """A call's stream, not open yet."""
        line = BenchLine(
            url=f"ws://127.0.0.1:{self.port}/media",
            auth_token=AUTH_TOKEN,
            token_secret=TOKEN_SECRET,
            call_id=call_id,
        )
        line.on_audio = self.vendors.arrived
        return line

    def resident_mb(self) -> float:
        """Resident memory of the process, in MB of 2^20 bytes."""
        return processes.resident_mb(self.pid)

    def cpu_s(self) -> float:
        """CPU seconds that the process has used."""
        return processes.cpu_s(self.pid)

    async def health(self) -> dict[str, str | int]:
        """What it says of itself."""
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{self.port}/health")
        return dict(answer.json())


@asynccontextmanager
async def rig(kind: str, *, log: Path | None = None, **settings: str) -> AsyncIterator[Rig]:
    """`gateway`, `linked` or `relay`, ready; with settings of its own beside the rig's, and a file for what it says."""
    vendors = InstantVendors()
    async with (
        vendors.serving(),
        under_test(
            kind,
            speech=vendors.speech_address,
            model=vendors.model_address,
            log=log,
            settings={"CALLSPINE_SILENCE_MS": "600000"} | settings,
        ) as (port, pid),
    ):
        yield Rig(port=port, pid=pid, vendors=vendors)


@asynccontextmanager
async def under_test(
    kind: str,
    *,
    speech: str,
    model: str,
    log: Path | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[int, int]]:
    """The process of that kind before vendors at these addresses, once it answers: its port and its process id."""
    port = free_port()
    with (log or Path(os.devnull)).open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.under_test", kind),
            env=_environment(port, speech, model) | dict(settings or {}),
            stdout=said if log else None,
            stderr=said if log else None,
        )
    try:
        await _ready(port, process)
        yield port, process.pid
    finally:
        process.terminate()
        await process.wait()


def _environment(port: int, speech: str, model: str) -> dict[str, str]:
    settings = {
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "STREAM_TOKEN_SECRET": TOKEN_SECRET,
        "DEEPGRAM_BASE_URL": f"ws://{speech}",
        "DEEPGRAM_API_KEY": "bench",
        "CARTESIA_BASE_URL": f"ws://{speech}",
        "CARTESIA_API_KEY": "bench",
        "CARTESIA_VOICE_ID": "bench",
        "LLM_BASE_URL": f"http://{model}/v1",
        "LLM_API_KEY": "bench",
    }
    return {**os.environ, **{f"CALLSPINE_{name}": value for name, value in settings.items()}}


async def _ready(port: int, process: asyncio.subprocess.Process) -> None:
    async with httpx.AsyncClient() as http, asyncio.timeout(60):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"it ended with {process.returncode} before it was ready")
            try:
                await http.get(f"http://127.0.0.1:{port}/health")
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return
