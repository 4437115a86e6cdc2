"""`callspine call forget`: whether a call's words may be deleted, and deleting them."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from callspine.connect import connect
from callspine.privacy.word_store import WordStore
from callspine.settings import Settings, SettingsError, load_settings
from media_gateway.flight.files import flights_of
from workflows.contracts.payloads import call_workflow_id


def forget(call_id: Annotated[str, typer.Argument(help="A finished call.")]) -> None:
    """Delete a finished call's words. It can be neither read nor replayed afterwards."""
    typer.echo(asyncio.run(forget_call(load_settings(), call_id)))


async def forget_call(settings: Settings, call_id: str) -> str:
    """Delete the words; what to tell the user. Raises SettingsError for a call that runs or has none in the database."""
    workflow_id = call_workflow_id(call_id)
    has_history = await _refuse_running(settings, workflow_id)
    flights = await asyncio.to_thread(_forget_flights, settings, call_id)
    store = WordStore(settings.database_url)
    try:
        count = await asyncio.to_thread(store.count, workflow_id)
        if not count and not await asyncio.to_thread(store.forgotten_at, workflow_id):
            if flights and not has_history:
                return f"call {call_id}: {flights}Temporal and the database hold nothing of it."
            raise SettingsError(
                f"{flights}the database has no words of call {call_id!r}. With CALLSPINE_TRANSCRIPTS=history they are "
                f"in Temporal's history: `temporal workflow delete --workflow-id {workflow_id}`"
            )
        await asyncio.to_thread(store.forget, workflow_id)
    finally:
        store.close()
    return (
        f"call {call_id}: {count} payloads deleted. {flights}It can be neither read nor replayed any more. "
        "Its CRM row, recordings and evidence files are not touched."
    )


def _forget_flights(settings: Settings, call_id: str) -> str:
    """Delete the call's records of turn-taking in this machine's folder; what to tell of it. Raises SettingsError."""
    if settings.flight_dir is None:
        return ""
    flights = flights_of(settings.flight_dir, call_id)
    try:
        for path in flights:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise SettingsError(f"{error.filename} cannot be deleted: {error.strerror}") from None
    files = "file" if len(flights) == 1 else "files"
    return f"{len(flights)} flight {files} deleted from {settings.flight_dir}. " if flights else ""


async def _refuse_running(settings: Settings, workflow_id: str) -> bool:
    """Whether Temporal knows the call."""
    client = await connect(settings)
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False  # its history is gone already; its words may not be
        raise SettingsError(f"{workflow_id} cannot be looked up: {error.status.name}") from error
    if description.status is WorkflowExecutionStatus.RUNNING:
        raise SettingsError(f"{workflow_id} is still running: a call is forgotten after its end")
    return True
