"""A history says which turns came, and whether their stream still had the call."""

from __future__ import annotations

import json

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from chaos.evidence import WallClock, turns_of


def payloads(**fields: object) -> Payloads:
    return Payloads(payloads=[Payload(data=json.dumps(fields).encode())])


def turn(epoch: int, seq: int) -> HistoryEvent:
    event = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED)
    event.event_time.FromMilliseconds(5000)
    attributes = event.workflow_execution_signaled_event_attributes
    attributes.signal_name = "turn_completed"
    attributes.input.CopyFrom(payloads(epoch=epoch, seq=seq, kind="reply"))
    return event


def attach(epoch: int) -> tuple[HistoryEvent, HistoryEvent]:
    accepted = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)
    attributes = accepted.workflow_execution_update_accepted_event_attributes
    attributes.protocol_instance_id = f"u{epoch}"
    attributes.accepted_request.input.name = "attach"
    done = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED)
    completed = done.workflow_execution_update_completed_event_attributes
    completed.meta.update_id = f"u{epoch}"
    completed.outcome.success.CopyFrom(payloads(epoch=epoch))
    return accepted, done


def test_a_turn_is_stale_once_another_stream_has_the_call() -> None:
    events = [*attach(1), turn(1, 1), *attach(2), turn(1, 2), turn(2, 2)]
    told = turns_of(events, WallClock(wall_less_monotonic_s=2.0))
    assert [(at_s, said["epoch"], is_stale) for at_s, said, is_stale in told] == [
        (3.0, 1, False),
        (3.0, 1, True),
        (3.0, 2, False),
    ]
