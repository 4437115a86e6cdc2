"""`python -m tests.durable.record`: record a history of each kind of call, for the replay tests.

Run it once for every released workflow, with a new name; histories that are there are never replaced, because calls
that began under them may still be running.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.durable.conftest import skipping_time
from tests.durable.house import (
    CALL_SID,
    Handle,
    House,
    attach,
    opening,
    start,
    talk_to_an_appointment,
    tell,
    turn,
    until,
)
from workflows.call import CallWorkflow
from workflows.contracts import activities as contract
from workflows.contracts.payloads import CarrierStatus, MediaLost, StreamEnded, TurnKind

HISTORIES = Path(__file__).parent / "histories"


async def _answered(client: Client) -> Handle:
    handle = await start(client, call_id="recorded")
    await until(handle, contract.PLACE_CALL)
    await tell(handle, CarrierStatus.IN_PROGRESS)
    await attach(handle)
    return handle


async def _appointment(client: Client, _: House) -> Handle:
    handle = await _answered(client)
    await talk_to_an_appointment(handle)
    await handle.execute_update(CallWorkflow.stream_ended, StreamEnded(call_sid=CALL_SID))
    await tell(handle, CarrierStatus.COMPLETED, duration_s=81)
    return handle


async def _lost_answer(client: Client, house: House) -> Handle:
    house.dial = "lost"
    return await start(client, call_id="recorded")


async def _opt_out(client: Client, house: House) -> Handle:
    house.do_not_call_failures = 1
    handle = await _answered(client)
    await opening(handle)
    await turn(handle, 2, kind=TurnKind.DTMF, digit="9", caller_words="")
    await handle.execute_update(CallWorkflow.stream_ended, StreamEnded(call_sid=CALL_SID))
    return handle


async def _resumed(client: Client, _: House) -> Handle:
    handle = await _answered(client)
    await opening(handle)
    lost = MediaLost(epoch=1, stream_sid="MZ1", clean=False)
    await handle.signal(CallWorkflow.media_lost, lost)
    await handle.execute_update(CallWorkflow.stream_ended, StreamEnded(call_sid=CALL_SID))
    await attach(handle, nonce="n2")
    await turn(handle, 2, epoch=2, kind=TurnKind.RESUME, caller_words="")
    await turn(handle, 3, epoch=2, kind=TurnKind.HANG_UP, caller_words="well I")
    await tell(handle, CarrierStatus.COMPLETED)
    return handle


CALLS: dict[str, Callable[[Client, House], Awaitable[Handle]]] = {
    "appointment": _appointment,
    "lost_answer": _lost_answer,
    "opt_out": _opt_out,
    "resumed": _resumed,
}


async def record(version: str) -> None:
    """Write `histories/<version>.<call>.json` for every kind of call."""
    HISTORIES.mkdir(exist_ok=True)
    for name, make in CALLS.items():
        path = HISTORIES / f"{version}.{name}.json"
        if path.exists():
            raise SystemExit(f"{path} exists: histories are kept; give a new version")
        house = House()
        async with skipping_time() as env, house.open(env.client):
            handle = await make(env.client, house)
            await handle.result()
            history = await handle.fetch_history()
        text = json.dumps(_without_this_machine(json.loads(history.to_json())), indent=1)
        await asyncio.to_thread(path.write_text, text + "\n", encoding="utf-8")


def _without_this_machine(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_this_machine(item) for item in part]
    if isinstance(part, dict):
        kept = {key: value for key, value in part.items() if key not in ("stackTrace", "identity")}
        return {key: _without_this_machine(value) for key, value in kept.items()}
    return part


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
