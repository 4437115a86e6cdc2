"""Which signals reach a workflow's handler: only those with the arguments that it takes.

The SDK drops a signal whose argument cannot be decoded. One with none, or with one too many, it hands over: the call
fails the workflow's task, again and again, and no timer of the workflow runs any more.
"""

from __future__ import annotations

import inspect

from temporalio import workflow
from temporalio.worker import (
    HandleSignalInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)


class SignalGuard(Interceptor):
    """For every worker that runs calls."""

    def workflow_interceptor_class(
        self, _: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor]:
        """See Interceptor."""
        return _Guarded


class _Guarded(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> None:
        handler = getattr(workflow.instance(), input.signal, None)
        if handler is not None:
            try:
                inspect.signature(handler).bind(*input.args)
            except TypeError:
                workflow.logger.error(
                    "signal %s dropped: it came with %d arguments", input.signal, len(input.args)
                )
                return
        await super().handle_signal(input)
