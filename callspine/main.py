"""The command line: `callspine`. A wrong setting or input is one clear message and exit status 2, never a trace."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, NoReturn

os.environ.setdefault("BAML_LOG", "off")

import typer
from rich.console import Console

from callspine import (
    codec_commands,
    endpointing_commands,
    knowledge_commands,
    router_commands,
    script_commands,
    turns_commands,
)
from callspine.settings import SettingsError, load_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(script_commands.app, name="script")
app.add_typer(codec_commands.app, name="codec")
app.add_typer(turns_commands.app, name="turns")
app.add_typer(endpointing_commands.app, name="endpointing")
app.add_typer(knowledge_commands.app, name="knowledge")
app.add_typer(router_commands.app, name="router")


def _add_what_needs_temporal() -> None:
    from callspine import calls, worker_commands

    app.add_typer(calls.app, name="call")
    app.add_typer(worker_commands.app, name="worker")


_add_what_needs_temporal()


@app.command()
def gateway() -> None:
    """Run a media gateway."""
    from callspine import gateway as root
    from callspine.logs import configure

    configure("gateway")
    root.run(load_settings())


@app.command()
def up() -> None:
    """Start the whole system on this machine; Ctrl-C stops it."""
    from callspine.up import up as start

    with _failures_told():
        asyncio.run(start(load_settings(), _console()))


@app.command()
def demo(
    fault: Annotated[
        str,
        typer.Option(help="Break the call on purpose: no-clear, unheard-disclosure, lost-turn."),
    ] = "",
) -> None:
    """Place one sales call end to end on the stand-ins and leave the evidence in out/."""
    from callspine.demo import demo as place

    with _failures_told():
        sys.exit(asyncio.run(place(load_settings(), _console(), fault=fault)))


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Check keys, vendors, Temporal, public URL, stores and ports; status 1 when something needed fails."""
    from callspine.doctor.visit import show, visit
    from callspine.logs import configure
    from callspine.running import settings_of_what_runs

    configure("doctor", level=logging.CRITICAL)  # the table says it, once
    findings = asyncio.run(visit(settings_of_what_runs(load_settings())))
    sys.exit(0 if show(findings, _console(), as_json=as_json) else 1)


def _console() -> Console:
    """As wide as the terminal; wide enough for the tables where there is none."""
    return Console() if sys.stdout.isatty() else Console(width=130)


@contextmanager
def _failures_told() -> Iterator[None]:
    from callspine.supervisor import ProcessFailed

    try:
        yield
    except ProcessFailed as error:
        Console(stderr=True).print(f"[red]{error}[/]", highlight=False)
        sys.exit(1)


def main() -> NoReturn:
    """Entry point."""
    leave(_run())


def _run() -> int:
    """The exit status."""
    try:
        app()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else int(done.code is not None)
    except asyncio.CancelledError:
        return 143  # SIGTERM, after everything was stopped
    except SettingsError as error:
        Console(stderr=True).print(
            f"callspine: {error}", style="red", highlight=False, markup=False
        )
        return 2
    return 0


def leave(status: int) -> NoReturn:
    """End the process without taking the interpreter apart.

    A thread of the Temporal SDK may still be on its way back from the last answer; taken apart under it, Python aborts
    (temporalio/sdk-python issue 300), and an order that was carried out would end with status 134.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # whoever read it is gone
            stream.flush()
    os._exit(status)
