"""Calls listed, shown, supervised and replayed by the command line, on a real server."""

from __future__ import annotations

import asyncio
import json
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client

from callspine.settings import SettingsError
from callspine.supervise import give_order
from callspine.temporal_server import temporal_cli
from tests.command_line.test_command_line import callspine
from tests.durable.dev_server import dev_server
from tests.durable.house import (
    Handle,
    House,
    attach,
    opening,
    start,
    tell,
    turn,
    until,
)
from tests.privacy.histories import settings
from tests.replay.record import CALLS
from workflows import policies
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import CarrierStatus, SuperviseRequest
from workflows.script.events import Order

pytestmark = pytest.mark.slow


class Commands:
    """`callspine call`, and the server's own program, against one server."""

    def __init__(self, client: Client) -> None:
        self._address = client.service_client.config.target_host

    async def call(self, *arguments: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(
            lambda: callspine("call", *arguments, CALLSPINE_TEMPORAL_ADDRESS=self._address)
        )

    async def update(self, call_id: str, body: dict[str, str]) -> tuple[int, str]:
        command = (
            *(str(temporal_cli()), "workflow", "update", "execute", "--address", self._address),
            *("--workflow-id", f"call/{call_id}", "--name", "supervise"),
            *("--input", json.dumps(body)),
        )
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, done.stdout + done.stderr


async def answered(client: Client, **changes: object) -> Handle:
    handle = await start(client, **changes)
    await until(handle, contract.PLACE_CALL)
    await tell(handle, CarrierStatus.IN_PROGRESS)
    await attach(handle)
    await opening(handle)
    return handle


async def test_a_finished_call_is_listed_shown_and_replayed(tmp_path: Path, house: House) -> None:
    async with dev_server(tmp_path) as client:
        async with house.open(client):
            handle = await CALLS["appointment"](client, house)
            await handle.result()
            run = Commands(client)
            status, out, _ = await run.call("show", "recorded")
            assert status == 0
            assert "call recorded outbound call · solar · attempt 1" in out
            assert "caller words before roof_known" in " ".join(out.split())
            status, out, _ = await run.call("show", "recorded", "--json")
            assert json.loads(out)["state"]["stage"] == "booked"
        # Its result is in its history: no worker is needed for what follows.
        status, out, _ = await run.call("replay", "recorded")
        assert status == 0
        assert "Equal to what the workflow recorded: its result, 10 turns." in out
        status, _, err = await run.call("supervise", "recorded", "--hang-up")
        assert (status, "call 'recorded' is over" in err) == (2, True)
        for what in ("show", "replay"):
            status, _, err = await run.call(what, "nobody")
            assert (status, "there is no call 'nobody'" in err) == (2, True)


async def test_a_running_call_is_supervised_and_replayed(tmp_path: Path, house: House) -> None:
    async with dev_server(tmp_path) as client, house.open(client):
        handle = await answered(client, call_id="live", campaign_id="c-1")
        run = Commands(client)
        status, out, _ = await run.call("supervise", "live", "--force-stage", "pitch")
        assert (status, "the gateway carries it out" in out) == (0, True)
        status, _, err = await run.call("supervise", "live", "--force-stage", "nowhere")
        assert (status, "no stage 'nowhere'; there are permission" in err) == (2, True)
        house.gateway = "refuses"
        status, out, err = await run.call("supervise", "live", "--force-stage", "roof")
        assert (status, out) == (1, "")
        assert "nobody carried it out: refuses" in err
        house.gateway = "elsewhere"
        order = {"order": "force_stage", "stage": "roof", "by": "ada"}
        status, out = await run.update("live", order)
        assert (status, "next stream" in out) == (0, True)
        status, out = await run.update("live", {"order": "take_over"})
        assert (status, "take_over needs the supervisor's number" in out) == (1, True)
        status, out, _ = await run.call("replay", "live")
        assert status == 0
        assert "[order force_stage roof]" in out
        assert "Equal to what the workflow recorded: its snapshot, 2 turns." in out

        await _lists(run, client)

        status, out, _ = await run.call("supervise", "live", "--transfer", "--to", "212 555 0111")
        assert (status, "the carrier carried it out" in out) == (0, True)
        assert [wanted.number for wanted in house.connected] == ["+12125550111"]
        assert [directive.order for directive in house.directives] == [
            "force_stage",
            "force_stage",
            "force_stage",
            "transfer",
        ]
        await tell(handle, CarrierStatus.COMPLETED)
        await handle.result()


async def _lists(run: Commands, client: Client) -> None:
    other = await answered(client, call_id="other")
    await turn(other, 2, move="opt_out")
    await tell(other, CarrierStatus.COMPLETED)
    await other.result()
    for filters, ids in (
        ((), {"live", "other"}),
        (("--running",), {"live"}),
        (("--needs-review",), {"live"}),
        (("--campaign", "c-1"), {"live"}),
        (("--outcome", "opted_out"), {"other"}),
        (("--outcome", "opted_out", "--running"), set()),
    ):
        # What is found follows what happened by a moment.
        async with asyncio.timeout(20):
            while (found := await _listed(run, *filters)) != ids:
                assert found <= {"live", "other"}


async def _listed(run: Commands, *filters: str) -> set[str]:
    status, out, _ = await run.call("list", *filters)
    assert status == 0
    return {word for word in out.split() if word in ("live", "other")}


async def test_an_order_that_no_worker_takes_is_told_of_within_its_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "SUPERVISOR_WAITS", timedelta(seconds=1))
    async with dev_server(tmp_path) as client:
        await start(client, call_id="waiting")
        away = settings(temporal_address=client.service_client.config.target_host)
        async with asyncio.timeout(10):
            with pytest.raises(
                SettingsError, match=r"no worker answered.*may still be carried out"
            ):
                await give_order(away, "waiting", SuperviseRequest(order=Order.HANG_UP))
        handle = client.get_workflow_handle_for(CallWorkflow.run, "call/waiting")
        await handle.terminate()
