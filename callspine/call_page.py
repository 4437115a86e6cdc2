"""`callspine call show`: a call on one page, for a person; as JSON for a program."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callspine.call_errors import ANSWER_WITHIN, about_call
from callspine.connect import connect
from callspine.settings import Settings, load_settings
from workflows import search_attributes as keys
from workflows.call import CallWorkflow
from workflows.contracts.payloads import (
    CallRecording,
    CallSnapshot,
    TurnRecord,
    call_workflow_id,
)
from workflows.transcript import agent_words, last_answer_ms


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What Temporal knows of a call from outside."""

    summary: str
    status: str
    began: datetime
    ended: datetime | None
    attempt: int


def show(
    call_id: Annotated[str, typer.Argument(help="A call, running or finished.")],
    as_json: Annotated[bool, typer.Option("--json", help="All of it, for a program.")] = False,
) -> None:
    """Show a call as its workflow has it: where it stands, what was said, what went wrong."""
    snapshot, execution = asyncio.run(look(load_settings(), call_id))
    if as_json:
        Console().print_json(data=asdict(snapshot))
    else:
        print_page(snapshot, execution, Console())


async def look(settings: Settings, call_id: str) -> tuple[CallSnapshot, Execution]:
    """Ask the call. Raises SettingsError when there is none, or nobody can answer for it."""
    client = await connect(settings)
    handle = client.get_workflow_handle_for(CallWorkflow.run, call_workflow_id(call_id))
    async with about_call(client, call_id):
        description = await handle.describe(rpc_timeout=ANSWER_WITHIN)
        snapshot = await handle.query(CallWorkflow.snapshot, rpc_timeout=ANSWER_WITHIN)
        return snapshot, Execution(
            summary=await description.static_summary() or "",
            status=description.status.name.lower() if description.status else "",
            began=description.start_time,
            ended=description.close_time,
            attempt=description.typed_search_attributes.get(keys.ATTEMPT, 1),
        )


def print_page(call: CallSnapshot, execution: Execution, console: Console) -> None:
    """A person's view. Words that were spoken are no markup."""
    console.print(Text(f"call {call.call_id}", style="bold"), Text(_summary(call, execution)))
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, text in _facts(call, execution):
        facts.add_row(name, Text(text))
    console.print(facts)
    for turn in call.turns:
        console.print()
        _print_turn(turn, console)


def _summary(call: CallSnapshot, execution: Execution) -> str:
    parts = [execution.summary or call.script_id, f"attempt {execution.attempt}"]
    if call.needs_review:
        parts.append("needs review")
    return " · ".join(parts)


def _facts(call: CallSnapshot, execution: Execution) -> Iterator[tuple[str, str]]:
    state = call.state
    yield "began", _times(execution)
    yield "stage", f"{state.stage} · {state.outcome}" if state.outcome else state.stage
    carrier = [call.carrier_status or "has not spoken yet", call.call_sid]
    if call.answered_by:
        carrier.append(f"answered by {call.answered_by}")
    yield "carrier", " · ".join(part for part in carrier if part)
    if (recording := call.recording) is not None:
        yield "recording", " · ".join(_recording(recording))
    if call.epoch:
        resumed = f" · taken up again {_times_over(call.resumes)}" if call.resumes else ""
        yield "gateway", f"{call.gateway_id or 'unknown'} · stream {call.epoch}{resumed}"
    yield "slots", _listed(state.slots)
    if state.objections:
        counted = ((name, _times_over(count)) for name, count in state.objections.items())
        yield "objections", _listed(dict(counted), " ")
    if call.appointment_at:
        yield "appointment", call.appointment_at
    if state.call_back_when:
        yield "call back", state.call_back_when
    if state.transfer_to:
        yield "connected to", state.transfer_to
    if state.refused:
        yield "refused", f"{state.refused} of {state.turns} moves"
    if call.ignored_signals:
        yield "ignored", _listed(call.ignored, " ") or str(call.ignored_signals)
    if (last_ms := last_answer_ms(call.turns)) is not None:
        yield "last answer", f"{last_ms} ms after the caller's last sound"


def _times(execution: Execution) -> str:
    began = f"{execution.began.astimezone():%Y-%m-%d %H:%M:%S}"
    if execution.ended is None:
        return f"{began} · {execution.status}"
    took_s = (execution.ended - execution.began).total_seconds()
    return f"{began} · {execution.status} after {took_s:.0f} s"


def _recording(recording: CallRecording) -> Iterator[str]:
    if recording.recording_sid:
        yield recording.status or "begun"
        yield recording.recording_sid
    if recording.duration_s is not None:
        yield f"{recording.duration_s} s"
    if recording.withdrawn:
        yield "stopped for the caller"
    if recording.failure:
        yield recording.failure


def _print_turn(turn: TurnRecord, console: Console) -> None:
    title = f"{turn.seq:>3}  {turn.move or turn.kind} → {turn.stage}"
    gap_ms = turn.timings.first_audio_sent
    if turn.caller_words and gap_ms is not None:
        title += f" · {gap_ms} ms"
    console.print(Text(title, style="dim"))
    lines = Table.grid(padding=(0, 1))
    lines.add_column(no_wrap=True, min_width=13, justify="right")
    lines.add_column(overflow="fold")
    if turn.caller_words:
        lines.add_row(Text("caller", style="bold cyan"), Text(turn.caller_words))
    if words := agent_words(turn):
        lines.add_row(Text("agent", style="bold green"), Text(words + _how_far(turn)))
    if turn.objection:
        lines.add_row(Text("objection", style="dim"), Text(turn.objection))
    if turn.refusal:
        proposed = f" ({_listed(turn.refused_slots)})" if turn.refused_slots else ""
        lines.add_row(Text("refused", style="red"), Text(f"{turn.refusal}{proposed}"))
    if turn.rejected_slots:
        lines.add_row(Text("rejected", style="red"), Text(_listed(turn.rejected_slots, ": ")))
    if lines.row_count:
        console.print(lines)


def _how_far(turn: TurnRecord) -> str:
    if not turn.is_over:
        return " … [began; what was heard was not told]"
    return " … [interrupted]" if turn.interrupted else ""


def _listed(values: Mapping[str, object], between: str = " = ") -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items()) or "none"


def _times_over(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
