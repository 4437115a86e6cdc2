"""`callspine call`: place a call, list calls, look at one."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Annotated

import phonenumbers
import typer
from rich import box
from rich.console import Console
from rich.table import Column, Table
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from callspine.connect import connect
from callspine.follow import follow
from callspine.privacy.forget import forget
from callspine.scripts import read_script
from callspine.settings import Settings, SettingsError, load_settings
from workflows import search_attributes
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallInput, call_workflow_id
from workflows.starter import start_call

app = typer.Typer(no_args_is_help=True, help="Place and inspect calls.")
app.command()(forget)


def e164(text: str) -> str:
    """The number in E.164. Raises SettingsError for one that cannot be dialled."""
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException as error:
        raise SettingsError(f"{text!r} is not a telephone number: {error}") from None
    if not phonenumbers.is_possible_number(number):
        raise SettingsError(
            f"{text!r} is not a possible telephone number; write it as +12125550142"
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def new_call_id() -> str:
    """A fresh call id: opaque, so that no number or name is in a workflow id."""
    return uuid.uuid4().hex[:12]


@app.command()
def start(
    to: Annotated[str, typer.Option(help="Number to call, E.164.")],
    script: Annotated[
        str, typer.Option(help="Script's file name without .yaml.")
    ] = "solar_consult",
    wait: Annotated[bool, typer.Option(help="Print the call as it happens.")] = True,
) -> None:
    """Place an outbound call."""
    asyncio.run(_start(load_settings(), to, script, wait=wait))


async def _start(settings: Settings, to: str, script: str, *, wait: bool) -> None:
    console = Console()
    if not re.fullmatch(r"[A-Za-z0-9_-]+", script):
        raise SettingsError(f"{script!r} is not a script's name; see {settings.scripts_dir}")
    path = settings.scripts_dir / f"{script}.yaml"
    if not path.is_file():
        raise SettingsError(f"there is no script {script!r} in {settings.scripts_dir}")
    call = CallInput(
        call_id=new_call_id(),
        script_id=script,
        to=e164(to),
        # Whatever happens to the file, the call and all that comes of it run what is there now.
        script_hash=read_script(path).content_hash,
        most_resumes=settings.most_resumes,
    )
    client = await connect(settings)
    await start_call(client, call)
    console.print(
        f"call {call.call_id}: workflow {call_workflow_id(call.call_id)}", highlight=False
    )
    if wait:
        handle = client.get_workflow_handle_for(CallWorkflow.run, call_workflow_id(call.call_id))
        result = await follow(handle, console, longest_s=call.longest_call_s + 120)
        console.print(f"outcome: [bold]{result.outcome}[/]")


@app.command(name="list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Newest calls to show.")] = 20,
) -> None:
    """List the newest calls, running and finished."""
    asyncio.run(_list(load_settings(), limit))


async def _list(settings: Settings, limit: int) -> None:
    client = await connect(settings)
    # Narrow enough for 80 columns, and ids are folded, never cut: a cut one cannot be copied into `call show`.
    heads = (
        Column("call", overflow="fold", min_width=12),
        *("began", "", "script", "stage", "turns", "outcome"),
    )
    table = Table(*heads, box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    keys = search_attributes
    async for call in client.list_workflows('WorkflowType = "CallWorkflow"', limit=limit):
        found = call.typed_search_attributes
        status = call.status.name.lower() if call.status else ""
        table.add_row(
            call.id.removeprefix(call_workflow_id("")),
            f"{call.start_time.astimezone():%m-%d %H:%M}",
            found.get(keys.CALL_DIRECTION, "").removesuffix("bound"),
            found.get(keys.SCRIPT_ID, ""),
            found.get(keys.CALL_STAGE, ""),
            str(found.get(keys.TURNS, "")),
            found.get(keys.CALL_OUTCOME, "") or status,
        )
    Console().print(table)


@app.command()
def show(call_id: str) -> None:
    """Print a call, running or finished, from its workflow."""
    asyncio.run(_show(load_settings(), call_id))


async def _show(settings: Settings, call_id: str) -> None:
    client = await connect(settings)
    handle = client.get_workflow_handle_for(CallWorkflow.run, call_workflow_id(call_id))
    try:
        snapshot = await handle.query(CallWorkflow.snapshot)
    except RPCError as error:
        raise SettingsError(
            f"call {call_id!r} cannot be read ({error.status.name.lower().replace('_', ' ')})"
        ) from error
    except WorkflowQueryFailedError as error:
        raise SettingsError(f"call {call_id!r} cannot be read yet: {error}") from error
    Console().print_json(data=_plain(snapshot))


def _plain(value: object) -> object:
    from dataclasses import asdict, is_dataclass

    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
