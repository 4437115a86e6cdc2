"""The world around a call's workflow: activities by their names, each doing what a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities.errors import call_not_placed, call_unknown, script_refused
from tests.core.scripts import SAMPLE_TEXT, TODAY
from workflows.call import CallWorkflow
from workflows.carrier_errors import DialProblem
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
    CALLS_TASK_QUEUE,
    DIAL_TASK_QUEUE,
    Attached,
    AttachRequest,
    CallInput,
    CallResult,
    CarrierStatus,
    CarrierUpdate,
    Directive,
    DirectiveDone,
    PostCall,
    TurnCompleted,
    TurnHeard,
    TurnKind,
    gateway_task_queue,
)
from workflows.signal_guard import SignalGuard
from workflows.starter import start_call

CALL_SID = "CA1"
RECORDING_SID = "RE1"
GATEWAY = "g1"
Handle = WorkflowHandle[CallWorkflow, CallResult]


@dataclass
class House:
    """Carrier, CRM and model of one test. Set a fault before the call starts; read what was asked afterwards."""

    script_yaml: str = SAMPLE_TEXT
    script_refusal: str = ""
    look_up_fails: bool = False
    dial: str = ""
    """Empty: placed; `refused`, `limited`: a certain no; `lost`: the answer never came; `crashed`: who knows."""
    found: FoundCall = field(default_factory=FoundCall)
    ended_status: str = "completed"
    model_fails: bool = False
    do_not_call_failures: int = 0
    write_failures: int = 0
    post_call_outcome: str = ""
    """What the model reads out of the transcript; empty: what it was told."""
    gateway: str = "alive"
    """Or `refuses`; `elsewhere`: it has another stream; `gone`."""

    looked_up: list[LookUpCallee] = field(default_factory=list)
    placed: list[PlaceCall] = field(default_factory=list)
    searched: list[FindCall] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    read: list[ReadTranscript] = field(default_factory=list)
    rows: list[WriteOutcome] = field(default_factory=list)
    do_not_call: list[DoNotCall] = field(default_factory=list)
    connected: list[ConnectPerson] = field(default_factory=list)
    reconnected: list[str] = field(default_factory=list)
    recorded: list[StartRecording] = field(default_factory=list)
    unrecorded: list[StopRecording] = field(default_factory=list)
    recording_fails: bool = False
    directs: asyncio.Event | None = None
    """When given, the gateway answers no directive before it is set."""
    directives: list[Directive] = field(default_factory=list)

    @activity.defn(name=contract.LOAD_SCRIPT)
    async def load_script(self, wanted: LoadScript) -> LoadedScript:
        if self.script_refusal:
            raise script_refused(self.script_refusal)
        return LoadedScript(yaml=self.script_yaml, content_hash="")

    @activity.defn(name=contract.LOOK_UP_CALLEE)
    async def look_up_callee(self, wanted: LookUpCallee) -> Callee:
        self.looked_up.append(wanted)
        if self.look_up_fails:
            raise ApplicationError("the CRM is away")
        return Callee(today=TODAY, facts={"first_name": "Ada"})

    @activity.defn(name=contract.PLACE_CALL)
    async def place_call(self, wanted: PlaceCall) -> PlacedCall:
        self.placed.append(wanted)
        if self.dial == "refused":
            raise call_not_placed(
                "the carrier refused: HTTP 400, error 21211",
                DialProblem.INVALID_NUMBER,
                carrier_code=21211,
            )
        if self.dial == "limited":
            raise call_not_placed(
                "the carrier refused: HTTP 429, error 20429",
                DialProblem.RATE_LIMITED,
                carrier_code=20429,
                retry_after_s=7.5,
            )
        if self.dial == "lost":
            raise call_unknown("the carrier's answer was lost: ReadTimeout")
        if self.dial == "crashed":
            raise RuntimeError("an error that nobody foresaw")
        return PlacedCall(call_sid=CALL_SID)

    @activity.defn(name=contract.FIND_CALL)
    async def find_call(self, wanted: FindCall) -> FoundCall:
        self.searched.append(wanted)
        return self.found

    @activity.defn(name=contract.END_CALL)
    async def end_call(self, wanted: EndCarrierCall) -> EndedCall:
        self.ended.append(wanted.call_sid)
        return EndedCall(status=self.ended_status, duration_s=42)

    @activity.defn(name=contract.CONNECT_PERSON)
    async def connect_person(self, wanted: ConnectPerson) -> None:
        self.connected.append(wanted)

    @activity.defn(name=contract.RECONNECT_CALL)
    async def reconnect_call(self, wanted: ReconnectCall) -> None:
        self.reconnected.append(wanted.call_sid)

    @activity.defn(name=contract.START_RECORDING)
    async def start_recording(self, wanted: StartRecording) -> StartedRecording:
        self.recorded.append(wanted)
        if self.recording_fails:
            raise ApplicationError("HTTP 503")
        return StartedRecording(recording_sid=RECORDING_SID)

    @activity.defn(name=contract.STOP_RECORDING)
    async def stop_recording(self, wanted: StopRecording) -> None:
        self.unrecorded.append(wanted)

    @activity.defn(name=contract.CARRY_OUT_DIRECTIVE)
    async def carry_out_directive(self, directive: Directive) -> DirectiveDone:
        self.directives.append(directive)
        if self.directs is not None:
            await self.directs.wait()
        return DirectiveDone(
            accepted=self.gateway == "alive",
            reason=self.gateway,
            is_here=self.gateway in ("alive", "refuses"),
        )

    @activity.defn(name=contract.READ_CALL)
    async def read_call(self, wanted: ReadTranscript) -> PostCall:
        self.read.append(wanted)
        if self.model_fails:
            raise ApplicationError("no answer from the model")
        return PostCall(
            outcome=self.post_call_outcome or wanted.outcome,
            summary="a call",
            objections=[],
            next_step="call again",
        )

    @activity.defn(name=contract.WRITE_OUTCOME)
    async def write_outcome(self, row: WriteOutcome) -> None:
        if self.write_failures > 0:
            self.write_failures -= 1
            raise ApplicationError("the CRM is away")
        self.rows.append(row)

    @activity.defn(name=contract.RECORD_DO_NOT_CALL)
    async def record_do_not_call(self, entry: DoNotCall) -> None:
        if self.do_not_call_failures > 0:
            self.do_not_call_failures -= 1
            raise ApplicationError("the CRM is away")
        self.do_not_call.append(entry)

    @asynccontextmanager
    async def open(
        self,
        client: Client,
        *,
        call: type[CallWorkflow] = CallWorkflow,
        more: Sequence[Callable[..., object]] = (),
        deployment: WorkerDeploymentConfig | None = None,
    ) -> AsyncIterator[None]:
        """Workers on the three queues; with another version of the workflow, and the activities it needs more."""
        async with AsyncExitStack() as stack:
            if self.gateway != "gone":
                gateway = Worker(
                    client,
                    task_queue=gateway_task_queue(GATEWAY),
                    activities=[self.carry_out_directive],
                )
                await stack.enter_async_context(gateway)
            for worker in (
                Worker(
                    client,
                    task_queue=CALLS_TASK_QUEUE,
                    workflows=[call],
                    interceptors=[SignalGuard()],
                    deployment_config=deployment,
                ),
                Worker(
                    client,
                    task_queue=ACTIVITIES_TASK_QUEUE,
                    activities=[
                        self.load_script,
                        self.look_up_callee,
                        self.read_call,
                        self.write_outcome,
                        self.record_do_not_call,
                        *more,
                    ],
                ),
                Worker(
                    client,
                    task_queue=DIAL_TASK_QUEUE,
                    activities=[
                        self.place_call,
                        self.find_call,
                        self.end_call,
                        self.connect_person,
                        self.reconnect_call,
                        self.start_recording,
                        self.stop_recording,
                    ],
                ),
            ):
                await stack.enter_async_context(worker)
            yield


async def start(client: Client, **changes: object) -> Handle:
    """A call's workflow."""
    given: dict[str, object] = {"call_id": uuid4().hex, "script_id": "solar", "to": "+12125550142"}
    return await start_call(client, CallInput(**(given | changes)))  # type: ignore[arg-type]


async def until(handle: Handle, wanted: str) -> None:
    """Until this kind of activity was scheduled in the call's history."""
    async with asyncio.timeout(20):
        while True:
            async for event in handle.fetch_history_events():
                scheduled = event.activity_task_scheduled_event_attributes
                if scheduled.activity_type.name == wanted:
                    return
            await asyncio.sleep(0.02)


async def attach(handle: Handle, nonce: str = "n1", call_sid: str = CALL_SID) -> Attached:
    """A media stream presents itself."""
    return await handle.execute_update(
        CallWorkflow.attach,
        AttachRequest(gateway_id=GATEWAY, call_sid=call_sid, stream_sid="MZ1", nonce=nonce),
    )


async def tell(handle: Handle, status: CarrierStatus, **more: object) -> None:
    """A status callback."""
    update = CarrierUpdate(call_sid=CALL_SID, status=status, **more)  # type: ignore[arg-type]
    await handle.signal(CallWorkflow.carrier_status, update)


DISCLOSED = TurnHeard(seq=1, heard_words="Hi, this is Joe.", lines_heard=["disclosure.opening"])
"""What the second turn of a call has to say of the first."""


def _heard_before(seq: int) -> TurnHeard | None:
    if seq <= 2:
        return DISCLOSED if seq == 2 else None
    return TurnHeard(seq=seq - 1, heard_words="An answer.")


async def turn(handle: Handle, seq: int, **fields: object) -> None:
    """A completed turn, of the first stream unless told otherwise."""
    given: dict[str, object] = {
        "epoch": 1,
        "kind": TurnKind.REPLY,
        "caller_words": "hello",
        "before": _heard_before(seq),
    }
    message = TurnCompleted(seq=seq, **(given | fields))  # type: ignore[arg-type]
    await handle.signal(CallWorkflow.turn_completed, message)


async def opening(handle: Handle, seq: int = 1, **fields: object) -> None:
    """The first turn. That its disclosure was heard comes with the second."""
    await turn(handle, seq, kind=TurnKind.OPENING, caller_words="", **fields)


TO_AN_APPOINTMENT: tuple[tuple[str, dict[str, str]], ...] = (
    ("permission_given", {}),
    ("owns", {"is_homeowner": "yes"}),
    ("roof_known", {"roof_type": "metal", "roof_age_years": "6"}),
    ("worth_it", {"monthly_bill_usd": "$180"}),
    ("interest_known", {"wants_battery": "yes"}),
    ("objection_too_expensive", {}),
    ("agrees_to_visit", {}),
    ("time_known", {"appointment_at": "2026-11-26T15:00"}),
    ("confirmed", {}),
)
"""Moves and raw slots of a call that sells."""


async def talk_to_an_appointment(handle: Handle) -> None:
    """Every turn of a call that sells, on the first stream."""
    await opening(handle)
    for seq, (move, slots) in enumerate(TO_AN_APPOINTMENT, start=2):
        await turn(handle, seq, move=move, slots=slots, caller_words=f"words before {move}")
