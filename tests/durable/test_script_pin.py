"""`callspine call start` pins a call to the script as it is: what becomes of the file later changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError

from tests.core.scripts import SMALL
from tests.durable.dev_server import WorkerProcess, dev_server
from tests.durable.house import until
from tests.durable.test_worker_process import CARRIER, callspine
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.activities import SCRIPT_REFUSED
from workflows.contracts.payloads import CallResult, call_workflow_id
from workflows.script.parse import content_hash

NO_CARRIER = "http://127.0.0.1:9"
CHANGED = SMALL.replace("Bye.", "Farewell.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "scripts"
    path.mkdir()
    (path / "small.yaml").write_text(SMALL)
    return path


def worker(client: Client, folder: Path) -> WorkerProcess:
    return WorkerProcess(
        client, NO_CARRIER, folder.parent, **CARRIER, CALLSPINE_SCRIPTS_DIR=str(folder)
    )


async def begun(client: Client, folder: Path) -> WorkflowHandle[CallWorkflow, CallResult]:
    status, said = await callspine(
        client,
        *("call", "start", "--to", "+12125550142", "--script", "small", "--no-wait"),
        CALLSPINE_SCRIPTS_DIR=str(folder),
    )
    assert status == 0, said
    call_id = said.split()[1].removesuffix(":")
    return client.get_workflow_handle_for(CallWorkflow.run, call_workflow_id(call_id))


async def test_a_call_runs_what_was_there_when_it_was_started(tmp_path: Path, folder: Path) -> None:
    async with dev_server(tmp_path) as client:
        async with worker(client, folder):
            pass  # it has seen the folder, and no call
        handle = await begun(client, folder)
        (folder / "small.yaml").write_text(CHANGED)
        async with worker(client, folder):
            await until(handle, contract.PLACE_CALL)
            snapshot = await handle.query(CallWorkflow.snapshot)
    assert snapshot.script_hash == content_hash(SMALL)


async def test_a_call_whose_script_nobody_kept_is_not_placed(tmp_path: Path, folder: Path) -> None:
    async with dev_server(tmp_path) as client:
        handle = await begun(client, folder)
        (folder / "small.yaml").write_text(CHANGED)
        async with worker(client, folder):
            with pytest.raises(WorkflowFailureError) as failed:
                await handle.result()
    assert isinstance(failed.value.cause, ActivityError)
    cause = failed.value.cause.cause
    assert isinstance(cause, ApplicationError)
    assert cause.type == SCRIPT_REFUSED
    assert content_hash(SMALL) in cause.message
    assert content_hash(CHANGED) in cause.message
