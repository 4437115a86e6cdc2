"""The carrier's REST interface where it fails: a dial is never repeated, and everything else is, when the carrier likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.clients import twilio_rest
from activities.clients.crm_store import CrmStore
from activities.clients.twilio_rest import (
    LONGEST_WAIT_S,
    CarrierRefused,
    CarrierUnclear,
    TwilioCalls,
    seconds_of,
)
from activities.dialling import DiallingActivities, DialPlan
from tests.line import ACCOUNT, TOKEN, Rehearsal, until
from tests.servers import serving
from tests.simulators.twilio import FaultyCarrier, Step
from workflows.carrier_errors import DialProblem
from workflows.contracts.activities import (
    CALL_IS_OVER,
    CALL_NOT_PLACED,
    CALL_UNKNOWN,
    RATE_LIMITED,
    ConnectPerson,
    EndCarrierCall,
    FindCall,
    NotPlaced,
    PlaceCall,
    ReconnectCall,
    StartRecording,
    StopRecording,
)

Opened = Callable[..., AbstractAsyncContextManager[Rehearsal]]
PHONE, OURS = "+12125550142", "+12125550100"
CREATE = ("POST", "/Calls.json")
PAUSE = '<Response><Pause length="60"/></Response>'
NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CrmStore]:
    opened = CrmStore(f"sqlite:///{tmp_path}/crm.db")
    yield opened
    opened.close()


@asynccontextmanager
async def failing(
    rehearsal: Opened, store: CrmStore, *steps: Step, creates: int | None = None, **caller: object
) -> AsyncIterator[tuple[Rehearsal, DiallingActivities, FaultyCarrier]]:
    """A carrier that fails so, and the activities that ask it. Checked at the end."""
    async with rehearsal(**caller) as line:
        line.customer.answers = {"twilio/voice": PAUSE, "voice": PAUSE}
        carrier = FaultyCarrier(line.url, steps, creates=creates)
        async with serving(carrier.app) as url:
            calls = TwilioCalls(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url)
            plan = DialPlan(public_url=line.customer.url, caller_id=OURS)
            yield line, DiallingActivities(calls, store, plan), carrier
            carrier.released.set()
        carrier.check()


async def dialled(activities: DiallingActivities) -> ApplicationError:
    wanted = PlaceCall(call_id="c1", to=PHONE, from_="", ring_timeout_s=5, longest_call_s=60)
    with pytest.raises(ApplicationError) as failed:
        await asyncio.to_thread(activities.place_call, wanted)
    assert failed.value.non_retryable, "a dial is never repeated by the machinery"
    return failed.value


async def found(activities: DiallingActivities) -> str:
    wanted = FindCall(to=PHONE, from_="", since="2026-01-01T00:00:00+00:00")
    return (await asyncio.to_thread(activities.find_call, wanted)).call_sid


async def placed(line: Rehearsal) -> int:
    async with httpx.AsyncClient() as http:
        return len((await http.get(f"{line.url}/witness")).json())


# --- a dial ----------------------------------------------------------------------------------


async def test_a_limit_of_requests_says_how_long_to_wait_and_nothing_was_placed(
    rehearsal: Opened, store: CrmStore
) -> None:
    step = Step(method=CREATE[0], path=CREATE[1], status=429, code=20429, retry_after="7")
    async with failing(rehearsal, store, step, creates=1) as (line, activities, _):
        error = await dialled(activities)
        assert await placed(line) == 0
    assert error.type == CALL_NOT_PLACED
    (detail,) = error.details
    assert detail == NotPlaced(
        problem=DialProblem.RATE_LIMITED, carrier_code=20429, retry_after_s=7
    )


@pytest.mark.parametrize(
    ("status", "code", "problem"),
    [
        (400, 21211, DialProblem.INVALID_NUMBER),
        (400, 21215, DialProblem.NOT_PERMITTED),
        (401, 20003, DialProblem.OUR_ACCOUNT),
        (400, 10004, DialProblem.RATE_LIMITED),
    ],
)
async def test_a_refusal_says_whose_fault_it_is(
    rehearsal: Opened, store: CrmStore, status: int, code: int, problem: DialProblem
) -> None:
    step = Step(method=CREATE[0], path=CREATE[1], status=status, code=code)
    async with failing(rehearsal, store, step, creates=1) as (_, activities, _carrier):
        error = await dialled(activities)
    assert error.type == CALL_NOT_PLACED
    assert error.details[0] == NotPlaced(problem=problem, carrier_code=code)
    assert str(code) in error.message


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "code": 20500},
        {"status": 503, "code": 20503},
        {"status": 408},
        {"status": 502, "body": "<html>bad gateway</html>"},
        {"status": 201, "body": "<html>welcome to this hotel</html>"},
    ],
)
async def test_a_call_that_was_placed_and_whose_answer_was_lost_is_found_and_not_dialled_again(
    rehearsal: Opened, store: CrmStore, fault: dict[str, object]
) -> None:
    step = Step(method=CREATE[0], path=CREATE[1], is_carried_out=True, **fault)  # type: ignore[arg-type]
    async with failing(rehearsal, store, step, creates=1) as (line, activities, _):
        error = await dialled(activities)
        assert error.type == CALL_UNKNOWN
        sid = await found(activities)
        assert await placed(line) == 1
        assert sid in {path.name for path in line.out.iterdir()}
        await asyncio.to_thread(activities.end_call, EndCarrierCall(call_sid=sid))


async def test_a_carrier_that_answers_nothing_is_given_up_in_time_and_the_call_is_found(
    rehearsal: Opened, store: CrmStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio_rest, "TIMEOUT_S", 0.5)
    step = Step(method=CREATE[0], path=CREATE[1], is_carried_out=True, hangs=True)
    async with failing(rehearsal, store, step, creates=1) as (line, activities, carrier):
        error = await dialled(activities)
        carrier.released.set()
        assert error.type == CALL_UNKNOWN
        sid = await found(activities)
        assert await placed(line) == 1
        await asyncio.to_thread(activities.end_call, EndCarrierCall(call_sid=sid))


@given(status=st.integers(300, 599), code=st.integers(0, 99_999), text=st.text(max_size=30))
def test_any_failed_answer_is_either_a_certain_no_or_unclear(
    status: int, code: int, text: str
) -> None:
    failure = twilio_rest._failure(status, code, text)
    certain = 400 <= status < 500 and status != 408
    assert isinstance(failure, CarrierRefused) == certain
    assert isinstance(failure, CarrierUnclear) != certain


# --- everything else -------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["find", "end", "connect", "reconnect", "record", "unrecord"])
async def test_what_may_be_repeated_is_tried_again_when_the_carrier_says(
    rehearsal: Opened, store: CrmStore, what: str
) -> None:
    paths = {
        "find": ("GET", "/Calls.json"),
        "record": ("GET", "/Recordings.json"),
        "unrecord": ("GET", "/Recordings.json"),
        "end": ("GET", ".json"),
    }
    method, path = paths.get(what, ("POST", ".json"))
    step = Step(method=method, path=path, status=429, code=20429, retry_after="3")
    async with failing(rehearsal, store, step) as (line, activities, _):
        sid = await line.place()
        await until(lambda: "in-progress" in line.customer.statuses())
        asks: dict[str, Callable[[], object]] = {
            "find": lambda: activities.find_call(
                FindCall(to=PHONE, from_="", since="2026-01-01T00:00:00+00:00")
            ),
            "end": lambda: activities.end_call(EndCarrierCall(call_sid=sid)),
            "connect": lambda: activities.connect_person(
                ConnectPerson(call_sid=sid, number="+12125550111")
            ),
            "reconnect": lambda: activities.reconnect_call(
                ReconnectCall(call_id="c1", call_sid=sid)
            ),
            "record": lambda: activities.start_recording(
                StartRecording(call_id="c1", call_sid=sid)
            ),
            "unrecord": lambda: activities.stop_recording(StopRecording(call_sid=sid)),
        }
        with pytest.raises(ApplicationError) as limited:
            await asyncio.to_thread(asks[what])
        assert limited.value.type == RATE_LIMITED
        assert not limited.value.non_retryable
        assert limited.value.next_retry_delay == timedelta(seconds=3)
        await asyncio.to_thread(asks[what])
        await asyncio.to_thread(line.calls.end, sid)
        await line.over(sid)


async def test_an_order_to_a_call_that_is_over_is_not_tried_again(
    rehearsal: Opened, store: CrmStore
) -> None:
    async with failing(rehearsal, store) as (line, activities, _):
        sid = await line.place()
        await until(lambda: "in-progress" in line.customer.statuses())
        await asyncio.to_thread(line.calls.end, sid)
        await line.over(sid)
        for ask in (
            lambda: activities.connect_person(ConnectPerson(call_sid=sid, number="+12125550111")),
            lambda: activities.start_recording(StartRecording(call_id="c1", call_sid=sid)),
        ):
            with pytest.raises(ApplicationError) as over:
                await asyncio.to_thread(ask)
            assert (over.value.type, over.value.non_retryable) == (CALL_IS_OVER, True)
        await asyncio.to_thread(activities.stop_recording, StopRecording(call_sid=sid))


async def test_a_call_that_is_answered_while_it_is_cancelled_is_hung_up_all_the_same(
    rehearsal: Opened, store: CrmStore
) -> None:
    async with rehearsal() as line:
        line.customer.answers = {"voice": PAUSE}
        sid = await line.place()
        await until(lambda: "in-progress" in line.customer.statuses())
        # It still rang when we asked: the carrier's word is older than the answer.
        ringing = f'{{"sid": "{sid}", "status": "ringing"}}'
        step = Step(method="GET", path=f"{sid}.json", body=ringing)
        carrier = FaultyCarrier(line.url, [step])
        async with serving(carrier.app) as url:
            calls = TwilioCalls(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url)
            status, _ = await asyncio.to_thread(calls.end, sid)
        await line.over(sid)
    carrier.check()
    assert status == "completed"
    orders = [seen["status"] for seen in line.witness(sid) if seen["kind"] == "rest_end"]
    assert orders == ["completed"]


async def test_a_call_that_goes_on_though_told_to_end_is_told_again(
    rehearsal: Opened, store: CrmStore
) -> None:
    async with rehearsal() as line:
        line.customer.answers = {"voice": PAUSE}
        sid = await line.place()
        await until(lambda: "in-progress" in line.customer.statuses())
        still = f'{{"sid": "{sid}", "status": "in-progress"}}'
        carrier = FaultyCarrier(
            line.url, [Step(method="POST", path=f"{sid}.json", body=still, status=200)]
        )
        async with serving(carrier.app) as url:
            calls = TwilioCalls(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url)
            with pytest.raises(CarrierUnclear, match="still in-progress"):
                await asyncio.to_thread(calls.end, sid)
            status, _ = await asyncio.to_thread(calls.end, sid)
        await line.over(sid)
    assert status == "completed"


async def test_a_call_is_found_on_a_later_page(
    rehearsal: Opened, store: CrmStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twilio_rest, "PAGE", 2)
    async with failing(rehearsal, store, answers="busy") as (line, activities, carrier):
        sids = [await line.place() for _ in range(5)]
        assert await found(activities) == sids[-1]
        assert len(carrier.requests) == 1, "the newest is on the first page"
        since = datetime.now(UTC) - timedelta(minutes=1)
        calls = activities._calls
        everything = await asyncio.to_thread(lambda: list(calls._calls_since(PHONE, OURS, since)))
        assert [sid for sid, _ in everything] == sids[::-1]
        for sid in sids:
            await line.over(sid)


# --- Retry-After -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 0 ", 0),
        ("99999999999", LONGEST_WAIT_S),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("Wed, 25 Nov 2026 12:00:30", 30),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("٣", 0),
    ],
)
def test_a_wait_is_read_as_seconds_or_as_a_date(header: str, seconds: float) -> None:
    assert seconds_of(header, NOW) == seconds


@given(st.text(max_size=40))
def test_whatever_the_header_holds_the_wait_is_bounded(header: str) -> None:
    assert 0 <= seconds_of(header, NOW) <= LONGEST_WAIT_S
