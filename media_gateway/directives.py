"""The gateway's end of the workflow's directives: one activity, on this gateway's own task queue."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from media_gateway.sessions import Sessions
from workflows.contracts.activities import CARRY_OUT_DIRECTIVE
from workflows.contracts.payloads import Directive, DirectiveDone, gateway_task_queue


class DirectiveActivities:
    """What a workflow can have done in the gateway that carries its call's audio."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    @activity.defn(name=CARRY_OUT_DIRECTIVE)
    async def carry_out_directive(self, directive: Directive) -> DirectiveDone:
        """Begin it; what comes of it is told as a turn. On the event loop, where the calls are."""
        return self._sessions.direct(directive)


def directive_worker(client: Client, gateway_id: str, sessions: Sessions) -> Worker:
    """Polls this gateway's task queue. A directive that nobody polls for times out: the gateway is gone."""
    return Worker(
        client,
        task_queue=gateway_task_queue(gateway_id),
        activities=[DirectiveActivities(sessions).carry_out_directive],
        max_concurrent_activities=20,
        graceful_shutdown_timeout=timedelta(seconds=1),
    )
