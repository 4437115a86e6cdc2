"""Prints a call as it happens, from its workflow's snapshot."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError

from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallResult, CallSnapshot, TurnRecord

EVERY_S = 0.4


@dataclass
class Printed:
    """How much of a call is on the terminal."""

    status: str = ""
    begun: int = 0
    over: int = 0


async def follow(
    handle: WorkflowHandle[CallWorkflow, CallResult], console: Console, *, longest_s: float
) -> CallResult:
    """Print each turn as its answer begins to be heard; return the workflow's result. Raises TimeoutError."""
    result = asyncio.ensure_future(handle.result())
    printed = Printed()
    try:
        async with asyncio.timeout(longest_s):
            while not result.done():
                try:
                    snapshot = await handle.query(CallWorkflow.snapshot)
                except (RPCError, WorkflowQueryFailedError):
                    snapshot = None  # no worker has the call yet
                if snapshot is not None:
                    _print_status(snapshot, printed, console)
                    print_turns(snapshot.turns, printed, console)
                await asyncio.wait({result}, timeout=EVERY_S)
            call = result.result()
    finally:
        result.cancel()
    print_turns(call.turns, printed, console)
    return call


def _print_status(snapshot: CallSnapshot, printed: Printed, console: Console) -> None:
    if snapshot.carrier_status and snapshot.carrier_status != printed.status:
        console.print(f"[dim]carrier: {snapshot.carrier_status}[/]", highlight=False)
        printed.status = snapshot.carrier_status


def print_turns(turns: list[TurnRecord], printed: Printed, console: Console) -> None:
    """A turn when its answer begins; once it is over, what was really heard where that is something else."""
    for turn in turns[printed.over :]:
        if turn.seq > printed.begun:
            _print_begun(turn, console)
            printed.begun = turn.seq
        if turn.is_over:
            _print_over(turn, console)
            printed.over = turn.seq


def _print_begun(turn: TurnRecord, console: Console) -> None:
    if turn.caller_words:
        console.print("[bold cyan]caller[/]", escape(turn.caller_words), highlight=False)
    if not turn.saying:
        return
    notes = [turn.stage]
    if turn.move:
        notes.append(turn.move)
    if turn.refusal:
        notes.append(f"refused: {turn.refusal}")
    gap = turn.timings.first_audio_sent
    if turn.caller_words and gap is not None:
        notes.append(f"{gap} ms")
    console.print("[bold green]agent [/]", escape(turn.saying), highlight=False)
    console.print(f"       [dim]{escape(' · '.join(notes))}[/]", highlight=False)


def _print_over(turn: TurnRecord, console: Console) -> None:
    if turn.heard_words != turn.saying and turn.saying:
        what = "interrupted, heard" if turn.interrupted else "heard"
        console.print(f"       [dim]{what}: {escape(turn.heard_words)}[/]", highlight=False)
