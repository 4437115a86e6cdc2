"""Runs a batch: places many calls at once, has a fault strike meanwhile, waits for the end, collects the evidence."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import httpx
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from chaos.evidence import WallClock, seen
from chaos.rig import Rig
from chaos.seen import Batch, CallSeen, Strike
from workflows.call import CallWorkflow
from workflows.contracts.payloads import CallInput, CallResult
from workflows.starter import start_call

SCRIPT = "solar_consult"
SPREAD_S = 8.0
"""Calls are placed within this time, by chance, so that they are at different places when something happens."""
CALL_S = 60.0
"""A calm call lasts a little longer."""
LONGEST_S = 300.0
Handle = WorkflowHandle[CallWorkflow, CallResult]


@dataclass(kw_only=True)
class Scene:
    """What a fault may do things to, and where it writes down what it did."""

    rig: Rig
    chance: Random
    client: Client
    handles: dict[str, Handle]
    """By call id."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    """Every call is answered."""
    strikes: list[Strike] = field(default_factory=list)
    notes: dict[str, list[float]] = field(default_factory=dict)
    statuses: dict[str, list[str]] = field(default_factory=dict)
    """What the workflows said of their calls' status, by call id."""

    def struck(self, what: str, at_s: float, until_s: float | None = None) -> None:
        """Write a strike down."""
        self.strikes.append(Strike(what=what, at_s=at_s, until_s=until_s))

    def note(self, name: str, value: float) -> None:
        """Write a figure down."""
        self.notes.setdefault(name, []).append(value)

    async def moment(self, from_s: float, to_s: float) -> None:
        """Wait until a random moment between these, in seconds after the last call was answered."""
        await self.answered.wait()
        await asyncio.sleep(self.chance.uniform(from_s, to_s))


Striking = Callable[[Scene], Awaitable[None]]


async def run_batch(
    rig: Rig, *, calls: int, chance: Random, strike: Striking, webhooks_fault: str = ""
) -> Batch:
    """One batch. Raises what the strike raises."""
    await rig.heal(webhooks_fault)
    if rig.client is None:
        raise AssertionError("a rig in use has a client")
    clock = WallClock(wall_less_monotonic_s=time.time() - time.monotonic())
    began, cpu_before = datetime.now(UTC), rig.cpu_s()
    began_s = time.monotonic()
    async with httpx.AsyncClient(timeout=10) as http:
        before = len(await rig.carrier_calls(http))
        scene = Scene(rig=rig, chance=chance, client=rig.client, handles={})
        striking = asyncio.create_task(_strike(scene, strike, http, before, calls))
        numbers = await _place(scene, calls)
        results = await asyncio.gather(*(_result(handle) for handle in scene.handles.values()))
        cpu_share = _cpu_share(cpu_before, rig.cpu_s(), time.monotonic() - began_s)
        await striking
        await rig.heal(webhooks_fault)
        placed = (await rig.carrier_calls(http))[before:]
        found = [
            await seen(
                call_id,
                handle,
                result,
                [call for call in placed if call["to"] == numbers[call_id]],
                clock,
            )
            for (call_id, handle), result in zip(scene.handles.items(), results, strict=True)
        ]
        await _hang_up_leftovers(rig, http, placed)
    return Batch(
        calls=tuple(_with_statuses(call, scene) for call in found),
        strikes=tuple(scene.strikes),
        notes=scene.notes,
        workflows_started=await _started_since(rig.client, began, calls),
        cpu_share=cpu_share,
    )


async def _strike(
    scene: Scene, strike: Striking, http: httpx.AsyncClient, before: int, calls: int
) -> None:
    async def all_answered() -> None:
        while True:
            placed = (await scene.rig.carrier_calls(http))[before:]
            if len(placed) >= calls and all(
                call["status"] not in ("queued", "initiated", "ringing") for call in placed
            ):
                scene.answered.set()
                return
            await asyncio.sleep(0.1)

    waiting = asyncio.create_task(all_answered())
    try:
        await strike(scene)
    finally:
        waiting.cancel()


async def _place(scene: Scene, calls: int) -> dict[str, str]:
    """Each at a number of its own, from the range kept for fiction."""
    numbers: dict[str, str] = {}
    for index in range(calls):
        call = CallInput(
            call_id=uuid.uuid4().hex[:12], script_id=SCRIPT, to=f"+121255501{index:02}"
        )
        scene.handles[call.call_id] = await start_call(scene.client, call)
        numbers[call.call_id] = call.to
        await asyncio.sleep(scene.chance.uniform(0, 2 * SPREAD_S / calls))
    return numbers


async def _result(handle: Handle) -> CallResult | None:
    """None when the workflow failed, or was not over in time."""
    try:
        async with asyncio.timeout(LONGEST_S):
            while True:
                try:
                    return await handle.result()
                except RPCError:
                    await asyncio.sleep(0.5)  # the server may be what was struck
    except (TimeoutError, WorkflowFailureError):
        return None


def _with_statuses(call: CallSeen, scene: Scene) -> CallSeen:
    from dataclasses import replace

    told = scene.statuses.get(call.call_id)
    return replace(call, statuses=tuple(told)) if told else call


async def _started_since(client: Client, began: datetime, expected: int) -> int:
    """Workflows of calls started since; visibility follows after a moment."""
    query = f'WorkflowType = "CallWorkflow" AND StartTime >= "{began.isoformat()}"'
    count = 0
    for _ in range(50):
        count = (await client.count_workflows(query)).count
        if count >= expected:
            break
        await asyncio.sleep(0.1)
    return count


async def _hang_up_leftovers(
    rig: Rig, http: httpx.AsyncClient, placed: list[dict[str, str]]
) -> None:
    """A call that nobody ended would be part of the next batch."""
    settings = rig.settings
    account = settings.twilio_account_sid
    for call in placed:
        if call["status"] in ("queued", "ringing", "in-progress"):
            await http.post(
                f"http://127.0.0.1:{settings.carrier_port}/2010-04-01/Accounts/{account}/Calls/{call['call_sid']}.json",
                data={"Status": "completed"},
                auth=(account, settings.twilio_auth_token.get_secret_value()),
            )


def _cpu_share(before: dict[str, float], after: dict[str, float], took_s: float) -> float:
    used_s = sum(cpu_s - before.get(name, 0.0) for name, cpu_s in after.items())
    return max(0.0, used_s) / took_s / (os.cpu_count() or 1)
