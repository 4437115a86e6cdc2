"""The durable side under test: one Temporal dev server with its file, one worker process, a carrier that answers at once."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from temporalio.client import Client, WorkflowHandle

from bench.durability.carrier import InstantCarrier
from bench.processes import child_with
from bench.servers import free_port
from callspine.temporal_server import TemporalServer
from workflows.call import CallWorkflow
from workflows.contracts.payloads import (
    Attached,
    AttachRequest,
    CallInput,
    CallResult,
    Direction,
)
from workflows.starter import start_call

SCRIPT = "solar_consult"
READY_WITHIN_S = 60.0
Handle = WorkflowHandle[CallWorkflow, CallResult]


class Engine:
    """Make it with `engine`. The server can be stopped and started again, on its port and with its file."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.carrier = InstantCarrier()
        self._port = free_port()
        self._ui_port = free_port()
        self._stack = stack
        self._server: TemporalServer | None = None
        self._worker: asyncio.subprocess.Process | None = None
        self._client: Client | None = None

    @property
    def address(self) -> str:
        """Of the server."""
        return f"127.0.0.1:{self._port}"

    @property
    def client(self) -> Client:
        """Of this process."""
        if self._client is None:
            raise RuntimeError("not started")
        return self._client

    @property
    def server_pid(self) -> int:
        """Of the server that runs now."""
        return child_with(f"--port={self._port}")

    @property
    def worker_pid(self) -> int:
        """Of the worker."""
        return child_with("callspine worker")

    async def start(self) -> None:
        """All of it."""
        await self.start_server()
        self._stack.push_async_callback(self.stop_server)
        self._client = await Client.connect(self.address)
        carrier_url = await self._stack.enter_async_context(self.carrier.serve())
        await self._start_worker(carrier_url)

    async def start_server(self) -> None:
        """On the port and the file that it had before."""
        self._server = TemporalServer(
            port=self._port,
            ui_port=self._ui_port,
            db_file=self.folder / "temporal.db",
            log_file=self.folder / "temporal.log",
        )
        await self._server.__aenter__()

    async def stop_server(self) -> None:
        """Nothing is listening afterwards. Idempotent."""
        server, self._server = self._server, None
        if server is not None:
            await server.__aexit__(None, None, None)

    async def _start_worker(self, carrier_url: str) -> None:
        settings = {
            "TEMPORAL_ADDRESS": self.address,
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_AUTH_TOKEN": "bench",
            "TWILIO_FROM": "+12125550100",
            "TWILIO_API_BASE_URL": carrier_url,
            "LLM_API_KEY": "bench",
            "DATABASE_URL": f"sqlite:///{self.folder / 'crm.db'}",
            "RECONCILE_EVERY_S": "0",
        }
        log = self.folder / "worker.log"
        with log.open("wb") as output:
            worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "callspine", "worker"),
                env={
                    **os.environ,
                    **{f"CALLSPINE_{name}": value for name, value in settings.items()},
                },
                stdout=output,
                stderr=output,
            )
        self._stack.push_async_callback(_stop, worker)
        async with asyncio.timeout(READY_WITHIN_S):
            while b"worker_ready" not in log.read_bytes():
                if worker.returncode is not None:
                    raise RuntimeError(f"the worker did not start:\n{log.read_text()[-2000:]}")
                await asyncio.sleep(0.1)

    async def answers(self) -> None:
        """Until the worker takes tasks: after the server was away it asks again only by and by."""
        handle, _ = await self.carried(f"probe-{free_port()}")
        await handle.terminate()

    async def incoming(self, call_id: str) -> Handle:
        """The workflow of a call that came in: nothing is dialled."""
        return await start_call(
            self.client,
            CallInput(
                call_id=call_id,
                script_id=SCRIPT,
                to="+12125550100",
                from_="+12125550142",
                direction=Direction.INBOUND,
            ),
        )

    async def carried(self, call_id: str) -> tuple[Handle, Attached]:
        """The same, with a stream that owns its audio."""
        handle = await self.incoming(call_id)
        request = AttachRequest(
            gateway_id="bench", call_sid=f"CA{call_id}", stream_sid="MZ1", nonce=call_id
        )
        return handle, await handle.execute_update(CallWorkflow.attach, request)


async def _stop(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is None:
        worker.terminate()
    await worker.wait()


@asynccontextmanager
async def engine() -> AsyncIterator[Engine]:
    """Ready; all of it is gone afterwards."""
    async with AsyncExitStack() as stack:
        # The folder outlives the processes that write to it.
        folder = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        running = Engine(Path(folder), stack)
        await running.start()
        yield running
