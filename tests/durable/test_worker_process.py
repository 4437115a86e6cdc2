"""`callspine worker` as a process that comes and goes while calls are in flight."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from temporalio.client import Client

from callspine.run_workers import EXIT_WITHIN_S
from tests.durable.dev_server import WorkerProcess, dev_server
from tests.durable.house import Handle, opening, start, tell, turn, until
from tests.durable.house import attach as attached
from tests.line import ACCOUNT, TOKEN
from tests.servers import serving
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import CarrierStatus, TurnKind
from workflows.reconcile import SCHEDULE_ID

SCRIPT = "solar_consult"
CARRIER = {"CALLSPINE_TWILIO_ACCOUNT_SID": ACCOUNT, "CALLSPINE_TWILIO_AUTH_TOKEN": TOKEN}
SID = "CA1"


class SlowCarrier:
    """Takes a call and answers when it is told to."""

    def __init__(self) -> None:
        self.dialled = asyncio.Event()
        self.may_answer = asyncio.Event()

    def app(self, _: str) -> FastAPI:
        async def create() -> Response:
            self.dialled.set()
            await self.may_answer.wait()
            return JSONResponse({"sid": SID, "status": "queued"}, 201)

        app = FastAPI()
        app.add_api_route("/{path:path}", create, methods=["POST"])
        return app


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Client, SlowCarrier, str]]:
    carrier = SlowCarrier()
    async with dev_server(folder) as client, serving(carrier.app) as url:
        try:
            yield client, carrier, url
        finally:
            carrier.may_answer.set()


async def callspine(client: Client, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit status and all output."""
    address = {"CALLSPINE_TEMPORAL_ADDRESS": client.service_client.config.target_host}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspine", *arguments),
        env={**os.environ, **address, **variables, "COLUMNS": "100"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def placed(handle: Handle) -> None:
    await until(handle, contract.PLACE_CALL)
    async with asyncio.timeout(20):
        while (await handle.query(CallWorkflow.snapshot)).call_sid != SID:
            await asyncio.sleep(0.05)


async def test_a_call_goes_on_when_its_worker_is_replaced_in_mid_call(tmp_path: Path) -> None:
    async with scene(tmp_path) as (client, carrier, url):
        carrier.may_answer.set()
        build = {**CARRIER, "CALLSPINE_WORKER_BUILD_ID": "first"}
        async with WorkerProcess(client, url, tmp_path, **build) as worker:
            status, said = await callspine(client, "worker", "promote", "first")
            assert (status, said.strip()) == (0, "new calls go to build first")
            handle = await start(client, script_id=SCRIPT)
            await placed(handle)
            await attached(handle)
            await opening(handle)
            status, seconds = await worker.terminate(within_s=EXIT_WITHIN_S)
            assert status == 0, worker.said
            assert "worker_stopped" in worker.said
            assert seconds < EXIT_WITHIN_S
        # Nobody is there: Temporal keeps what the gateway tells.
        await turn(handle, 2, kind=TurnKind.HANG_UP, caller_words="well I")
        async with WorkerProcess(client, url, tmp_path, **build):
            snapshot = await handle.query(CallWorkflow.snapshot)
            assert [record.seq for record in snapshot.turns] == [1, 2]
            await tell(handle, CarrierStatus.COMPLETED)
            status, said = await callspine(client, "worker", "versions")
            assert status == 0
            assert "first" in said
            assert "current" in said
            described = await client.get_schedule_handle(SCHEDULE_ID).describe()
            assert not described.schedule.state.paused, "every worker sees to the reconciler"


async def test_another_worker_takes_a_call_whose_worker_was_killed_with_it_in_hand(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as (client, carrier, url):
        carrier.may_answer.set()
        async with WorkerProcess(client, url, tmp_path, **CARRIER) as first:
            handle = await start(client, script_id=SCRIPT)
            await placed(handle)
            async with WorkerProcess(client, url, tmp_path, **CARRIER):
                first.kill()
                # At once: the server still hands the task to the dead one, and by its own deadline misses it after 10 s.
                async with asyncio.timeout(8):
                    await attached(handle)


async def test_a_dial_under_way_is_finished_before_its_worker_goes(tmp_path: Path) -> None:
    async with scene(tmp_path) as (client, carrier, url):
        async with WorkerProcess(client, url, tmp_path, **CARRIER) as worker:
            handle = await start(client, script_id=SCRIPT)
            await asyncio.wait_for(carrier.dialled.wait(), 20)
            stopping = asyncio.create_task(worker.terminate(within_s=EXIT_WITHIN_S))
            async with asyncio.timeout(10):
                while "worker_stopping" not in worker.said:
                    await asyncio.sleep(0.02)
            carrier.may_answer.set()
            assert (await stopping)[0] == 0, worker.said
        async with WorkerProcess(client, url, tmp_path, **CARRIER):
            await placed(handle)


@pytest.mark.timeout(60)
async def test_a_worker_is_gone_within_its_bound_though_the_carrier_hangs(tmp_path: Path) -> None:
    async with (
        scene(tmp_path) as (client, carrier, url),
        WorkerProcess(client, url, tmp_path, **CARRIER) as worker,
    ):
        await start(client, script_id=SCRIPT)
        await asyncio.wait_for(carrier.dialled.wait(), 20)
        _, seconds = await worker.terminate(within_s=EXIT_WITHIN_S + 1)
        assert seconds < EXIT_WITHIN_S + 1
        assert "worker_exit_forced" in worker.said


@pytest.mark.timeout(60)
async def test_a_worker_is_gone_within_its_bound_though_temporal_is_away(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(dev_server(tmp_path))
        async with WorkerProcess(client, "http://127.0.0.1:9", tmp_path, **CARRIER) as worker:
            await stack.aclose()
            _, seconds = await worker.terminate(within_s=EXIT_WITHIN_S + 1)
            assert seconds < EXIT_WITHIN_S + 1
