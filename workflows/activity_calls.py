"""Every activity that a call uses, with its queue, its deadline and its retries, in one place."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow
from temporalio.common import Priority

from workflows import policies
from workflows.contracts import activities as contract
from workflows.contracts.activities import (
    Callee,
    ConnectPerson,
    DoNotCall,
    EndCarrierCall,
    EndedCall,
    FindCall,
    FoundCall,
    LoadedScript,
    LoadScript,
    LookUpCallee,
    PlaceCall,
    PlacedCall,
    ReadTranscript,
    ReconnectCall,
    StartedRecording,
    StartRecording,
    StopRecording,
    WriteOutcome,
)
from workflows.contracts.payloads import (
    ACTIVITIES_TASK_QUEUE,
    DIAL_TASK_QUEUE,
    CallInput,
    CallResult,
    Direction,
    Directive,
    DirectiveDone,
    PostCall,
    gateway_task_queue,
)
from workflows.script.model import Outcome
from workflows.script.state import ScriptState


def other_party(call: CallInput) -> str:
    """The number of the person at the other end."""
    return call.to if call.direction is Direction.OUTBOUND else call.from_


async def load_script(call: CallInput) -> LoadedScript:
    """Raises ActivityError (SCRIPT_REFUSED) for a script that cannot be used."""
    answer: LoadedScript = await workflow.execute_activity(
        contract.LOAD_SCRIPT,
        LoadScript(script_id=call.script_id, script_hash=call.script_hash),
        result_type=LoadedScript,
        task_queue=ACTIVITIES_TASK_QUEUE,
        schedule_to_close_timeout=policies.SCRIPT_WITHIN,
        retry_policy=policies.BRIEF,
        summary=call.script_id,
    )
    return answer


async def look_up_callee(call: CallInput) -> Callee:
    """Raises ActivityError when the CRM does not answer while it could still help."""
    answer: Callee = await workflow.execute_activity(
        contract.LOOK_UP_CALLEE,
        LookUpCallee(phone=other_party(call), time_zone=call.time_zone),
        result_type=Callee,
        task_queue=ACTIVITIES_TASK_QUEUE,
        schedule_to_close_timeout=policies.LOOK_UP_WITHIN,
        retry_policy=policies.BRIEF,
    )
    return answer


async def place_call(call: CallInput) -> PlacedCall:
    """Once. Raises ActivityError: CALL_NOT_PLACED for a certain no, anything else for an unknown."""
    answer: PlacedCall = await workflow.execute_activity(
        contract.PLACE_CALL,
        PlaceCall(
            call_id=call.call_id,
            to=call.to,
            from_=call.from_,
            ring_timeout_s=call.ring_timeout_s,
            longest_call_s=call.longest_call_s,
        ),
        result_type=PlacedCall,
        task_queue=DIAL_TASK_QUEUE,
        start_to_close_timeout=policies.DIAL_WITHIN,
        retry_policy=policies.ONCE,
        # A cancelled workflow has to know whether it has a call to end.
        cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    )
    return answer


async def find_call(call: CallInput, since: datetime) -> FoundCall:
    """The carrier's own list."""
    answer: FoundCall = await workflow.execute_activity(
        contract.FIND_CALL,
        FindCall(to=call.to, from_=call.from_, since=since.isoformat()),
        result_type=FoundCall,
        task_queue=DIAL_TASK_QUEUE,
        start_to_close_timeout=policies.FIND_WITHIN,
        schedule_to_close_timeout=policies.END_CALL_WITHIN,
        retry_policy=policies.STEADY,
    )
    return answer


async def end_call(call_sid: str) -> EndedCall:
    """Make sure that the call is over."""
    answer: EndedCall = await workflow.execute_activity(
        contract.END_CALL,
        EndCarrierCall(call_sid=call_sid),
        result_type=EndedCall,
        task_queue=DIAL_TASK_QUEUE,
        start_to_close_timeout=policies.FIND_WITHIN,
        schedule_to_close_timeout=policies.END_CALL_WITHIN,
        retry_policy=policies.STEADY,
    )
    return answer


async def connect_person(call_sid: str, number: str) -> None:
    """Through the carrier, when no gateway is there to do it politely."""
    await workflow.execute_activity(
        contract.CONNECT_PERSON,
        ConnectPerson(call_sid=call_sid, number=number),
        task_queue=DIAL_TASK_QUEUE,
        start_to_close_timeout=policies.FIND_WITHIN,
        retry_policy=policies.BRIEF,
    )


async def reconnect_call(call_id: str, call_sid: str) -> None:
    """End the stream that there is; the next one begins where the book stands."""
    await workflow.execute_activity(
        contract.RECONNECT_CALL,
        ReconnectCall(call_id=call_id, call_sid=call_sid),
        task_queue=DIAL_TASK_QUEUE,
        start_to_close_timeout=policies.FIND_WITHIN,
        retry_policy=policies.BRIEF,
    )


async def start_recording(call_id: str, call_sid: str) -> str:
    """Record from now on; returns the recording's id. Raises ActivityError when it cannot be had in time."""
    answer: StartedRecording = await workflow.execute_activity(
        contract.START_RECORDING,
        StartRecording(call_id=call_id, call_sid=call_sid),
        result_type=StartedRecording,
        task_queue=DIAL_TASK_QUEUE,
        schedule_to_close_timeout=policies.START_RECORDING_WITHIN,
        retry_policy=policies.BRIEF,
    )
    return answer.recording_sid


async def stop_recording(call_sid: str) -> None:
    """Kept trying as long as a call can last: a withdrawn consent is the law."""
    await workflow.execute_activity(
        contract.STOP_RECORDING,
        StopRecording(call_sid=call_sid),
        task_queue=DIAL_TASK_QUEUE,
        start_to_close_timeout=policies.FIND_WITHIN,
        schedule_to_close_timeout=policies.END_CALL_WITHIN,
        retry_policy=policies.STEADY,
        priority=Priority(priority_key=1),
    )


async def direct(gateway_id: str, directive: Directive) -> DirectiveDone:
    """Tell a gateway what to do. Raises ActivityError when it is gone."""
    answer: DirectiveDone = await workflow.execute_activity(
        contract.CARRY_OUT_DIRECTIVE,
        directive,
        result_type=DirectiveDone,
        task_queue=gateway_task_queue(gateway_id),
        schedule_to_start_timeout=policies.GATEWAY_GONE_AFTER,
        start_to_close_timeout=policies.DIRECTIVE_WITHIN,
        retry_policy=policies.ONCE,
        summary=directive.order.value if directive.order else "correct the state",
    )
    return answer


async def record_do_not_call(call: CallInput) -> None:
    """Kept trying for days: this one is the law."""
    await workflow.execute_activity(
        contract.RECORD_DO_NOT_CALL,
        DoNotCall(call_id=call.call_id, phone=other_party(call), source="call"),
        task_queue=ACTIVITIES_TASK_QUEUE,
        start_to_close_timeout=policies.WRITE_TRY,
        schedule_to_close_timeout=policies.WRITE_WITHIN,
        retry_policy=policies.STEADY,
        priority=Priority(priority_key=1),
    )


async def read_call(transcript: str, outcome: Outcome, state: ScriptState) -> PostCall:
    """The model's report. Raises ActivityError when there is none in time."""
    known = [f"outcome: {outcome.value}", *(f"{k}: {v}" for k, v in state.slots.items())]
    answer: PostCall = await workflow.execute_activity(
        contract.READ_CALL,
        ReadTranscript(transcript=transcript, outcome=outcome.value, known=known),
        result_type=PostCall,
        task_queue=ACTIVITIES_TASK_QUEUE,
        start_to_close_timeout=policies.READ_CALL_TRY,
        schedule_to_close_timeout=policies.READ_CALL_WITHIN,
        retry_policy=policies.STEADY,
    )
    return answer


async def write_outcome(call: CallInput, result: CallResult) -> None:
    """The call's row."""
    post_call = result.post_call
    await workflow.execute_activity(
        contract.WRITE_OUTCOME,
        WriteOutcome(
            call_id=call.call_id,
            call_sid=result.call_sid,
            phone=other_party(call),
            direction=call.direction.value,
            script_id=call.script_id,
            script_hash=result.script_hash,
            outcome=result.outcome.value,
            stage=result.stage,
            slots=result.slots,
            objections=result.objections,
            turns=len(result.turns),
            appointment_at=result.appointment_at,
            call_back_when=result.call_back_when,
            summary=post_call.summary if post_call else "",
            next_step=post_call.next_step if post_call else "",
            duration_s=result.duration_s,
            lead_id=call.lead_id,
            campaign_id=call.campaign_id,
            recording_sid=result.recording.recording_sid if result.recording else "",
            recording_url=result.recording.url if result.recording else "",
        ),
        task_queue=ACTIVITIES_TASK_QUEUE,
        start_to_close_timeout=policies.WRITE_TRY,
        schedule_to_close_timeout=policies.WRITE_WITHIN,
        retry_policy=policies.STEADY,
        summary=result.outcome.value,
    )
