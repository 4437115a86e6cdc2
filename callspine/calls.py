"""`callspine call`: place a call; its other commands are a module each."""

from __future__ import annotations

import asyncio
import re
import uuid
from typing import Annotated

import typer
from rich.console import Console

from callspine.call_list import list_
from callspine.call_page import show
from callspine.connect import connect
from callspine.follow import follow
from callspine.privacy.forget import forget
from callspine.replay import replay
from callspine.scripts import read_script
from callspine.settings import Settings, SettingsError, load_settings
from callspine.supervise import supervise
from callspine.telephone import e164
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallInput, call_workflow_id
from workflows.starter import start_call

app = typer.Typer(no_args_is_help=True, help="Place, inspect and supervise calls.")
app.command(name="list")(list_)
app.command()(show)
app.command()(supervise)
app.command()(replay)
app.command()(forget)


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
