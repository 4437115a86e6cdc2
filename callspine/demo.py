"""`callspine demo`: one outbound sales call, end to end on the stand-ins, with its evidence and the checks on it."""

from __future__ import annotations

import asyncio
import signal
import time

from rich.console import Console
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from activities.clients.crm_store import CrmStore
from callspine.calls import new_call_id
from callspine.connect import connect
from callspine.follow import follow
from callspine.scripts import read_script
from callspine.settings import Settings, SettingsError
from callspine.system import System, running_system, wanted_stand_ins
from media_gateway.knowledge.passages import read_folder
from rehearsal.evidence import CrmEvidence, collect
from rehearsal.evidence.table import print_checks, print_turns
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallInput, CallResult, call_workflow_id
from workflows.starter import start_call

TO = "+12125550142"
"""A number from the range kept for fiction; the stand-in carrier answers it."""
SCRIPT = "solar_consult"
LONGEST_S = 240.0

FAULTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "": ((), ()),
    "no-clear": ((), ("--fault", "ignore-clear")),
    "unheard-disclosure": ((), ("--fault", "mute-opening")),
    "lost-turn": (("-m", "rehearsal.faulty_gateway", "lost-turn"), ()),
}
"""By name: the gateway's command and the carrier's options that break the call."""


async def demo(settings: Settings, console: Console, *, fault: str = "") -> int:
    """Place the call. Returns 0 only when it reached its outcome and every check on the wire holds."""
    if fault not in FAULTS:
        raise SettingsError(f"no fault {fault!r}; there are {', '.join(filter(None, FAULTS))}")
    if "carrier" not in wanted_stand_ins(settings):
        raise SettingsError(
            "the demo's caller lives in the stand-in carrier: CALLSPINE_STAND_INS must name it"
        )
    running = asyncio.current_task()
    if running is not None:
        # As Ctrl-C does: leave through the context managers, which stop every process.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    gateway_command, carrier_options = FAULTS[fault]
    began_s = time.monotonic()
    console.print("Starting Temporal, the stand-ins, a worker and a gateway ...")
    async with running_system(
        settings,
        gateway_command=gateway_command or ("-m", "callspine", "gateway"),
        carrier_options=carrier_options,
    ) as system:
        console.print(f"up in {time.monotonic() - began_s:.1f} s; Temporal UI: {system.ui_url}\n")
        return await _place(system, console)


async def _place(system: System, console: Console) -> int:
    settings = system.settings
    crm = CrmStore(settings.database_url)
    await asyncio.to_thread(crm.add_contact, phone=TO, first_name="Dana", company="")
    call_id = new_call_id()
    client = await connect(settings)
    script = read_script(settings.scripts_dir / f"{SCRIPT}.yaml")
    call = CallInput(
        call_id=call_id,
        script_id=SCRIPT,
        to=TO,
        script_hash=script.content_hash,
        most_resumes=settings.most_resumes,
    )
    await start_call(client, call)
    workflow_id = call_workflow_id(call_id)
    console.print(f"calling {TO}: workflow {workflow_id}\n", highlight=False)
    handle = client.get_workflow_handle_for(CallWorkflow.run, workflow_id)
    try:
        result = await follow(handle, console, longest_s=LONGEST_S)
    except TimeoutError:
        console.print(f"[red]the call was not over after {LONGEST_S:.0f} s[/]")
        return 1
    passages = read_folder(settings.scripts_dir / (script.knowledge or ""))
    evidence = await asyncio.to_thread(
        collect,
        call_id=call_id,
        record_dir=system.record_dir,
        out_dir=settings.out_dir,
        result=result,
        history_signals=await _signals(handle),
        crm=await _crm_evidence(crm, client, workflow_id, result),
        script=script,
        passages=passages,
    )
    print_turns(evidence, console)
    print_checks(evidence, console)
    console.print(f"\nevidence: {settings.out_dir / call_id}", highlight=False)
    console.print(
        f"In the Temporal UI (`make up` keeps it running): "
        f"{system.ui_url}/namespaces/{settings.temporal_namespace}/workflows/"
        f"{workflow_id.replace('/', '%2F')}",
        highlight=False,
    )
    failed = [check for check in evidence.checks if not check.ok]
    return 1 if failed else 0


async def _signals(handle: WorkflowHandle[CallWorkflow, CallResult]) -> int:
    """How many `turn_completed` signals the workflow's history holds."""
    count = 0
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
            signaled = event.workflow_execution_signaled_event_attributes
            count += signaled.signal_name == "turn_completed"
    return count


async def _crm_evidence(
    crm: CrmStore, client: Client, workflow_id: str, result: CallResult
) -> CrmEvidence:
    row = await asyncio.to_thread(crm.call, result.call_id)
    status = (await client.get_workflow_handle(workflow_id).describe()).status
    return CrmEvidence(
        workflow_status=status.name if status else "",
        outcome=row.outcome if row else "",
        slots=row.slots if row else {},
        appointment_at=(row.appointment_at or "") if row else "",
    )
