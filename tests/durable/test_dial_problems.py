"""Why nobody was spoken to, in a call's result: for whoever decides whether, and when, to dial again."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from tests.durable.house import House, attach, opening, start, tell, until
from workflows.carrier_errors import DialProblem
from workflows.contracts import activities as contract
from workflows.contracts.payloads import CarrierStatus
from workflows.script.model import Outcome


@pytest.mark.parametrize(
    ("dial", "problem", "code", "retry_after_s"),
    [
        ("refused", DialProblem.INVALID_NUMBER, 21211, 0),
        ("limited", DialProblem.RATE_LIMITED, 20429, 7.5),
        ("lost", DialProblem.CARRIER_TROUBLE, 0, 0),
        ("crashed", DialProblem.CARRIER_TROUBLE, 0, 0),
    ],
)
async def test_a_dial_that_was_not_placed_says_why(
    client: Client,
    house: House,
    dial: str,
    problem: DialProblem,
    code: int,
    retry_after_s: float,
) -> None:
    house.dial = dial
    async with house.open(client):
        result = await (await start(client)).result()
    assert result.outcome is Outcome.FAILED
    assert (result.problem, result.carrier_code) == (problem, code)
    assert result.retry_after_s == retry_after_s
    assert len(house.placed) == 1, "whatever the carrier says, it is dialled once"


@pytest.mark.parametrize(
    ("status", "sip_code", "problem", "outcome"),
    [
        (CarrierStatus.BUSY, 486, DialProblem.BUSY, Outcome.BUSY),
        (CarrierStatus.NO_ANSWER, 487, DialProblem.NO_ANSWER, Outcome.NO_ANSWER),
        (CarrierStatus.FAILED, 404, DialProblem.INVALID_NUMBER, Outcome.FAILED),
        (CarrierStatus.FAILED, 503, DialProblem.CARRIER_TROUBLE, Outcome.FAILED),
        (CarrierStatus.BUSY, 603, DialProblem.REJECTED, Outcome.BUSY),
    ],
)
async def test_a_call_that_nobody_answered_says_why(
    client: Client,
    house: House,
    status: CarrierStatus,
    sip_code: int,
    problem: DialProblem,
    outcome: Outcome,
) -> None:
    async with house.open(client):
        handle = await start(client)
        await until(handle, contract.PLACE_CALL)
        await tell(handle, status, sip_code=sip_code)
        result = await handle.result()
    assert (result.problem, result.sip_code, result.outcome) == (problem, sip_code, outcome)


async def test_a_call_that_was_answered_has_none(client: Client, house: House) -> None:
    async with house.open(client):
        handle = await start(client)
        await until(handle, contract.PLACE_CALL)
        await tell(handle, CarrierStatus.IN_PROGRESS)
        await attach(handle)
        await opening(handle)
        await tell(handle, CarrierStatus.FAILED, sip_code=503)
        result = await handle.result()
    assert (result.problem, result.carrier_code) == ("", 0)
