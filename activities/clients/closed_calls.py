"""Calls that Temporal closed without their consent, and which of the carrier's calls they had: read from the histories.

A query would need a worker of the build that the call ran on; a history needs none, whatever code wrote it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from temporalio.api.common.v1 import Payloads
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionStatus

from workflows.contracts.reconcile import CALL_WORKFLOW_TYPE

_CLOSED_BADLY = "'Terminated', 'TimedOut', 'Failed', 'Canceled'"


@dataclass(frozen=True, kw_only=True)
class ClosedCall:
    """One run of a call's workflow."""

    workflow_id: str
    run_id: str


class ClosedCalls:
    """Calls of one namespace."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def since(self, moment: datetime, *, most: int) -> list[ClosedCall]:
        """Terminated, timed out, failed and cancelled ones, the newest first. Raises RPCError."""
        query = (
            f"WorkflowType = '{CALL_WORKFLOW_TYPE}' AND ExecutionStatus IN ({_CLOSED_BADLY}) "
            f"AND CloseTime > '{moment.isoformat()}'"
        )
        return [
            ClosedCall(workflow_id=found.id, run_id=found.run_id)
            async for found in self._client.list_workflows(query, limit=most)
        ]

    async def call_sids(self, call: ClosedCall) -> list[str]:
        """Every call of the carrier's that its history names. Raises RPCError, or what the codec raises."""
        handle = self._client.get_workflow_handle(call.workflow_id, run_id=call.run_id)
        sids: dict[str, None] = {}
        async for event in handle.fetch_history_events():
            async for sid in self._named_in(event):
                sids[sid] = None
        return list(sids)

    async def _named_in(self, event: HistoryEvent) -> AsyncIterator[str]:
        """By the field's name, not by the message's type: messages of other releases are read as well."""
        for payloads in _told_to_the_call(event):
            if not payloads.payloads:
                continue
            for message in await self._client.data_converter.decode(payloads.payloads):
                sid = message.get("call_sid") if isinstance(message, dict) else None
                if isinstance(sid, str) and sid:
                    yield sid

    async def goes_on(self, call: ClosedCall) -> bool:
        """Whether a newer run of this workflow has the call, as after a reset. Raises RPCError."""
        latest = await self._client.get_workflow_handle(call.workflow_id).describe()
        return latest.status is WorkflowExecutionStatus.RUNNING


def _told_to_the_call(event: HistoryEvent) -> list[Payloads]:
    """Signals, accepted updates and what activities found: who placed, found or carried the call says its id there."""
    return [
        event.workflow_execution_signaled_event_attributes.input,
        event.workflow_execution_update_accepted_event_attributes.accepted_request.input.args,
        event.activity_task_completed_event_attributes.result,
    ]
