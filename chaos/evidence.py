"""Reads one call's evidence: the carrier's witness and recording, and the workflow's result and history."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle

from chaos.seen import (
    AgentLine,
    CallerUtterance,
    CallSeen,
    MediaStreamSeen,
    RecordedTurn,
    TurnSignal,
)
from rehearsal.evidence.line import Span, sounds_of
from rehearsal.evidence.wire import Wire, WireEvent, read_wire
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallResult


@dataclass(frozen=True, kw_only=True)
class WallClock:
    """How the machine's wall clock, which the history uses, lies to its monotonic one, which the wire uses."""

    wall_less_monotonic_s: float

    def monotonic_s(self, event: HistoryEvent) -> float:
        """When the server wrote an event."""
        return event.event_time.ToNanoseconds() / 1e9 - self.wall_less_monotonic_s


Told = tuple[float, dict[str, Any], bool]
"""Of a turn: the monotonic time in s, the message, and whether its stream had been taken over by then."""


async def seen(
    call_id: str,
    handle: WorkflowHandle[CallWorkflow, CallResult],
    result: CallResult | None,
    carrier_calls: list[dict[str, str]],
    clock: WallClock,
) -> CallSeen:
    """Everything there is about a call. Missing evidence is left out, never made up."""
    status = (await handle.describe()).status
    told = turns_of([event async for event in handle.fetch_history_events()], clock)
    common: dict[str, Any] = {
        "call_id": call_id,
        "outcome": result.outcome.value if result else "",
        "slots": dict(result.slots) if result else {},
        "workflow_status": status.name if status else "",
        "carrier_calls": len(carrier_calls),
    }
    folder = Path(carrier_calls[0]["folder"]) if carrier_calls else None
    if folder is None or not (folder / "call.wav").exists():
        return CallSeen(**common, is_over_at_carrier=not carrier_calls)
    wire = read_wire(folder)
    answered_s = float(wire.of_kind("answered")[0].fields["at_s"])
    signals = [
        TurnSignal(
            at_ms=(at_s - answered_s) * 1000,
            epoch=int(turn["epoch"]),
            seq=int(turn["seq"]),
            kind=str(turn["kind"]),
            caller_words=str(turn.get("caller_words", "")),
            is_stale=is_stale,
        )
        for at_s, turn, is_stale in told
    ]
    return CallSeen(
        **common,
        answered_at_s=answered_s,
        ended_ms=wire.duration_ms,
        statuses=tuple(str(event.fields["status"]) for event in wire.of_kind("status")),
        lines=tuple(_line(event) for event in wire.of_kind("understood")),
        said=tuple(_said(wire)),
        streams=tuple(_streams(wire)),
        agent_sounds=tuple(sounds_of(wire.agent)),
        latest_tick_ms=float(wire.of_kind("recorded")[0].fields["latest_tick_ms"]),
        troubles=tuple(_troubles(wire)),
        signals=tuple(signals),
        turns=tuple(_recorded(result, signals)) if result else (),
    )


def _line(event: WireEvent) -> AgentLine:
    fields = event.fields
    span = Span(start_ms=int(fields["began_ms"]), end_ms=int(fields["ended_ms"]))
    return AgentLine(
        phrase=str(fields["phrase"]),
        words=str(fields["words"]),
        span=span,
        stalled_ms=int(fields["stalled_ms"]),
    )


def _said(wire: Wire) -> Iterable[CallerUtterance]:
    """The witness knows the words, the recording to the frame when they sounded."""
    events = wire.of_kind("caller_says")
    began_ms = [*(event.t_ms or 0.0 for event in events), float("inf")]
    sounds = sounds_of(wire.caller)
    for event, (start_ms, next_ms) in zip(events, pairwise(began_ms), strict=True):
        own = [s for s in sounds if start_ms - 100 <= s.start_ms < next_ms - 100]
        if own:
            span = Span(start_ms=own[0].start_ms, end_ms=own[-1].end_ms)
            yield CallerUtterance(words=str(event.fields["words"]), span=span)


def _streams(wire: Wire) -> Iterable[MediaStreamSeen]:
    began_ms: float | None = None
    is_broken = False
    for event in wire.events:
        match event.kind:
            case "stream_started":
                began_ms, is_broken = event.t_ms or 0.0, False
            case "socket_broken":
                is_broken = True
            case "stream_stopped" if began_ms is not None:
                yield MediaStreamSeen(
                    began_ms=began_ms, ended_ms=event.t_ms or 0.0, is_broken=is_broken
                )
                began_ms = None
            case _:
                pass
    if began_ms is not None:
        yield MediaStreamSeen(began_ms=began_ms, ended_ms=wire.duration_ms, is_broken=is_broken)


def _troubles(wire: Wire) -> Iterable[str]:
    for event in wire.events:
        if event.kind == "twiml_failed":
            yield f"no TwiML: {event.fields['error']}"
        elif event.kind == "stream_error":
            yield f"no stream: {event.fields['error']}"
        elif event.kind == "caller_hangs_up":
            yield f"the caller hung up: {event.fields['reason']}"


def turns_of(events: Iterable[HistoryEvent], clock: WallClock) -> list[Told]:
    """What gateways told of turns, in the order in which the workflow saw it."""
    told: list[Told] = []
    epoch = 0
    attaching: set[str] = set()
    for event in events:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signal = event.workflow_execution_signaled_event_attributes
                if signal.signal_name == "turn_completed":
                    turn = _json(signal.input)
                    told.append((clock.monotonic_s(event), turn, int(turn["epoch"]) < epoch))
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                accepted = event.workflow_execution_update_accepted_event_attributes
                if accepted.accepted_request.input.name == "attach":
                    attaching.add(accepted.protocol_instance_id)
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
                completed = event.workflow_execution_update_completed_event_attributes
                if completed.meta.update_id in attaching and completed.outcome.HasField("success"):
                    epoch = int(_json(completed.outcome.success)["epoch"])
            case _:
                pass
    return told


def _recorded(result: CallResult, signals: list[TurnSignal]) -> Iterable[RecordedTurn]:
    for turn in result.turns:
        same = [
            signal
            for signal in signals
            if (signal.seq, signal.kind, signal.caller_words)
            == (turn.seq, turn.kind.value, turn.caller_words)
        ]
        yield RecordedTurn(
            seq=turn.seq,
            kind=turn.kind.value,
            stage=turn.stage,
            caller_words=turn.caller_words,
            at_ms=same[0].at_ms if same else None,
            is_stale=bool(same) and all(signal.is_stale for signal in same),
        )


def _json(payloads: Payloads) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(payloads.payloads[0].data)
    return found
