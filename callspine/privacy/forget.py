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
from workflows.contracts.payloads import call_workflow_id


def forget(call_id: Annotated[str, typer.Argument(help="A finished call.")]) -> None:
    """Delete a finished call's words. It can be neither read nor replayed afterwards."""
    typer.echo(asyncio.run(forget_call(load_settings(), call_id)))


async def forget_call(settings: Settings, call_id: str) -> str:
    """Delete the words; what to tell the user. Raises SettingsError for a call that runs or has none in the database."""
    workflow_id = call_workflow_id(call_id)
    await _refuse_running(settings, workflow_id)
    store = WordStore(settings.database_url)
    try:
        count = await asyncio.to_thread(store.count, workflow_id)
        if not count and not await asyncio.to_thread(store.forgotten_at, workflow_id):
            raise SettingsError(
                f"the database has no words of call {call_id!r}. With CALLSPINE_TRANSCRIPTS=history they are "
                f"in Temporal's history: `temporal workflow delete --workflow-id {workflow_id}`"
            )
        await asyncio.to_thread(store.forget, workflow_id)
    finally:
        store.close()
    return (
        f"call {call_id}: {count} payloads deleted. It can be neither read nor replayed any more. "
        "Its CRM row, recordings and evidence files are not touched."
    )


async def _refuse_running(settings: Settings, workflow_id: str) -> None:
    client = await connect(settings)
    try:
        description = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return  # its history is gone already; its words may not be
        raise SettingsError(f"{workflow_id} cannot be looked up: {error.status.name}") from error
    if description.status is WorkflowExecutionStatus.RUNNING:
        raise SettingsError(f"{workflow_id} is still running: a call is forgotten after its end")
