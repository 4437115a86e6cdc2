"""The schedule that looks for calls whose workflow is gone: made by whichever worker starts first, the same for all."""

from __future__ import annotations

from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from workflows.contracts.reconcile import RECONCILE_TASK_QUEUE, LookForOrphans
from workflows.reconcile import RUN_WITHIN, SCHEDULE_ID, ReconcileWorkflow

log = structlog.get_logger(__name__)


async def ensure_schedule_or_tell(client: Client, *, every_s: int) -> None:
    """As `ensure_schedule`; a failure is only logged, because calls can be served without it."""
    try:
        await ensure_schedule(client, every_s=every_s)
    except RPCError as error:
        log.error("reconciler_not_scheduled", status=error.status.name, reason=error.message)


async def ensure_schedule(client: Client, *, every_s: int) -> None:
    """Have the look repeated; remove the schedule when `every_s` is 0. Idempotent. Raises RPCError.

    A schedule that an operator paused stays paused.
    """
    if every_s == 0:
        await _remove(client)
        return
    wanted = _schedule(every_s)
    try:
        await client.create_schedule(SCHEDULE_ID, wanted)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(SCHEDULE_ID).update(
            lambda found: ScheduleUpdate(schedule=_with_state_of(found, wanted))
        )


def _schedule(every_s: int) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            ReconcileWorkflow.run,
            LookForOrphans(),
            id=SCHEDULE_ID,
            task_queue=RECONCILE_TASK_QUEUE,
            execution_timeout=RUN_WITHIN + timedelta(minutes=1),
            static_summary="hang up calls whose workflow is gone",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=every_s))]),
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP,
            # After an outage one look is enough.
            catchup_window=timedelta(minutes=1),
        ),
    )


def _with_state_of(found: ScheduleUpdateInput, wanted: Schedule) -> Schedule:
    return Schedule(
        action=wanted.action,
        spec=wanted.spec,
        policy=wanted.policy,
        state=found.description.schedule.state,
    )


async def _remove(client: Client) -> None:
    try:
        await client.get_schedule_handle(SCHEDULE_ID).delete()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
