"""Prints a call as it happens, from its workflow's snapshot."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.markup import escape
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError

from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallResult, CallSnapshot, TurnRecord

EVERY_S = 0.4


async def follow(
    handle: WorkflowHandle[CallWorkflow, CallResult], console: Console, *, longest_s: float
) -> CallResult:
    """Print each turn once it is recorded; return the workflow's result. Raises TimeoutError."""
    result = asyncio.ensure_future(handle.result())
    printed = 0
    status = ""
    try:
        async with asyncio.timeout(longest_s):
            while not result.done():
                try:
                    snapshot = await handle.query(CallWorkflow.snapshot)
                except (RPCError, WorkflowQueryFailedError):
                    snapshot = None  # no worker has the call yet
                if snapshot is not None:
                    status = _print_status(snapshot, status, console)
                    printed = _print_turns(snapshot.turns, printed, console)
                await asyncio.wait({result}, timeout=EVERY_S)
            call = result.result()
    finally:
        result.cancel()
    _print_turns(call.turns, printed, console)
    return call


def _print_status(snapshot: CallSnapshot, before: str, console: Console) -> str:
    if snapshot.carrier_status and snapshot.carrier_status != before:
        console.print(f"[dim]carrier: {snapshot.carrier_status}[/]", highlight=False)
    return snapshot.carrier_status


def _print_turns(turns: list[TurnRecord], printed: int, console: Console) -> int:
    for turn in turns[printed:]:
        if turn.caller_words:
            console.print("[bold cyan]caller[/]", escape(turn.caller_words), highlight=False)
        notes = [turn.stage]
        if turn.move:
            notes.append(turn.move)
        if turn.interrupted:
            notes.append("interrupted")
        if turn.refusal:
            notes.append(f"refused: {turn.refusal}")
        gap = turn.timings.first_audio_sent
        if turn.caller_words and gap is not None:
            notes.append(f"{gap} ms")
        console.print("[bold green]agent [/]", escape(turn.heard_words), highlight=False)
        console.print(f"       [dim]{escape(' · '.join(notes))}[/]", highlight=False)
    return len(turns)
