"""The one door to Temporal: typed signals in order off the spoken path, and the few updates that a webhook waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode

from media_gateway.errors import AttachRefused
from workflows.call import CallWorkflow
from workflows.contracts.payloads import (
    AfterStream,
    AnsweredBy,
    Attached,
    AttachRequest,
    CallInput,
    CallResult,
    CarrierUpdate,
    MediaLost,
    StreamEnded,
    TurnCompleted,
    call_workflow_id,
)
from workflows.starter import start_call

log = structlog.get_logger(__name__)

Send = Callable[[], Awaitable[None]]

LONGEST_OUTBOX = 1000
"""Messages of one call that may wait for Temporal: more than an hour's turns. Above it the oldest is kept, the newest refused."""
RPC_TIMEOUT = timedelta(seconds=5)
RETRY_FIRST_S = 0.1
RETRY_MOST_S = 2.0
UPDATE_TIMEOUT_S = 10.0
"""Below the carrier's 15 s for a webhook."""


class TemporalLink:
    """Implements `WorkflowLink`, and what the webhooks need besides."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._outboxes: dict[str, _Outbox] = {}

    def _handle(self, call_id: str) -> WorkflowHandle[CallWorkflow, CallResult]:
        return self._client.get_workflow_handle_for(CallWorkflow.run, call_workflow_id(call_id))

    async def attach(self, call_id: str, request: AttachRequest) -> Attached:
        """Take the call's media over. Raises AttachRefused when the workflow says no or cannot be asked in time."""
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT_S):
                return await self._handle(call_id).execute_update(CallWorkflow.attach, request)
        except (WorkflowUpdateFailedError, RPCError, TimeoutError) as error:
            raise AttachRefused(f"attach refused: {type(error).__name__}") from error

    async def stream_ended(self, call_id: str, call_sid: str) -> AfterStream:
        """Ask what the carrier is to do after a media stream. Raises RPCError, TimeoutError or WorkflowUpdateFailedError."""
        async with asyncio.timeout(UPDATE_TIMEOUT_S):
            return await self._handle(call_id).execute_update(
                CallWorkflow.stream_ended, StreamEnded(call_sid=call_sid)
            )

    async def start_inbound(self, call: CallInput) -> None:
        """Start the workflow of a call that came in. The carrier's repeated webhook finds the same one."""
        await start_call(self._client, call)

    def turn_completed(self, call_id: str, turn: TurnCompleted) -> None:
        """Hand a turn over; see `WorkflowLink`."""
        handle = self._handle(call_id)
        self._post(
            call_id,
            lambda: handle.signal(CallWorkflow.turn_completed, turn, rpc_timeout=RPC_TIMEOUT),
        )

    def carrier_status(self, call_id: str, update: CarrierUpdate) -> None:
        """Hand a status callback over."""
        handle = self._handle(call_id)
        self._post(
            call_id,
            lambda: handle.signal(CallWorkflow.carrier_status, update, rpc_timeout=RPC_TIMEOUT),
        )

    def answered_by(self, call_id: str, verdict: AnsweredBy) -> None:
        """Hand the answering machine verdict over."""
        handle = self._handle(call_id)
        self._post(
            call_id,
            lambda: handle.signal(CallWorkflow.answered_by, verdict, rpc_timeout=RPC_TIMEOUT),
        )

    def media_lost(self, call_id: str, lost: MediaLost) -> None:
        """Hand the end of a stream over."""
        handle = self._handle(call_id)
        self._post(
            call_id, lambda: handle.signal(CallWorkflow.media_lost, lost, rpc_timeout=RPC_TIMEOUT)
        )

    async def flush(self, call_id: str, *, within_s: float) -> bool:
        """Wait until everything handed over was acknowledged; False when it was not in time."""
        outbox = self._outboxes.get(call_id)
        return outbox is None or await outbox.drained(within_s)

    async def close(self, *, within_s: float = 5.0) -> None:
        """Deliver what can be delivered in time, then stop."""
        deadline = asyncio.get_running_loop().time() + within_s
        for call_id, outbox in list(self._outboxes.items()):
            left_s = deadline - asyncio.get_running_loop().time()
            if not await outbox.drained(max(0.0, left_s)):
                log.error("outbox_lost_at_shutdown", call_id=call_id, messages=outbox.waiting)
            outbox.cancel()
        self._outboxes.clear()

    def _post(self, call_id: str, send: Send) -> None:
        outbox = self._outboxes.get(call_id)
        if outbox is None:
            outbox = self._outboxes[call_id] = _Outbox(call_id, self._forget)
        outbox.put(send)

    def _forget(self, call_id: str) -> None:
        self._outboxes.pop(call_id, None)


class _Outbox:
    """One call's messages to its workflow: in order, each until it is acknowledged. Gone when it is empty."""

    def __init__(self, call_id: str, forget: Callable[[str], None]) -> None:
        self._call_id = call_id
        self._forget = forget
        self._queue: asyncio.Queue[Send] = asyncio.Queue(LONGEST_OUTBOX)
        self._task = asyncio.create_task(self._deliver(), name=f"outbox {call_id}")

    @property
    def waiting(self) -> int:
        """Messages not acknowledged yet."""
        return self._queue.qsize()

    def put(self, send: Send) -> None:
        """Queue a message; a full queue refuses it aloud."""
        try:
            self._queue.put_nowait(send)
        except asyncio.QueueFull:
            log.critical("outbox_full", call_id=self._call_id, longest=LONGEST_OUTBOX)

    async def drained(self, within_s: float) -> bool:
        """Wait for the queue to be empty and acknowledged."""
        try:
            async with asyncio.timeout(within_s):
                await asyncio.shield(self._task)
        except TimeoutError:
            return False
        return True

    def cancel(self) -> None:
        """Stop trying."""
        self._task.cancel()

    async def _deliver(self) -> None:
        while not self._queue.empty():
            send = self._queue.get_nowait()
            await self._until_acknowledged(send)
        self._forget(self._call_id)

    async def _until_acknowledged(self, send: Send) -> None:
        wait_s = RETRY_FIRST_S
        while True:
            try:
                await send()
            except RPCError as error:
                if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
                    log.warning(
                        "workflow_not_reachable", call_id=self._call_id, status=error.status.name
                    )
                    return
                log.warning("temporal_away", call_id=self._call_id, status=error.status.name)
                await asyncio.sleep(wait_s)
                wait_s = min(RETRY_MOST_S, 2 * wait_s)
            else:
                return
