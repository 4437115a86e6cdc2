"""Looks once for calls that are alive at the carrier and whose workflow is not; a schedule repeats it.

Nothing is remembered from run to run: the next one looks again, so a failure costs a minute and no call.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from workflows.contracts.reconcile import HANG_UP_ORPHANS, LookForOrphans, Orphans

SCHEDULE_ID = "reconcile-calls"
RUN_WITHIN = timedelta(minutes=5)
STILL_THERE_WITHIN = timedelta(minutes=1)
"""A worker that died is noticed after this: the next run may not begin while this one seems to go on."""


@workflow.defn
class ReconcileWorkflow:
    """One look."""

    @workflow.run
    async def run(self, wanted: LookForOrphans) -> Orphans:
        """Hang up what nobody carries any more, and tell."""
        found: Orphans = await workflow.execute_activity(
            HANG_UP_ORPHANS,
            wanted,
            result_type=Orphans,
            schedule_to_close_timeout=RUN_WITHIN,
            heartbeat_timeout=STILL_THERE_WITHIN,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
        return found
