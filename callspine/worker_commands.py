"""`callspine worker`: run a worker, choose the build that new calls go to, see which builds still have calls."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from callspine.connect import connect
from callspine.settings import Settings, load_settings
from callspine.versions import promote as promote_build
from callspine.versions import versions as known_versions

app = typer.Typer(invoke_without_command=True)


@app.callback()
def worker(context: typer.Context) -> None:
    """Run a worker: the calls' workflows and their activities. With a command: look after the workers' builds."""
    if context.invoked_subcommand is not None:
        return
    from callspine import worker as root
    from callspine.logs import configure

    configure("worker")
    asyncio.run(root.serve(load_settings()))


@app.command()
def promote(
    build_id: Annotated[str, typer.Argument(help="CALLSPINE_WORKER_BUILD_ID of a running worker.")],
) -> None:
    """Let new calls go to this build; running ones stay on theirs."""
    asyncio.run(_promote(load_settings(), build_id))


async def _promote(settings: Settings, build_id: str) -> None:
    await promote_build(await connect(settings), build_id)
    Console().print(f"new calls go to build {build_id}", highlight=False, markup=False)


@app.command()
def versions() -> None:
    """List the builds, newest first, and how many calls still run on each."""
    asyncio.run(_versions(load_settings()))


async def _versions(settings: Settings) -> None:
    table = Table("build", "status", "running calls", "drainage checked", box=box.SIMPLE)
    for one in await known_versions(await connect(settings)):
        checked = one.status_checked_at if one.status in ("draining", "drained") else None
        table.add_row(
            one.build_id,
            one.status,
            str(one.running_calls),
            f"{checked:%m-%d %H:%M:%S}" if checked else "",
        )
    Console().print(table)
