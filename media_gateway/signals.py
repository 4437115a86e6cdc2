"""How a message becomes a signal to a call's workflow, and which of Temporal's refusals are final."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

from media_gateway.outbox.letter import DeliveryFailed, Letter, Undeliverable
from workflows.call import CallWorkflow
from workflows.contracts.payloads import call_workflow_id

log = structlog.get_logger(__name__)

RPC_TIMEOUT = timedelta(seconds=5)
LONGEST_BODY_BYTES = 2_000_000
"""The server refuses longer ones, and far longer ones with a status that looks as if another try could help."""
TURN = CallWorkflow.turn_completed.__name__
_NO_NAMESPACE = "NamespaceNotFoundFailure"


class SignalCourier:
    """Implements `Courier`. A sealed letter is the signal's payloads as the client's data converter, codec and all, made them.

    They go out as they lie on disk, under the letter's own request id: the server takes a signal that was sent twice, as
    after an answer that was lost, once.
    """

    def __init__(
        self, client: Client, turn_refused: Callable[[str], None] = lambda _: None
    ) -> None:
        self._client = client
        self._turn_refused = turn_refused
        """Told of a call one of whose turns its workflow will never know."""

    async def seal(self, call_id: str, message: object) -> bytes:
        """Encode a message. Raises Undeliverable when the codec answers as if the call were gone, or what else it raises."""
        context = WorkflowSerializationContext(
            namespace=self._client.namespace, workflow_id=call_workflow_id(call_id)
        )
        converter = self._client.data_converter.with_context(context)
        try:
            payloads = await converter.encode([message])
        except RPCError as error:
            if _is_final(error):
                raise Undeliverable(f"not encoded: {error.status.name}") from error
            raise
        return Payloads(payloads=payloads).SerializeToString()

    async def deliver(self, letter: Letter) -> None:
        """Signal the call's workflow."""
        if len(letter.body) > LONGEST_BODY_BYTES:
            raise Undeliverable(f"{len(letter.body)} bytes are too many for a signal")
        request = SignalWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=call_workflow_id(letter.call_id)),
            signal_name=letter.kind,
            input=Payloads.FromString(letter.body),
            identity=self._client.identity,
            request_id=letter.request_id,
        )
        service = self._client.workflow_service
        try:
            await service.signal_workflow_execution(request, timeout=RPC_TIMEOUT)
        except RPCError as error:
            if _is_final(error):
                raise Undeliverable(error.status.name) from error
            raise DeliveryFailed(error.status.name) from error

    def dropped(self, letter: Letter, reason: str) -> None:
        """See `Courier`. The turns after one that is missing would be taken for strangers by the workflow."""
        if letter.kind != TURN:
            return
        log.error(
            "turn_not_told",
            call_id=letter.call_id,
            handed_over_s=letter.at_s,
            reason=reason,
            remedy="the caller's words of one turn are kept nowhere, and an opt-out may be among them: see what was told "
            f"before with `callspine call show {letter.call_id}`, listen to the call at the carrier, and put the number "
            "into the table do_not_call if its owner asked for that",
        )
        self._turn_refused(letter.call_id)


def _is_final(error: RPCError) -> bool:
    """The workflow is over or unknown, or the message is no signal. A namespace that is missing is a wrong setting."""
    if error.status is RPCStatusCode.NOT_FOUND:
        return not any(_NO_NAMESPACE in detail.type_url for detail in error.grpc_status.details)
    return error.status is RPCStatusCode.INVALID_ARGUMENT
