"""`callspine call list`: which calls are asked for, and a table of them that fits 80 columns."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from temporalio.client import WorkflowExecution
from temporalio.service import RPCError

from callspine.connect import connect
from callspine.settings import Settings, SettingsError, load_settings
from workflows import search_attributes as keys
from workflows.contracts.payloads import call_workflow_id
from workflows.script.model import Outcome


def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Newest calls to show.")] = 20,
    needs_review: Annotated[
        bool, typer.Option("--needs-review", help="Only calls that a person should look at.")
    ] = False,
    outcome: Annotated[
        Outcome | None, typer.Option(metavar="OUTCOME", help="Only calls that ended so.")
    ] = None,
    campaign: Annotated[
        str | None, typer.Option(metavar="ID", help="Only calls of this campaign.")
    ] = None,
    running: Annotated[
        bool, typer.Option("--running", help="Only calls that are under way.")
    ] = False,
) -> None:
    """List the newest calls, running and finished. `!`: a person should look at it; `#`: which attempt it is."""
    query = visibility_query(
        needs_review=needs_review, outcome=outcome, campaign=campaign, running=running
    )
    asyncio.run(_list(load_settings(), query, limit))


def visibility_query(
    *, needs_review: bool, outcome: Outcome | None, campaign: str | None, running: bool
) -> str:
    """What Temporal is asked. Raises SettingsError for an id that cannot be one."""
    wanted = ['WorkflowType = "CallWorkflow"']
    if needs_review:
        wanted.append(f"{keys.NEEDS_REVIEW.name} = true")
    if outcome is not None:
        wanted.append(f'{keys.CALL_OUTCOME.name} = "{outcome}"')
    if campaign is not None:
        if not campaign.isprintable() or set(campaign) & set("\"'`\\"):
            raise SettingsError(f"--campaign {campaign!r}: an id has no quotes and no backslashes")
        wanted.append(f'{keys.CAMPAIGN_ID.name} = "{campaign}"')
    if running:
        wanted.append('ExecutionStatus = "Running"')
    return " AND ".join(wanted)


async def _list(settings: Settings, query: str, limit: int) -> None:
    client = await connect(settings)
    table = empty_table()
    try:
        async for call in client.list_workflows(query, limit=limit):
            table.add_row(*row(call))
    except RPCError as error:
        raise SettingsError(
            f"Temporal cannot list the calls ({error.message}); search attributes that it does not "
            "know are registered when a worker starts"
        ) from None
    Console().print(table)


def empty_table() -> Table:
    """Narrow enough for 80 columns. Long ids are folded, never cut: a cut one cannot be copied into `call show`."""
    table = Table(box=box.SIMPLE, show_edge=False, padding=0)
    table.add_column(no_wrap=True)
    table.add_column("call", overflow="fold", min_width=12)
    table.add_column("began", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column("#", no_wrap=True)
    table.add_column("script", overflow="fold")
    table.add_column("stage", overflow="fold")
    table.add_column("turns", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    return table


def row(call: WorkflowExecution) -> tuple[str, ...]:
    """One call."""
    found = call.typed_search_attributes
    status = call.status.name.lower() if call.status else ""
    return (
        "[red]![/]" if found.get(keys.NEEDS_REVIEW, False) else "",
        escape(call.id.removeprefix(call_workflow_id(""))),
        f"{call.start_time.astimezone():%m-%d %H:%M}",
        found.get(keys.CALL_DIRECTION, "").removesuffix("bound"),
        str(found.get(keys.ATTEMPT, "")),
        escape(found.get(keys.SCRIPT_ID, "")),
        escape(found.get(keys.CALL_STAGE, "")),
        str(found.get(keys.TURNS, "")),
        found.get(keys.CALL_OUTCOME, "") or status,
    )
