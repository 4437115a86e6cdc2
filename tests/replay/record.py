"""`python -m tests.replay.record RELEASE`: record a history of each kind of call, for the replay tests.

Run it once for every release. Histories that are there are kept, because calls that began under them may still be
running; `--again` records those of a release anew that is not out yet.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client

from tests.core.scripts import RECORDED
from tests.durable.conftest import skipping_time
from tests.durable.house import (
    CALL_SID,
    RECORDING_SID,
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
from workflows.contracts.payloads import (
    AnsweredBy,
    CarrierStatus,
    Direction,
    MediaLost,
    RecordingStatus,
    RecordingUpdate,
    StreamEnded,
    SuperviseRequest,
    TurnHeard,
    TurnKind,
)
from workflows.script.events import Order

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


async def _silent(client: Client, _: House) -> Handle:
    """A machine answered, and nothing more was heard: the call is ended through the carrier's REST interface."""
    handle = await _answered(client)
    verdict = AnsweredBy(call_sid=CALL_SID, answered_by="machine_start")
    await handle.signal(CallWorkflow.answered_by, verdict)
    await opening(handle)
    return handle


async def _inbound(client: Client, _: House) -> Handle:
    handle = await start(
        client, call_id="recorded", direction=Direction.INBOUND, from_="+12125550143"
    )
    await attach(handle)
    await opening(handle)
    await turn(handle, 2, kind=TurnKind.HANG_UP, caller_words="no")
    await handle.execute_update(CallWorkflow.stream_ended, StreamEnded(call_sid=CALL_SID))
    await tell(handle, CarrierStatus.COMPLETED)
    return handle


async def _supervised(client: Client, house: House) -> Handle:
    """A gateway that differs is corrected; a person forces a stage through it, then takes over without it."""
    handle = await _answered(client)
    await opening(handle)
    await turn(handle, 2, move="permission_given", state_digest="another state")
    await until(handle, contract.CARRY_OUT_DIRECTIVE)
    force = SuperviseRequest(order=Order.FORCE_STAGE, stage="appointment", by="u1")
    await handle.execute_update(CallWorkflow.supervise, force)
    await turn(handle, 3, kind=TurnKind.ORDER, order=force.order, order_target=force.stage)
    house.gateway = "refuses"
    take = SuperviseRequest(order=Order.TAKE_OVER, number="+12125550111", by="u1")
    await handle.execute_update(CallWorkflow.supervise, take)
    await tell(handle, CarrierStatus.COMPLETED)
    return handle


async def _recorded(client: Client, house: House) -> Handle:
    """The caller agrees to a recording, and thinks better of it."""
    house.script_yaml = RECORDED
    handle = await _answered(client)
    await opening(handle)
    asked = TurnHeard(seq=1, lines_heard=["disclosure.opening", "consent.opening"])
    await turn(handle, 2, move="agrees", before=asked)
    await until(handle, contract.START_RECORDING)
    for status in (RecordingStatus.IN_PROGRESS, RecordingStatus.COMPLETED):
        if status is RecordingStatus.COMPLETED:
            await turn(handle, 3, move="stop_recording")
            await until(handle, contract.STOP_RECORDING)
        told = RecordingUpdate(call_sid=CALL_SID, recording_sid=RECORDING_SID, status=status)
        await handle.signal(CallWorkflow.recording_status, told)
    await turn(handle, 4, move="done")
    await handle.execute_update(CallWorkflow.stream_ended, StreamEnded(call_sid=CALL_SID))
    await tell(handle, CarrierStatus.COMPLETED)
    return handle


CALLS: dict[str, Callable[[Client, House], Awaitable[Handle]]] = {
    "appointment": _appointment,
    "inbound": _inbound,
    "lost_answer": _lost_answer,
    "opt_out": _opt_out,
    "recorded": _recorded,
    "resumed": _resumed,
    "silent": _silent,
    "supervised": _supervised,
}


def file_of(release: str, kind: str) -> Path:
    """Where the history of this kind of call is."""
    return HISTORIES / f"{release}.{kind}.json"


async def record(release: str, *, again: bool = False) -> None:
    """Write a history of every kind of call."""
    there = [str(file_of(release, kind)) for kind in CALLS if file_of(release, kind).exists()]
    if there and not again:
        raise SystemExit(
            f"{', '.join(there)}: histories of a release are kept. Name the new release, "
            "or give --again for one that is not out yet"
        )
    # All or none: a release must not be half old and half new.
    texts = {kind: await _history(make) for kind, make in CALLS.items()}
    HISTORIES.mkdir(exist_ok=True)
    for kind, text in texts.items():
        await asyncio.to_thread(file_of(release, kind).write_text, text, encoding="utf-8")


async def _history(make: Callable[[Client, House], Awaitable[Handle]]) -> str:
    house = House()
    async with skipping_time() as env, house.open(env.client):
        handle = await make(env.client, house)
        await handle.result()
        history = await handle.fetch_history()
    return json.dumps(_without_this_machine(json.loads(history.to_json())), indent=1) + "\n"


def _without_this_machine(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_this_machine(item) for item in part]
    if isinstance(part, dict):
        kept = {key: value for key, value in part.items() if key not in ("stackTrace", "identity")}
        return {key: _without_this_machine(value) for key, value in kept.items()}
    return part


def _main() -> None:
    parser = argparse.ArgumentParser(description="Record a history of each kind of call.")
    parser.add_argument("release", help="as in pyproject.toml, e.g. 0.2.0")
    parser.add_argument("--again", action="store_true", help="the release is not out yet")
    given = parser.parse_args()
    logging.disable()  # the house fails where a call is meant to meet a failure
    asyncio.run(record(given.release, again=given.again))


if __name__ == "__main__":
    _main()
