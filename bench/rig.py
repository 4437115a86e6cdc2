"""Starts what is measured in its own process, with instant vendors and callers in this one."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from bench.line import BenchLine
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
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
        return kb / 1024

    def cpu_s(self) -> float:
        """CPU seconds that the process has used."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def rig(kind: str) -> AsyncIterator[Rig]:
    """`gateway` or `relay`, ready."""
    vendors, port = InstantVendors(), _free_port()
    async with vendors.serving():
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.under_test", kind, env=_environment(vendors, port)
        )
        try:
            await _ready(port, process)
            yield Rig(port=port, pid=process.pid, vendors=vendors)
        finally:
            process.terminate()
            await process.wait()


def _environment(vendors: InstantVendors, port: int) -> dict[str, str]:
    settings = {
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "STREAM_TOKEN_SECRET": TOKEN_SECRET,
        "DEEPGRAM_BASE_URL": f"ws://{vendors.speech_address}",
        "DEEPGRAM_API_KEY": "bench",
        "CARTESIA_BASE_URL": f"ws://{vendors.speech_address}",
        "CARTESIA_API_KEY": "bench",
        "CARTESIA_VOICE_ID": "bench",
        "LLM_BASE_URL": f"http://{vendors.model_address}/v1",
        "LLM_API_KEY": "bench",
        "SILENCE_MS": "600000",
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
