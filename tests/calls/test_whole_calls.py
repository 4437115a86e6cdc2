"""Whole calls on the rehearsal carrier: every process as in production, real audio both ways, callers who misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from activities.clients.crm_store import CrmStore
from callspine.connect import connect
from callspine.settings import load_settings
from callspine.system import System, running_system
from tests.servers import free_port
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallInput, CallResult, TurnKind, call_workflow_id
from workflows.script.model import Outcome
from workflows.starter import start_call

TO = "+12125550142"
PORTS = ("PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT", "VENDORS_PORT", "CARRIER_PORT")


@asynccontextmanager
async def system(
    caller: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: Mapping[str, str] | None = None,
) -> AsyncIterator[System]:
    """Everything, with this caller: one of the rehearsal's, or a file."""
    for name in [name for name in os.environ if name.startswith("CALLSPINE_")]:
        monkeypatch.delenv(name)
    for name in PORTS:
        monkeypatch.setenv(f"CALLSPINE_{name}", str(free_port()))
    monkeypatch.setenv("CALLSPINE_VAR_DIR", str(folder))
    path = caller if caller.endswith(".yaml") else f"rehearsal/callers/{caller}.yaml"
    monkeypatch.setenv("CALLSPINE_REHEARSAL_CALLER", path)
    for name, value in (more or {}).items():
        monkeypatch.setenv(name, value)
    async with running_system(load_settings()) as running:
        yield running


async def call(running: System, script: str = "solar_consult") -> CallResult:
    client = await connect(running.settings)
    wanted = CallInput(call_id=uuid4().hex[:12], script_id=script, to=TO)
    async with asyncio.timeout(90):
        return await (await start_call(client, wanted)).result()


async def until_visible(running: System, result: CallResult) -> None:
    """Temporal's visibility follows its histories after a moment: wait until the finished call is in it."""
    client = await connect(running.settings)
    query = (
        f'WorkflowId = "{call_workflow_id(result.call_id)}" AND CallOutcome = "{result.outcome}"'
    )
    async with asyncio.timeout(30):
        while not [one async for one in client.list_workflows(query)]:
            await asyncio.sleep(0.1)


async def listing(running: System) -> str:
    """What `callspine call list` prints where there are 80 columns."""
    address = {"CALLSPINE_TEMPORAL_ADDRESS": running.settings.temporal_address, "COLUMNS": "80"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callspine", "call", "list"),
        env={**os.environ, **address},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return out.decode()


def witness(running: System, call_sid: str) -> list[dict[str, Any]]:
    text = (running.record_dir / call_sid / "witness.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.timeout(240)
async def test_a_caller_who_hangs_up_in_mid_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with system("hangs_up", tmp_path, monkeypatch) as running:
        result = await call(running)
        await until_visible(running, result)
        listed = await listing(running)
        store = CrmStore(running.settings.database_url)
        row = store.call(result.call_id)
        store.close()
        incoming = await _dial_in(running)
    assert incoming.outcome is Outcome.HUNG_UP
    assert incoming.carrier_status == "completed", "the number's own status callback tells of it"
    assert incoming.duration_s is not None
    assert result.outcome is Outcome.HUNG_UP
    assert result.carrier_status == "completed"
    assert result.stage == "homeowner"
    last = result.turns[-1]
    assert last.kind is TurnKind.HANG_UP
    assert "house" in last.caller_words.lower(), "what he said before he hung up is not lost"
    assert row is not None
    assert (row.outcome, row.turns) == ("hung_up", len(result.turns))
    said = [
        seen["words"] for seen in witness(running, result.call_sid) if seen["kind"] == "caller_says"
    ]
    assert len(said) == 2
    (line,) = [line for line in listed.splitlines() if result.call_id in line]
    for cell in ("out", "solar_consult", "homeowner", str(len(result.turns)), "hung_up"):
        assert cell in line


@pytest.mark.timeout(240)
async def test_a_caller_who_opts_out_is_never_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with system("opts_out", tmp_path, monkeypatch) as running:
        result = await call(running)
        assert result.outcome is Outcome.OPTED_OUT
        assert result.turns[1].kind is TurnKind.DTMF
        assert "will not call again" in result.turns[-1].heard_words
        kinds = [seen["kind"] for seen in witness(running, result.call_sid)]
        assert "clear" in kinds, "a key stops even the disclosure"

        again = await call(running)
        assert again.outcome is Outcome.FAILED
        assert "do-not-call" in again.failure
        assert again.call_sid == ""

        incoming = await _dial_in(running)
        assert incoming.outcome is Outcome.OPTED_OUT
        assert incoming.turns[0].kind is TurnKind.OPENING


async def _dial_in(running: System) -> CallResult:
    """The same person calls us."""
    gateway = f"http://127.0.0.1:{running.settings.port}"
    numbers = {
        "to": "+15005550006",
        "from_": TO,
        "voice_url": f"{gateway}/twilio/voice",
        "status_callback": f"{gateway}/twilio/status",
    }
    carrier = f"http://127.0.0.1:{running.settings.carrier_port}"
    client = await connect(running.settings)
    async with httpx.AsyncClient() as http, asyncio.timeout(90):
        answer = await http.post(f"{carrier}/witness/incoming", json=numbers)
        workflow_id = call_workflow_id(f"in-{answer.json()['call_sid']}")
        # The carrier asks the gateway for TwiML, and that starts the workflow.
        while not [one async for one in client.list_workflows(f'WorkflowId = "{workflow_id}"')]:
            await asyncio.sleep(0.1)
        return await client.get_workflow_handle_for(CallWorkflow.run, workflow_id).result()
