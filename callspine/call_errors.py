"""What a command says when a call cannot be read or told something: cause and remedy, never a trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from callspine.privacy.codec import CodecError
from callspine.privacy.word_threads import CallForgotten, WordStoreAway
from callspine.settings import SettingsError
from workflows.contracts.payloads import call_workflow_id

ANSWER_WITHIN = timedelta(seconds=10)
"""For a worker to answer a question about a call: one that has to replay it first included."""
_NO_WORKER = (
    "no worker answered: is `callspine worker` running, with the build that this call is on?"
)


@asynccontextmanager
async def about_call(client: Client, call_id: str) -> AsyncIterator[None]:
    """Ask and tell a call inside. Raises SettingsError for all that can go wrong with one."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        reason = cause.message if isinstance(cause, ApplicationError) else str(cause)
        raise SettingsError(f"call {call_id!r}: {reason}") from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        raise SettingsError(
            f"call {call_id!r}: {_NO_WORKER} The order may still be carried out: "
            f"look at `callspine call show {call_id}` before you give it again"
        ) from None
    except WorkflowQueryFailedError as error:
        raise SettingsError(f"call {call_id!r} cannot be read yet: {error}") from None
    except (CodecError, CallForgotten, WordStoreAway) as error:
        raise SettingsError(f"call {call_id!r} cannot be read: {error}") from None
    except RPCError as error:
        raise await _refusal(client, call_id, error) from None


async def _refusal(client: Client, call_id: str, error: RPCError) -> SettingsError:
    match error.status:
        case RPCStatusCode.NOT_FOUND:
            return SettingsError(await _why_not_found(client, call_id))
        case (
            RPCStatusCode.FAILED_PRECONDITION
            | RPCStatusCode.DEADLINE_EXCEEDED
            | RPCStatusCode.CANCELLED
        ):
            return SettingsError(f"call {call_id!r}: {_NO_WORKER}")
        case RPCStatusCode.UNAVAILABLE:
            return SettingsError(f"call {call_id!r}: Temporal has gone away; try again")
        case _:
            what = error.status.name.lower().replace("_", " ")
            return SettingsError(f"call {call_id!r}: Temporal refused ({what}): {error.message}")


async def _why_not_found(client: Client, call_id: str) -> str:
    """The server says "not found" of a call that is over, too."""
    try:
        handle = client.get_workflow_handle(call_workflow_id(call_id))
        description = await handle.describe(rpc_timeout=ANSWER_WITHIN)
    except RPCError:
        return f"there is no call {call_id!r}; `callspine call list` names those there are"
    if description.status is WorkflowExecutionStatus.RUNNING:
        return f"call {call_id!r} cannot be reached; try again"
    return f"call {call_id!r} is over; see `callspine call show {call_id}`"
