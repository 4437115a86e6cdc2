"""Temporal's part of a call's trace: starts, updates, workflow steps and activities, all below the call's one root span.

On Temporal's own interceptor. Spans of a workflow are made outside its sandbox and never in a replay; what a workflow
commands stays the same with and without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio import client, worker, workflow
from temporalio.contrib.opentelemetry import TracingInterceptor, TracingWorkflowInboundInterceptor
from temporalio.exceptions import FailureError

from callspine.tracing_ids import CallTrace, call_of

_CARRIER = "__callspine_trace_carrier"
_ROOT = "__callspine_trace_root"
_PROPAGATOR = TraceContextTextMapPropagator()

TraceOf = Callable[[str], CallTrace]
"""By call id."""
Carrier = dict[str, list[str] | str]
"""As OpenTelemetry's propagators read and write it."""
TellRoot = Callable[[str, int, int], None]
"""Call id, start and end in ns since the epoch."""


class CallTracing(TracingInterceptor):
    """For `Client.connect(interceptors=...)`: workers of that client trace, too."""

    def __init__(self, tracer: trace.Tracer, trace_of: TraceOf, tell_root: TellRoot) -> None:
        super().__init__(tracer)
        self._trace_of = trace_of
        self._tell_root = tell_root

    def intercept_client(self, next: client.OutboundInterceptor) -> client.OutboundInterceptor:
        """See TracingInterceptor."""
        return _InTheCallsTrace(super().intercept_client(next), self.carrier)

    def workflow_interceptor_class(
        self, input: worker.WorkflowInterceptorClassInput
    ) -> type[TracingWorkflowInboundInterceptor]:
        """See TracingInterceptor."""
        super().workflow_interceptor_class(input)
        input.unsafe_extern_functions.update({_CARRIER: self.carrier, _ROOT: self._root})
        return _TracedWorkflow

    def carrier(self, workflow_id: str) -> Carrier | None:
        """What a child of the call's root span is given; None where the workflow is no call's."""
        call_id = call_of(workflow_id)
        return None if call_id is None else {"traceparent": self._trace_of(call_id).traceparent}

    def _root(self, workflow_id: str, start_ns: int, end_ns: int) -> None:
        if (call_id := call_of(workflow_id)) is not None:
            self._tell_root(call_id, start_ns, end_ns)


class _InTheCallsTrace(client.OutboundInterceptor):
    """What is asked of a call's workflow belongs to the call, whoever asks."""

    def __init__(
        self,
        next: client.OutboundInterceptor,
        carrier: Callable[[str], Carrier | None],
    ) -> None:
        super().__init__(next)
        self._carrier = carrier

    async def start_workflow(
        self, input: client.StartWorkflowInput
    ) -> client.WorkflowHandle[Any, Any]:
        with self._in(input.id):
            return await super().start_workflow(input)

    async def query_workflow(self, input: client.QueryWorkflowInput) -> Any:
        with self._in(input.id):
            return await super().query_workflow(input)

    async def signal_workflow(self, input: client.SignalWorkflowInput) -> None:
        with self._in(input.id):
            await super().signal_workflow(input)

    async def start_workflow_update(
        self, input: client.StartWorkflowUpdateInput
    ) -> client.WorkflowUpdateHandle[Any]:
        with self._in(input.id):
            return await super().start_workflow_update(input)

    @contextmanager
    def _in(self, workflow_id: str) -> Iterator[None]:
        carrier = self._carrier(workflow_id)
        if carrier is None or trace.get_current_span() is not trace.INVALID_SPAN:
            yield
            return
        token = otel_context.attach(_PROPAGATOR.extract(carrier))
        try:
            yield
        finally:
            otel_context.detach(token)


class _TracedWorkflow(TracingWorkflowInboundInterceptor):
    """Inside the sandbox: everything that is not pure is behind extern functions."""

    async def execute_workflow(self, input: worker.ExecuteWorkflowInput) -> Any:
        try:
            result = await super().execute_workflow(input)
        except FailureError:
            self._tell_root()
            raise
        self._tell_root()  # no `finally`: a workflow that only leaves the cache is not over
        return result

    def _tell_root(self) -> None:
        if not workflow.unsafe.is_replaying():
            info = workflow.info()
            tell = cast("Callable[[str, int, int], None]", workflow.extern_functions()[_ROOT])
            tell(info.workflow_id, int(info.start_time.timestamp() * 1e9), workflow.time_ns())

    def _load_workflow_context_carrier(self) -> Carrier | None:
        """Calls that were started without a trace have theirs all the same."""
        if given := super()._load_workflow_context_carrier():
            return given
        find = cast("Callable[[str], Carrier | None]", workflow.extern_functions()[_CARRIER])
        return find(workflow.info().workflow_id)
