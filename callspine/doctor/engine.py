"""Checks Temporal, that a worker waits there for calls, and where traces are sent."""

from __future__ import annotations

from typing import Any

import httpx
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from callspine.connect import connect
from callspine.doctor.findings import AilingError, Check, State, Told
from callspine.settings import PREFIX, Settings, SettingsError, base_url
from callspine.tracing import open_tracing
from workflows.contracts.payloads import (
    ACTIVITIES_TASK_QUEUE,
    CALLS_TASK_QUEUE,
    DIAL_TASK_QUEUE,
)

_START = f"start one with `make up`, or set {PREFIX}TEMPORAL_ADDRESS"
_KINDS: dict[str, TaskQueueType.ValueType] = {
    CALLS_TASK_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    ACTIVITIES_TASK_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    DIAL_TASK_QUEUE: TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


def temporal_check(settings: Settings) -> Check:
    """Connects, finds the namespace, and looks who waits at the calls' queues."""

    async def ask() -> Told:
        try:
            client = await connect(settings)
        except SettingsError:
            raise AilingError(f"nobody answers at {settings.temporal_address}", _START) from None
        try:
            await client.workflow_service.describe_namespace(
                DescribeNamespaceRequest(namespace=client.namespace)
            )
            without = [queue for queue in _KINDS if not await _pollers(client, queue)]
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise AilingError(
                    f"no namespace {client.namespace!r}", f"set {PREFIX}TEMPORAL_NAMESPACE"
                ) from None
            raise AilingError(error.status.name, _START) from None
        if without:
            return Told(
                what=f"it answers; no worker waits at {', '.join(without)}",
                state=State.WARNS,
                remedy="start `callspine worker`: no call can be started without one",
            )
        return Told(what="it answers, and workers wait for calls")

    return Check(name="Temporal", ask=ask, remedy=_START)


async def _pollers(client: Client, queue: str) -> int:
    answer: Any = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=_KINDS[queue],
        )
    )
    return len(answer.pollers)


def traces_check(settings: Settings, http: httpx.AsyncClient) -> Check:
    """Whether the collector takes an empty batch."""
    remedy = f"see {PREFIX}OTLP_ENDPOINT, and that the collector has an OTLP/HTTP receiver there"

    async def ask() -> Told:
        if settings.otlp_endpoint is None:
            return Told(what="off", state=State.SKIPPED)
        try:
            open_tracing(settings, "doctor")
            answer = await http.post(
                f"{base_url(settings.otlp_endpoint)}/v1/traces",
                content=b"",
                headers={"Content-Type": "application/x-protobuf"},
            )
        except SettingsError:
            raise AilingError(
                "the extra `otel` is not installed", "pip install 'callspine[otel]'"
            ) from None
        except httpx.HTTPError as error:
            raise AilingError(type(error).__name__, remedy) from None
        if not answer.is_success:
            raise AilingError(f"HTTP {answer.status_code}", remedy)
        return Told(what="the collector takes spans")

    return Check(name="traces", ask=ask, remedy=remedy, is_needed=False)
