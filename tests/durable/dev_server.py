"""A real Temporal server from its wheel, for what the time-skipping one does not have: deployments, schedules, processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import httpx
from temporalio.client import Client

from callspine.temporal_server import TemporalServer
from tests.servers import free_port


@asynccontextmanager
async def dev_server(folder: Path) -> AsyncIterator[Client]:
    """A server of its own, in memory."""
    port = free_port()
    log = folder / "temporal.log"
    async with TemporalServer(port=port, ui_port=free_port(), db_file=None, log_file=log):
        yield await Client.connect(f"127.0.0.1:{port}")


async def until(condition: Callable[[], object], within_s: float = 20) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


class CallspineProcess:
    """`python -m` with arguments, as an operator runs it. Its log is `log`; leaving the context kills it if it still runs."""

    def __init__(self, client: Client, folder: Path, *arguments: str, **variables: str) -> None:
        self.log = folder / f"{arguments[-1]}-{free_port()}.log"
        self._arguments = arguments
        self._environment = {
            **{
                name: text for name, text in os.environ.items() if not name.startswith("CALLSPINE_")
            },
            "CALLSPINE_TEMPORAL_ADDRESS": client.service_client.config.target_host,
            "CALLSPINE_LLM_API_KEY": "none",
            "CALLSPINE_LLM_BASE_URL": "http://127.0.0.1:9",
            "CALLSPINE_DATABASE_URL": f"sqlite:///{folder}/crm.db",
            **variables,
        }

    async def is_ready(self) -> bool:
        """Whether it serves."""
        return "worker_ready" in self.said

    async def __aenter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self._arguments),
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(40):
            while not await self.is_ready():
                assert self._process.returncode is None, self.said
                await asyncio.sleep(0.02)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def kill(self) -> None:
        """Without a word."""
        self._process.kill()

    def tell_to_stop(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    async def terminate(self, *, within_s: float) -> tuple[int, float]:
        """SIGTERM; its exit status and the seconds that it took. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        self.tell_to_stop()
        status = await asyncio.wait_for(self._process.wait(), within_s)
        return status, loop.time() - began_s


class WorkerProcess(CallspineProcess):
    """`callspine worker`."""

    def __init__(self, client: Client, carrier_url: str, folder: Path, **variables: str) -> None:
        carrier = {
            "CALLSPINE_TWILIO_API_BASE_URL": carrier_url,
            "CALLSPINE_TWILIO_FROM": "+12125550100",
        }
        super().__init__(client, folder, "callspine", "worker", **carrier, **variables)


class GatewayProcess(CallspineProcess):
    """A gateway without vendors, run by this module and argument; its outbox is `outbox`."""

    def __init__(self, client: Client, folder: Path, *arguments: str, **variables: str) -> None:
        self._url = f"http://127.0.0.1:{(port := free_port())}"
        self.outbox = folder / "outbox" / "gateway-1.db"
        needed = (
            "TWILIO_AUTH_TOKEN",
            "STREAM_TOKEN_SECRET",
            "DEEPGRAM_API_KEY",
            "CARTESIA_API_KEY",
            "CARTESIA_VOICE_ID",
        )
        super().__init__(
            client,
            folder,
            *arguments,
            CALLSPINE_PORT=str(port),
            CALLSPINE_OUTBOX_DIR=str(self.outbox.parent),
            **{f"CALLSPINE_{name}": "none" for name in needed},
            **variables,
        )

    async def is_ready(self) -> bool:
        async with httpx.AsyncClient() as http:
            try:
                return (await http.get(f"{self._url}/health")).status_code == 200
            except httpx.TransportError:
                return False
