"""Starts a call's workflow: the one place that knows its id, queue and policies."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from workflows.call import CallWorkflow
from workflows.contracts.payloads import CALLS_TASK_QUEUE, CallInput, CallResult, call_workflow_id

TASK_WITHIN = timedelta(seconds=3)
"""A worker that died with a call's task in hand is known by this. A task takes milliseconds; replaying a long call,
some tenths of a second."""


async def start_call(client: Client, call: CallInput) -> WorkflowHandle[CallWorkflow, CallResult]:
    """Start the call, or find it when it already runs. Raises WorkflowAlreadyStartedError for one that is over."""
    return await client.start_workflow(
        CallWorkflow.run,
        call,
        id=call_workflow_id(call.call_id),
        task_queue=CALLS_TASK_QUEUE,
        task_timeout=TASK_WITHIN,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"{call.direction.value} call · {call.script_id}",
    )
