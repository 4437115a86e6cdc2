"""Dialling through the official client: against the carrier's stand-in, and against carriers that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from temporalio.exceptions import ApplicationError

from activities.clients.crm_store import CrmStore
from activities.clients.twilio_rest import TwilioCalls
from activities.dialling import DiallingActivities, DialPlan
from tests.line import ACCOUNT, TOKEN, Rehearsal, until
from tests.servers import serving
from workflows.contracts.activities import (
    CALL_NOT_PLACED,
    CALL_UNKNOWN,
    EndCarrierCall,
    FindCall,
    PlaceCall,
)

Opened = Callable[..., AbstractAsyncContextManager[Rehearsal]]
PHONE = "+12125550142"
WANTED = PlaceCall(call_id="c/1", to=PHONE, from_="", ring_timeout_s=5, longest_call_s=60)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CrmStore]:
    opened = CrmStore(f"sqlite:///{tmp_path}/crm.db")
    yield opened
    opened.close()


def dialling(
    calls: TwilioCalls, store: CrmStore, public_url: str = "http://g"
) -> DiallingActivities:
    return DiallingActivities(
        calls, store, DialPlan(public_url=public_url, caller_id="+12125550100")
    )


async def error_of(activities: DiallingActivities) -> ApplicationError:
    with pytest.raises(ApplicationError) as failed:
        await asyncio.to_thread(activities.place_call, WANTED)
    assert failed.value.non_retryable, "a dial is never repeated by the machinery"
    return failed.value


async def test_a_call_is_placed_found_and_ended(rehearsal: Opened, store: CrmStore) -> None:
    async with rehearsal() as line:
        line.customer.answers = {"twilio/voice": '<Response><Pause length="60"/></Response>'}
        activities = dialling(line.calls, store, line.customer.url)
        placed = await asyncio.to_thread(activities.place_call, WANTED)
        await until(lambda: any(path == "twilio/amd" for path, _ in line.customer.forms))
        numbers = FindCall(to=PHONE, from_="", since="2026-01-01T00:00:00+00:00")
        found = await asyncio.to_thread(activities.find_call, numbers)
        wanted = EndCarrierCall(call_sid=placed.call_sid)
        ended = await asyncio.to_thread(activities.end_call, wanted)
        await until(lambda: line.customer.forms[-1][1].get("CallStatus") == "completed")
        again = await asyncio.to_thread(activities.end_call, wanted)
    assert found.call_sid == placed.call_sid
    assert (ended.status, again.status) == ("completed", "completed")
    assert again.duration_s is not None
    asked = {form["CallSid"] for path, form in line.customer.forms if path == "twilio/voice"}
    assert asked == {placed.call_sid}
    assert line.customer.unsigned == []


async def test_a_number_on_the_do_not_call_list_is_never_dialled(
    rehearsal: Opened, store: CrmStore
) -> None:
    store.add_do_not_call(phone=PHONE, call_id="c0", source="call")
    async with rehearsal() as line:
        error = await error_of(dialling(line.calls, store))
        numbers = FindCall(to=PHONE, from_="", since="2026-01-01T00:00:00+00:00")
        found = await asyncio.to_thread(dialling(line.calls, store).find_call, numbers)
    assert error.type == CALL_NOT_PLACED
    assert "do-not-call" in error.message
    assert found.call_sid == ""


async def test_a_refusal_is_certain(store: CrmStore) -> None:
    async with serving(lambda _: _answering(400, {"code": 21211, "message": "bad number"})) as url:
        error = await error_of(dialling(_calls(url), store))
    assert error.type == CALL_NOT_PLACED
    assert "21211" in error.message


async def test_a_server_error_is_not(store: CrmStore) -> None:
    async with serving(lambda _: _answering(503, {"code": 20503, "message": "busy"})) as url:
        error = await error_of(dialling(_calls(url), store))
    assert error.type == CALL_UNKNOWN


async def test_neither_is_a_connection_that_breaks(store: CrmStore) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    server = await asyncio.start_server(break_off, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await error_of(dialling(_calls(f"http://127.0.0.1:{port}"), store))
    assert error.type == CALL_UNKNOWN


def _calls(url: str) -> TwilioCalls:
    return TwilioCalls(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url)


def _answering(status: int, body: dict[str, object]) -> FastAPI:
    async def answer() -> Response:
        return JSONResponse(body, status)

    app = FastAPI()
    app.add_api_route("/{path:path}", answer, methods=["GET", "POST"])
    return app
