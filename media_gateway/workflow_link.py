"""The one door to Temporal: typed signals in order off the spoken path, and the few updates that a webhook waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from media_gateway.errors import AttachRefused, CallGone, WorkflowAway
from media_gateway.outbox.outbox import Outbox
from media_gateway.signals import SignalCourier
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
    RecordingUpdate,
    StreamEnded,
    TurnCompleted,
    call_workflow_id,
)
from workflows.starter import start_call

log = structlog.get_logger(__name__)

UPDATE_TIMEOUT_S = 4.0
"""The caller hears nothing meanwhile. Well below the carrier's 15 s for a webhook: an apology can still be sent."""
START_TIMEOUT_S = 8.0
NOT_IN_TIME = (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError)
"""The SDK gives its own error when a deadline of ours cuts an update off."""
LEFT_OVER_WITHIN_S = 2.0
"""What an attach may wait for older messages of its call: the caller hears nothing meanwhile."""


class TemporalLink:
    """Implements `WorkflowLink`, and what the webhooks need besides. Make it with `open`."""

    def __init__(
        self,
        client: Client,
        outbox: Outbox,
        turn_refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._turn_refused = turn_refused

    @classmethod
    async def open(
        cls,
        client: Client,
        outbox_file: Path,
        turn_refused: Callable[[str], None] = lambda _: None,
    ) -> TemporalLink:
        """With the messages that an earlier process left in this file. Raises OutboxRefused.

        `turn_refused` is told of a call one of whose turns its workflow will never know: because it was ended, or
        because the turn was too long or the outbox full. Only a new stream can go on from there.
        """
        outbox = await Outbox.open(outbox_file, SignalCourier(client, turn_refused))
        return cls(client, outbox, turn_refused)

    @property
    def depth(self) -> int:
        """Messages that Temporal has not acknowledged."""
        return self._outbox.depth

    @property
    def oldest_age_s(self) -> float:
        """Seconds that the oldest of them waits; 0 when there is none."""
        return self._outbox.oldest_age_s

    def _handle(self, call_id: str) -> WorkflowHandle[CallWorkflow, CallResult]:
        return self._client.get_workflow_handle_for(CallWorkflow.run, call_workflow_id(call_id))

    async def attach(self, call_id: str, request: AttachRequest) -> Attached:
        """Take the call's media over. Raises AttachRefused when the workflow says no or cannot be asked in time."""
        # A gateway that was restarted in mid-call still has turns of it: the answer is to know them.
        if not await self._outbox.flush(call_id, within_s=LEFT_OVER_WITHIN_S):
            log.warning("attach_before_older_messages", call_id=call_id, depth=self.depth)
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT_S):
                # No update id: a token that is shown twice must be refused, not answered twice.
                return await self._handle(call_id).execute_update(CallWorkflow.attach, request)
        except (WorkflowUpdateFailedError, RPCError, *NOT_IN_TIME) as error:
            raise AttachRefused(f"attach refused: {type(error).__name__}") from error
        except Exception as error:
            _tell_unreadable(call_id, "attach", error)
            raise AttachRefused("the workflow's answer cannot be read") from error

    async def stream_ended(self, call_id: str, ended: StreamEnded) -> AfterStream:
        """Ask what the carrier is to do after a media stream. Raises WorkflowAway or CallGone."""
        # The id makes a question that is asked twice the same one.
        again = f"stream ended {ended.nonce}" if ended.nonce else None
        try:
            async with asyncio.timeout(UPDATE_TIMEOUT_S):
                return await self._handle(call_id).execute_update(
                    CallWorkflow.stream_ended, ended, id=again
                )
        except WorkflowUpdateFailedError as error:
            raise CallGone("the workflow ended meanwhile") from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise CallGone("no such workflow runs") from error
            raise WorkflowAway(error.status.name) from error
        except NOT_IN_TIME as error:
            raise WorkflowAway("no answer in time") from error
        except Exception as error:
            _tell_unreadable(call_id, "stream_ended", error)
            raise WorkflowAway("the workflow's answer cannot be read") from error

    async def start_inbound(self, call: CallInput) -> None:
        """Start the workflow of a call that came in. The carrier's repeated webhook finds the same one.

        Raises WorkflowAway, or CallGone for a call that is over.
        """
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await start_call(self._client, call)
        except WorkflowAlreadyStartedError as error:
            raise CallGone("this call is over") from error
        except (RPCError, TimeoutError) as error:
            raise WorkflowAway(type(error).__name__) from error

    def turn_completed(self, call_id: str, turn: TurnCompleted) -> None:
        """Hand a turn over; see `WorkflowLink`."""
        if not self._outbox.put(call_id, CallWorkflow.turn_completed.__name__, turn):
            self._turn_refused(call_id)

    def carrier_status(self, call_id: str, update: CarrierUpdate) -> None:
        """Hand a status callback over."""
        self._outbox.put(call_id, CallWorkflow.carrier_status.__name__, update)

    def answered_by(self, call_id: str, verdict: AnsweredBy) -> None:
        """Hand the answering machine verdict over."""
        self._outbox.put(call_id, CallWorkflow.answered_by.__name__, verdict)

    def recording_status(self, call_id: str, update: RecordingUpdate) -> None:
        """Hand a recording's status over."""
        self._outbox.put(call_id, CallWorkflow.recording_status.__name__, update)

    def media_lost(self, call_id: str, lost: MediaLost) -> None:
        """Hand the end of a stream over."""
        self._outbox.put(call_id, CallWorkflow.media_lost.__name__, lost)

    async def flush(self, call_id: str, *, within_s: float) -> bool:
        """Wait until everything handed over was acknowledged; False when it was not in time."""
        return await self._outbox.flush(call_id, within_s=within_s)

    async def written(self) -> bool:
        """Wait until everything handed over so far is on disk; False when some of it could not be brought there."""
        return await self._outbox.written()

    async def close(self, *, within_s: float = 5.0) -> None:
        """Deliver what can be delivered in time, then stop. The log says how many stay on disk. Idempotent."""
        await self._outbox.close(within_s=within_s)


def _tell_unreadable(call_id: str, update: str, error: Exception) -> None:
    """A codec may raise anything, and what it quotes may be words."""
    log.error(
        "answer_not_read",
        call_id=call_id,
        update=update,
        error=type(error).__name__,
        remedy="gateways and workers need the same keys in CALLSPINE_CODEC_KEYS, an old one behind the first while it is "
        "in use, and one CALLSPINE_DATABASE_URL",
    )
