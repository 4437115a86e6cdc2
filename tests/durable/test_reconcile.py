"""No call outlives its workflow: on a real Temporal server and a carrier with live calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, ScheduleOverlapPolicy, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities.clients.closed_calls import ClosedCalls
from activities.clients.crm_store import CrmStore
from activities.dialling import DiallingActivities, DialPlan
from activities.reconcile import ReconcileActivities
from callspine.reconciler import ensure_schedule
from tests.durable.dev_server import dev_server
from tests.durable.house import Handle, House, attach, start, until
from tests.line import Rehearsal
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.activities import EndCarrierCall, EndedCall, PlaceCall, PlacedCall
from workflows.contracts.payloads import CarrierStatus, CarrierUpdate
from workflows.contracts.reconcile import (
    CALL_WORKFLOW_TYPE,
    RECONCILE_TASK_QUEUE,
    LookForOrphans,
    Orphans,
)
from workflows.reconcile import SCHEDULE_ID, ReconcileWorkflow

Opened = Callable[..., AbstractAsyncContextManager[Rehearsal]]
LONG_CALL = '<Response><Pause length="60"/></Response>'


class RealDialling(House):
    """Everything as a test wants it, but the calls are the carrier's."""

    def __init__(self, line: Rehearsal, store: CrmStore) -> None:
        super().__init__()
        plan = DialPlan(public_url=line.customer.url, caller_id="+12125550100")
        self._dialling = DiallingActivities(line.calls, store, plan)

    @activity.defn(name=contract.PLACE_CALL)
    async def place_call(self, wanted: PlaceCall) -> PlacedCall:
        return await asyncio.to_thread(self._dialling.place_call, wanted)

    @activity.defn(name=contract.END_CALL)
    async def end_call(self, wanted: EndCarrierCall) -> EndedCall:
        return await asyncio.to_thread(self._dialling.end_call, wanted)


class Scene:
    """A Temporal server, the calls' workers, a carrier, and the look for orphans at hand."""

    def __init__(self, client: Client, line: Rehearsal) -> None:
        self.client = client
        self.line = line

    async def live_call(self) -> tuple[Handle, str]:
        """A call that the carrier has connected, and its CallSid."""
        handle = await start(self.client)
        await until(handle, contract.PLACE_CALL)
        async with asyncio.timeout(20):
            while not (sid := (await handle.query(CallWorkflow.snapshot)).call_sid):
                await asyncio.sleep(0.02)
        async with asyncio.timeout(20):
            while not any(path == "twilio/voice" for path, _ in self.line.customer.forms):
                await asyncio.sleep(0.02)
        return handle, sid

    async def look(self, wanted: LookForOrphans | None = None) -> Orphans:
        return await self.client.execute_workflow(
            ReconcileWorkflow.run,
            wanted or LookForOrphans(),
            id=f"look-{uuid4().hex}",
            task_queue=RECONCILE_TASK_QUEUE,
        )

    async def look_until_seen(self) -> Orphans:
        """Visibility follows histories after a moment."""
        async with asyncio.timeout(20):
            while not (found := await self.look()).looked_at:
                await asyncio.sleep(0.1)
        return found

    async def is_alive(self, sid: str) -> bool:
        return await asyncio.to_thread(self.line.calls.is_alive, sid)


@pytest.fixture
async def scene(tmp_path: Path, rehearsal: Opened) -> AsyncIterator[Scene]:
    store = CrmStore(f"sqlite:///{tmp_path}/crm.db")
    async with dev_server(tmp_path) as client, rehearsal() as line:
        line.customer.answers = {"twilio/voice": LONG_CALL}
        reconciling = Worker(
            client,
            task_queue=RECONCILE_TASK_QUEUE,
            workflows=[ReconcileWorkflow],
            activities=[ReconcileActivities(ClosedCalls(client), line.calls).hang_up_orphans],
        )
        async with RealDialling(line, store).open(client), reconciling:
            yield Scene(client, line)
    store.close()


async def test_a_call_whose_workflow_was_terminated_is_hung_up_once(scene: Scene) -> None:
    handle, sid = await scene.live_call()
    await handle.terminate("an operator's mistake")
    assert await scene.is_alive(sid), "nobody has told the carrier"

    found = await scene.look_until_seen()

    assert found.hung_up == [handle.id]
    assert not await scene.is_alive(sid)
    assert await scene.look() == Orphans(looked_at=1, over=1)


async def test_a_call_whose_workflow_was_cancelled_has_hung_up_by_itself(scene: Scene) -> None:
    handle, sid = await scene.live_call()
    await handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await handle.result()

    assert not await scene.is_alive(sid)
    assert await scene.look_until_seen() == Orphans(looked_at=1, over=1)


async def test_a_call_that_is_carried_is_left_alone(scene: Scene) -> None:
    _, sid = await scene.live_call()
    assert await scene.look() == Orphans(looked_at=0)
    assert await scene.is_alive(sid)


async def test_a_call_that_a_reset_has_taken_over_is_left_alone(scene: Scene) -> None:
    handle, sid = await scene.live_call()
    await attach(handle, call_sid=sid)
    task = [
        event.event_id
        async for event in handle.fetch_history_events()
        if event.HasField("workflow_task_completed_event_attributes")
    ]
    await scene.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=scene.client.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=handle.id, run_id=handle.result_run_id or ""
            ),
            reason="a test",
            workflow_task_finish_event_id=task[-1],
            request_id=uuid4().hex,
        )
    )

    assert (await scene.look_until_seen()).gone_on == [handle.id]
    assert await scene.is_alive(sid)


@pytest.mark.parametrize("told_by", ["status", "attach"])
async def test_the_calls_id_is_found_wherever_the_history_has_it(
    tmp_path: Path, told_by: str
) -> None:
    """The dial's answer was lost: the id came with a callback or with the media, and no activity ever told it."""
    async with dev_server(tmp_path) as client, House(dial="lost").open(client):
        handle = await start(client)
        await until(handle, contract.PLACE_CALL)
        if told_by == "status":
            update = CarrierUpdate(call_sid="CA7", status=CarrierStatus.RINGING)
            await handle.signal(CallWorkflow.carrier_status, update)
        else:
            await attach(handle, call_sid="CA7")
        await handle.terminate()
        closed = ClosedCalls(client)
        moment = datetime.now(UTC) - timedelta(minutes=5)
        async with asyncio.timeout(20):
            while not (calls := await closed.since(moment, most=5)):
                await asyncio.sleep(0.1)
        assert await closed.call_sids(calls[0]) == ["CA7"]
        assert await closed.since(datetime.now(UTC) + timedelta(minutes=5), most=5) == []


async def test_the_look_is_repeated_by_a_schedule_of_which_there_is_one(tmp_path: Path) -> None:
    async with dev_server(tmp_path) as client:
        handle = client.get_schedule_handle(SCHEDULE_ID)
        await ensure_schedule(client, every_s=60)
        await handle.pause()

        await ensure_schedule(client, every_s=1)  # the next worker, with another setting

        described = await handle.describe()
        (interval,) = described.schedule.spec.intervals
        assert interval.every == timedelta(seconds=1)
        assert described.schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
        assert described.schedule.state.paused, "an operator's pause outlives a deploy"

        await ensure_schedule(client, every_s=0)
        await ensure_schedule(client, every_s=0)
        with pytest.raises(RPCError) as gone:
            await handle.describe()
        assert gone.value.status is RPCStatusCode.NOT_FOUND


async def test_the_schedule_hangs_up_without_anybody_asking(scene: Scene) -> None:
    handle, sid = await scene.live_call()
    await ensure_schedule(scene.client, every_s=1)
    await handle.terminate()
    async with asyncio.timeout(30):
        while await scene.is_alive(sid):
            await asyncio.sleep(0.1)


def test_the_workflows_name_is_the_one_that_is_looked_for() -> None:
    definition = workflow._Definition.must_from_class(CallWorkflow)
    assert definition.name == CALL_WORKFLOW_TYPE
