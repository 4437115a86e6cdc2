"""Builds of the calls' worker on a real Temporal server: a call ends on the build that it began on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

import workflows
from callspine.settings import SettingsError
from callspine.versions import Version, build_id_of_this_code, pinned_to, promote, versions
from tests.durable.dev_server import dev_server
from tests.durable.house import Handle, House, start, tell, until
from tests.replay.changed import ONE_MORE, Careless, one_more
from workflows.contracts import activities as contract
from workflows.contracts.payloads import CALLS_TASK_QUEUE, CarrierStatus


async def activities_of(handle: Handle) -> set[str]:
    return {
        event.activity_task_scheduled_event_attributes.activity_type.name
        async for event in handle.fetch_history_events()
    }


async def builds_of(handle: Handle) -> set[str]:
    """The builds that worked on the call."""
    return {
        event.workflow_task_completed_event_attributes.deployment_version.build_id
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_task_completed_event_attributes")
    }


async def dialled(client: Client) -> Handle:
    handle = await start(client)
    await until(handle, contract.PLACE_CALL)
    return handle


async def finish(handle: Handle) -> None:
    await tell(handle, CarrierStatus.COMPLETED)
    async with asyncio.timeout(30):
        await handle.result()


def build_b(client: Client) -> Worker:
    """A build whose workflow differs in what it does: it could go on with no call of the other's."""
    return Worker(
        client,
        task_queue=CALLS_TASK_QUEUE,
        workflows=[Careless],
        deployment_config=pinned_to("b"),
        # No call is kept in memory, so each task replays the history: a wrong build would be found out.
        max_cached_workflows=0,
    )


async def test_new_calls_go_to_the_promoted_build_and_old_ones_stay_on_theirs(
    tmp_path: Path,
) -> None:
    house = House()
    async with (
        dev_server(tmp_path) as client,
        house.open(client, deployment=pinned_to("a"), more=[one_more]),
    ):
        await promote(client, "a", within_s=20)
        old = await dialled(client)
        async with build_b(client):
            await promote(client, "b", within_s=20)
            new = await dialled(client)
            listed = await versions_with(client, a=1, b=1)
            await finish(old)
            await finish(new)
            assert await builds_of(old) == {"a"}
            assert await builds_of(new) == {"b"}
            assert ONE_MORE in await activities_of(new)
            assert ONE_MORE not in await activities_of(old)
    assert [(one.build_id, one.status) for one in listed] == [("b", "current"), ("a", "draining")]


async def versions_with(client: Client, **running: int) -> list[Version]:
    """The builds, once visibility has counted these calls and the server has seen what drains."""
    async with asyncio.timeout(20):
        while True:
            found = await versions(client)
            counted = {one.build_id: one.running_calls for one in found}
            if counted == running and found[-1].status == "draining":
                return found
            await asyncio.sleep(0.1)


async def test_a_build_that_nobody_runs_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async with dev_server(tmp_path) as client:
        with pytest.raises(SettingsError, match="start one with CALLSPINE_WORKER_BUILD_ID"):
            await versions(client)
        with pytest.raises(SettingsError, match="no worker of build 'a' has asked for calls yet"):
            await promote(client, "a")
        async with House().open(client, deployment=pinned_to("a")):
            await promote(client, "a", within_s=20)
            await promote(client, "a")  # twice is once
            with pytest.raises(SettingsError, match="`callspine worker versions` lists"):
                await promote(client, "b")
        (a,) = await versions(client)
        assert (a.build_id, a.status, a.running_calls) == ("a", "current", 0)


async def test_the_wait_for_a_worker_ends_once_it_has_come(tmp_path: Path) -> None:
    async with dev_server(tmp_path) as client:
        promoting = asyncio.create_task(promote(client, "a", within_s=60))
        await asyncio.sleep(0)
        async with House().open(client, deployment=pinned_to("a")):
            await promoting
            await finish(await dialled(client))


def test_the_same_code_is_the_same_build_and_another_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build_id_of_this_code()
    copy = tmp_path / "workflows"
    for path in Path(*workflows.__path__).rglob("*.py"):
        target = copy / path.relative_to(*workflows.__path__)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    monkeypatch.setattr(workflows, "__path__", [str(copy)])
    assert build_id_of_this_code() == first
    (copy / "policies.py").write_text("# changed\n")
    assert build_id_of_this_code() != first


def test_no_build_id_is_no_versioning() -> None:
    assert pinned_to("") is None
