"""`callspine call replay`: where a call's messages come from, whether what they decide is what was recorded, and what to say."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import ParseError
from rich.console import Console
from temporalio.client import Client, WorkflowHistory

from callspine.call_errors import ANSWER_WITHIN, about_call
from callspine.call_history import UNREADABLE, RecordedCall, read_call
from callspine.connect import connect, data_converter
from callspine.privacy.codec import CodecError
from callspine.privacy.word_threads import WordStoreAway
from callspine.retold import print_decisions, print_side_by_side
from callspine.scripts import read_script
from callspine.settings import Settings, SettingsError, load_settings
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallResult, CallSnapshot, call_workflow_id
from workflows.retelling import Retelling, retell
from workflows.script.parse import ScriptError, parse_script
from workflows.telling_apart import differences, report_opts_out, side_by_side

LOOKS = 3
"""A call that goes on between reading its history and asking it is read again, so often."""


@dataclass(frozen=True, kw_only=True)
class Retold:
    """A call told again, beside its record."""

    call: RecordedCall
    told: Retelling
    recorded: CallResult | CallSnapshot | None
    """None: it has no result, and there is no server to ask."""

    @property
    def differences(self) -> list[str]:
        """Empty: equal, or nothing to compare with."""
        return [] if self.recorded is None else differences(self.told, self.recorded)

    @property
    def beside_the_turns(self) -> list[str]:
        """What lasts though no turn decided it."""
        lasting = []
        if self.told.is_opt_out_late:
            lasting.append("lasting do not call again: told by a message that became no turn")
        if report_opts_out(self.recorded) and not self.told.wants_no_calls:
            lasting.append("lasting do not call again: found by the report on the call")
        return lasting


def replay(
    call_id: Annotated[
        str, typer.Argument(help="A call, finished or running; may be left out with --history.")
    ] = "",
    script: Annotated[
        Path | None, typer.Option(help="Another script, or another version: what would differ?")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help="Read this exported history (JSON); needs no server.")
    ] = None,
) -> None:
    """Make every decision of a call again from its history. Exit status 1 if one is not what was recorded."""
    if not call_id and history is None:
        raise SettingsError("which call? Give its id, or --history FILE")
    other = read_script(script) if script else None
    settings = load_settings()
    retold = asyncio.run(
        retold_from_file(settings, history, call_id) if history else _ask(settings, call_id)
    )
    console = Console()
    if other is None or script is None:
        print_decisions(retold.call.call, retold.told, console)
    else:
        would = retell(retold.call.story, other)
        print_side_by_side(retold.told, would, side_by_side(retold.told, would), script, console)
    for line in retold.beside_the_turns:
        console.print(f"\n{line}", highlight=False)
    if found := retold.differences:
        console.print("\n[red]NOT what the workflow recorded:[/]", highlight=False)
        for line in found:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1)
    if retold.recorded is not None:
        console.print(f"\nEqual to what the workflow recorded: {_what(retold)}.", highlight=False)
    elif other is None:
        raise SettingsError(
            "not compared: this history has no result. Give the call's id and no --history: "
            "its workflow can be asked"
        )


def _what(retold: Retold) -> str:
    kind = "its result" if isinstance(retold.recorded, CallResult) else "its snapshot"
    return f"{kind}, {len(retold.told.decisions)} turns"


async def retold_from_file(settings: Settings, path: Path, call_id: str) -> Retold:
    """Tell an exported history again; with an id, only that call's. Raises SettingsError naming the file and the remedy."""
    try:
        text = await asyncio.to_thread(path.read_text, encoding="utf-8")
        history = WorkflowHistory.from_json(call_workflow_id(call_id), text)
        call = await read_call(history, data_converter(settings))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (CodecError, WordStoreAway) as error:
        raise SettingsError(f"{path}: {error}") from None
    except (ParseError, AttributeError, *UNREADABLE) as error:
        raise SettingsError(
            f"{path} is not the history of a call ({error}): export one with "
            "`temporal workflow show --workflow-id call/ID --output json`"
        ) from None
    if call_id and call.call.call_id != call_id:
        raise SettingsError(f"{path} is the history of call {call.call.call_id!r}, not {call_id!r}")
    return Retold(call=call, told=_told(call), recorded=call.result)


async def _ask(settings: Settings, call_id: str) -> Retold:
    client = await connect(settings)
    async with about_call(client, call_id):
        retold = await _look(client, call_id)
        for _ in range(LOOKS - 1):
            if isinstance(retold.recorded, CallSnapshot) and retold.differences:
                retold = await _look(client, call_id)
        return retold


async def _look(client: Client, call_id: str) -> Retold:
    handle = client.get_workflow_handle_for(CallWorkflow.run, call_workflow_id(call_id))
    history = await handle.fetch_history(rpc_timeout=ANSWER_WITHIN)
    try:
        call = await read_call(history, client.data_converter)
    except UNREADABLE as error:
        raise SettingsError(f"call {call_id!r}: its history cannot be read: {error}") from None
    told = _told(call)
    if call.result is not None:
        return Retold(call=call, told=told, recorded=call.result)
    snapshot = await handle.query(CallWorkflow.snapshot, rpc_timeout=ANSWER_WITHIN)
    return Retold(call=call, told=told, recorded=snapshot)


def _told(call: RecordedCall) -> Retelling:
    if not call.script_yaml:
        reason = call.why_no_script or "it has not loaded it yet"
        raise SettingsError(f"call {call.call.call_id!r} has no script to run: {reason}")
    try:
        script = parse_script(call.script_yaml, name=call.call.script_id)
    except ScriptError as error:
        raise SettingsError(
            "this version of callspine refuses the script that the call ran: use the version that "
            f"made the call\n{error}"
        ) from None
    return retell(call.story, script)
