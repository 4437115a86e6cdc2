"""Reads a call out of its Temporal history: which messages its workflow took, in which order, and what it recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowExecutionSignaledEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
)
from temporalio.client import WorkflowHistory
from temporalio.common import RawValue
from temporalio.converter import DataConverter

from callspine.messages_in_history import MessagesInHistory
from callspine.orders_in_history import FOR_ORDERS_ONLY, OrdersInHistory
from workflows.contracts import activities as contract
from workflows.contracts.activities import Callee, LoadedScript
from workflows.contracts.payloads import (
    Attached,
    CallInput,
    CallResult,
    Directive,
    DirectiveDone,
    MediaLost,
    SuperviseAnswer,
    SuperviseRequest,
    TurnCompleted,
)
from workflows.retelling import CallStory

T = TypeVar("T")
_SIGNALS: dict[str, type[TurnCompleted] | type[MediaLost]] = {
    "turn_completed": TurnCompleted,
    "media_lost": MediaLost,
}
"""Those that a script hears of."""
UNREADABLE = (TypeError, ValueError, KeyError, RuntimeError)
"""What the converter raises for a payload that is no such value."""
_CARRIER = (contract.END_CALL, contract.CONNECT_PERSON, contract.RECONNECT_CALL)
"""Which may be asked of the carrier for an order."""
_AFTER_THE_CALL = (contract.READ_CALL, contract.WRITE_OUTCOME)
"""Whichever comes first is begun in the moment in which the script is closed."""


@dataclass(frozen=True, kw_only=True)
class RecordedCall:
    """A call as its history has it."""

    call: CallInput
    script_yaml: str
    """The text that the call ran; empty for a call that never had a script."""
    story: CallStory
    result: CallResult | None
    """None for a call that has not ended, or not by itself."""
    why_no_script: str = ""


async def read_call(history: WorkflowHistory, converter: DataConverter) -> RecordedCall:
    """Read a history. Raises CodecError or WordStoreAway when its words cannot be had, UNREADABLE for no call's history."""
    reading = _Reading(converter)
    for event in history.events:
        await reading.take(event)
    return reading.done()


class _Reading:
    """What was read so far."""

    def __init__(self, converter: DataConverter) -> None:
        self._converter = converter
        self._call: CallInput | None = None
        self._script: LoadedScript | None = None
        self._callee: Callee | None = None
        self._now: datetime | None = None
        """The workflow's clock in its newest task."""
        self._today = ""
        """The date that the workflow took: the callee's, or for want of it its clock's."""
        self._result: CallResult | None = None
        self._why_no_script = ""
        self._messages = MessagesInHistory()
        self._activities: dict[int, str] = {}
        """Names by the event that scheduled them."""
        self._updates: dict[str, str] = {}
        """Names by their ids."""
        self._resolved: set[str] = set()
        self._takes_turns = False
        """The script is loaded, and the workflow knows it."""
        self._orders = OrdersInHistory()

    def done(self) -> RecordedCall:
        """All of it."""
        if self._call is None:
            raise ValueError("it does not begin with the start of a call")
        callee_facts = self._callee.facts if self._callee else {}
        return RecordedCall(
            call=self._call,
            script_yaml=self._script.yaml if self._script else "",
            story=CallStory(
                today=self._today,
                facts={**callee_facts, **self._call.facts},
                messages=self._messages.all,
            ),
            result=self._result,
            why_no_script=self._why_no_script,
        )

    async def take(self, event: HistoryEvent) -> None:
        """The next event."""
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                if started.workflow_type.name == "CallWorkflow":
                    self._call = await self._one(started.input.payloads, CallInput)
            case "workflow_execution_signaled_event_attributes":
                await self._signal(event.workflow_execution_signaled_event_attributes)
            case "workflow_execution_update_accepted_event_attributes":
                accepted = event.workflow_execution_update_accepted_event_attributes
                asked = accepted.accepted_request.input
                update_id = accepted.accepted_request.meta.update_id
                self._updates[update_id] = asked.name
                if asked.name == "supervise":
                    request = await self._one(asked.args.payloads, SuperviseRequest)
                    self._orders.asked(update_id, request)
            case "workflow_execution_update_completed_event_attributes":
                await self._update_done(event.workflow_execution_update_completed_event_attributes)
            case "workflow_task_started_event_attributes":
                self._now = event.event_time.ToDatetime(tzinfo=UTC)
            case "workflow_task_completed_event_attributes":
                self._task_done()
            case "workflow_execution_completed_event_attributes":
                completed = event.workflow_execution_completed_event_attributes
                self._result = await self._one(completed.result.payloads, CallResult)
            case _:
                await self._activity(event)

    def _task_done(self) -> None:
        needed = {contract.LOAD_SCRIPT, contract.LOOK_UP_CALLEE}
        self._takes_turns = self._script is not None and needed <= self._resolved
        if not self._today and contract.LOOK_UP_CALLEE in self._resolved:
            clock = self._now.date().isoformat() if self._now else ""
            self._today = self._callee.today if self._callee else clock

    async def _signal(self, signal: WorkflowExecutionSignaledEventAttributes) -> None:
        kind = _SIGNALS.get(signal.signal_name)
        if kind is None or not self._takes_turns:
            return
        try:
            self._messages.told(await self._one(signal.input.payloads, kind))
        except UNREADABLE:
            return  # no such message: the workflow dropped it, too

    async def _update_done(self, done: WorkflowExecutionUpdateCompletedEventAttributes) -> None:
        name = self._updates.get(done.meta.update_id, "")
        if not done.outcome.HasField("success"):
            return
        answer = done.outcome.success.payloads
        if name == "attach":
            self._messages.attached((await self._one(answer, Attached)).epoch)
        elif name == "supervise":
            told = await self._one(answer, SuperviseAnswer)
            self._messages.carried_out(self._orders.answered(done.meta.update_id, told))

    async def _activity(self, event: HistoryEvent) -> None:
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                name = scheduled.activity_type.name
                self._activities[event.event_id] = name
                await self._begun(event.event_id, name, scheduled.input.payloads)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                await self._answered(completed.scheduled_event_id, completed.result.payloads)
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                await self._failed(failed.scheduled_event_id, failed.failure)
            case "activity_task_timed_out_event_attributes":
                late = event.activity_task_timed_out_event_attributes
                await self._failed(late.scheduled_event_id, late.failure)
            case "activity_task_cancel_requested_event_attributes":
                cancelled = event.activity_task_cancel_requested_event_attributes
                if self._activities.get(cancelled.scheduled_event_id) in FOR_ORDERS_ONLY:
                    self._orders.call_is_over()
            case _:
                pass  # timers, search attributes, tasks: nothing that decides

    async def _begun(self, event_id: int, name: str, given: Sequence[Payload]) -> None:
        if name == contract.CARRY_OUT_DIRECTIVE:
            self._orders.told(event_id, await self._one(given, Directive))
        elif name in _CARRIER:
            was_attached = self._messages.was_attached
            done = self._orders.carrier_asked(event_id, name, was_attached=was_attached)
            self._messages.carried_out(done)
        elif name in _AFTER_THE_CALL and self._messages.line_gone():
            self._orders.call_is_over()

    async def _answered(self, event_id: int, result: Sequence[Payload]) -> None:
        name = self._activities.get(event_id, "")
        self._resolved.add(name)
        self._orders.done_with(event_id)
        if name == contract.LOAD_SCRIPT:
            self._script = await self._one(result, LoadedScript)
        elif name == contract.LOOK_UP_CALLEE:
            self._callee = await self._one(result, Callee)
        elif name == contract.CARRY_OUT_DIRECTIVE:
            self._orders.gateway_answered(event_id, await self._one(result, DirectiveDone))

    async def _failed(self, event_id: int, failure: Failure) -> None:
        name = self._activities.get(event_id, "")
        self._resolved.add(name)
        self._orders.done_with(event_id)
        if name == contract.LOAD_SCRIPT:
            self._why_no_script = str(await self._converter.decode_failure(failure))
        elif name == contract.CARRY_OUT_DIRECTIVE:
            self._orders.gateway_answered(event_id, None)

    async def _one(self, payloads: Sequence[Payload], kind: type[T]) -> T:
        """The one value of a message. What cannot be decrypted or fetched and what is no such value are errors apart."""
        if len(payloads) != 1:
            raise ValueError(f"{len(payloads)} values where one {kind.__name__} was expected")
        [raw] = await self._converter.decode(payloads, [RawValue])
        value: T
        [value] = self._converter.payload_converter.from_payloads([raw.payload], [kind])
        return value
