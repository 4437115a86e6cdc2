"""The look for orphans where something fails: what can be judged is, and the rest is named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from temporalio.testing import ActivityEnvironment

from activities.clients.closed_calls import ClosedCall, ClosedCalls
from activities.clients.twilio_rest import CarrierUnclear, TwilioCalls
from activities.reconcile import AT_ONCE, ReconcileActivities
from tests.line import ACCOUNT, TOKEN
from tests.servers import serving
from workflows.contracts.reconcile import LookForOrphans, Orphans


class Closed(ClosedCalls):
    """Closed workflows by id, each with the carrier's calls that its history names; None: it cannot be read."""

    def __init__(self, **histories: list[str] | None) -> None:
        self.histories = histories
        self.going_on: set[str] = set()
        self.reading = 0
        self.most_reading = 0

    async def since(self, moment: datetime, *, most: int) -> list[ClosedCall]:
        return [ClosedCall(workflow_id=one, run_id="r") for one in self.histories][:most]

    async def call_sids(self, call: ClosedCall) -> list[str]:
        self.reading += 1
        self.most_reading = max(self.reading, self.most_reading)
        await asyncio.sleep(0)
        self.reading -= 1
        sids = self.histories[call.workflow_id]
        if sids is None:
            raise ValueError("the codec's key does not fit")
        return sids

    async def goes_on(self, call: ClosedCall) -> bool:
        return call.workflow_id in self.going_on


@dataclass
class Carrier:
    alive: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    ended: list[str] = field(default_factory=list)

    def is_alive(self, call_sid: str) -> bool:
        if call_sid in self.away:
            raise CarrierUnclear("ReadTimeout")
        return call_sid in self.alive

    def end(self, call_sid: str) -> tuple[str, int | None]:
        self.alive.discard(call_sid)
        self.ended.append(call_sid)
        return "completed", 1


async def look(closed: Closed, carrier: Carrier, **wanted: int) -> Orphans:
    activities = ReconcileActivities(closed, carrier)
    found: Orphans = await ActivityEnvironment().run(
        activities.hang_up_orphans, LookForOrphans(**wanted)
    )
    return found


async def test_one_call_that_cannot_be_judged_does_not_keep_another_alive() -> None:
    closed = Closed(a=None, b=["CA2"], c=["CA3"], d=[], e=["CA5"])
    carrier = Carrier(alive={"CA2", "CA3"}, away={"CA2"})
    found = await look(closed, carrier)
    assert found == Orphans(looked_at=5, over=1, never_placed=1, hung_up=["c"], unclear=["a", "b"])
    assert carrier.ended == ["CA3"]

    carrier.away.clear()
    assert (await look(closed, carrier)).hung_up == ["b"]
    assert carrier.ended == ["CA3", "CA2"]


async def test_every_call_that_the_history_names_is_hung_up() -> None:
    carrier = Carrier(alive={"CA1", "CA3"})
    found = await look(Closed(a=["CA1", "CA2", "CA3"]), carrier)
    assert found.hung_up == ["a"]
    assert carrier.ended == ["CA1", "CA3"]


async def test_a_call_in_the_care_of_a_newer_run_is_left_alone() -> None:
    closed, carrier = Closed(a=["CA1"]), Carrier(alive={"CA1"})
    closed.going_on = {"a"}
    assert (await look(closed, carrier)).gone_on == ["a"]
    assert carrier.ended == []


async def test_a_look_is_bounded_in_number_and_in_width() -> None:
    closed = Closed(**{f"w{number}": [f"CA{number}"] for number in range(50)})
    found = await look(closed, Carrier(), most=40)
    assert found == Orphans(looked_at=40, over=40, more=True)
    assert closed.most_reading <= AT_ONCE
    assert not (await look(closed, Carrier(), most=50)).more


async def test_the_carriers_states_are_told_apart() -> None:
    answers: Iterator[tuple[int, dict[str, object]]] = iter(
        [
            (200, {"sid": "CA1", "status": "in-progress"}),
            (200, {"sid": "CA1", "status": "ringing"}),
            (200, {"sid": "CA1", "status": "completed"}),
            (404, {"code": 20404, "message": "no such call"}),
        ]
    )

    async def answer() -> Response:
        status, body = next(answers)
        return JSONResponse(body, status)

    app = FastAPI()
    app.add_api_route("/{path:path}", answer, methods=["GET"])
    async with serving(lambda _: app) as url:
        calls = TwilioCalls(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url)
        alive = [await asyncio.to_thread(calls.is_alive, "CA1") for _ in range(4)]
    assert alive == [True, True, False, False]
