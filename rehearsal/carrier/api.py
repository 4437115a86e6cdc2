"""The carrier's REST interface: create, fetch, list and update calls. Basic auth, form in, JSON out, Twilio's errors."""

from __future__ import annotations

import asyncio
import secrets
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import BaseModel, ConfigDict, Field

from rehearsal.carrier.call import CallRequest, CarrierCall, CarrierContext

router = APIRouter()
_basic = HTTPBasic()


class Exchange:
    """All calls of one carrier process."""

    def __init__(self, context: CarrierContext) -> None:
        self.context = context
        self.calls: dict[str, CarrierCall] = {}
        self._running: set[asyncio.Task[None]] = set()

    def place(self, request: CallRequest) -> CarrierCall:
        """Start a call."""
        call = CarrierCall(self.context, request)
        self.calls[call.sid] = call
        task = asyncio.create_task(call.run(), name=f"call {call.sid}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return call

    async def close(self) -> None:
        """End every call."""
        for call in self.calls.values():
            if call.duration_s is None:
                call.end("completed")
        await asyncio.wait(self._running, timeout=5) if self._running else None


def _exchange(request: Request) -> Exchange:
    exchange: Exchange = request.app.state.exchange
    return exchange


Of = Annotated[Exchange, Depends(_exchange)]


def _account(
    account_sid: str, of: Of, credentials: Annotated[HTTPBasicCredentials, Depends(_basic)]
) -> str:
    context = of.context
    good = secrets.compare_digest(credentials.username, context.account_sid)
    good &= secrets.compare_digest(credentials.password, context.auth_token)
    if not good or account_sid != context.account_sid:
        raise HTTPException(401, "Authenticate")
    return account_sid


Account = Annotated[str, Depends(_account)]
_CALLS = "/2010-04-01/Accounts/{account_sid}/Calls"


@router.get("/2010-04-01/Accounts/{account_sid}.json")
async def fetch_account(account: Account) -> dict[str, str]:
    """The account itself."""
    return {
        "sid": account,
        "friendly_name": "rehearsal",
        "status": "active",
        "type": "Full",
        "owner_account_sid": account,
        "uri": f"/2010-04-01/Accounts/{account}.json",
    }


@router.post(f"{_CALLS}.json", status_code=201)
async def create(request: Request, account: Account, of: Of) -> Response:
    """Place a call."""
    form = await request.form()

    def text(name: str) -> str:
        return str(form.get(name, ""))

    if not text("To").startswith("+"):
        return refusal(400, 21211, "The 'To' number is not a valid phone number.")
    if not text("From").startswith("+"):
        return refusal(400, 21212, "The 'From' number is not a valid phone number.")
    if text("MachineDetection") not in ("", "Enable", "DetectMessageEnd"):
        return refusal(400, 20001, "MachineDetection is Enable or DetectMessageEnd.")
    if not text("Url"):
        return refusal(400, 21205, "Url is not a valid URL.")
    call = of.place(
        CallRequest(
            to=text("To"),
            from_=text("From"),
            url=text("Url"),
            status_callback=text("StatusCallback"),
            status_events=tuple(str(event) for event in form.getlist("StatusCallbackEvent"))
            or ("completed",),
            amd_callback=text("AsyncAmdStatusCallback") if text("AsyncAmd") == "true" else "",
            waits_for_greeting=text("MachineDetection") == "DetectMessageEnd",
            api_url=str(request.base_url).rstrip("/"),
            fallback_url=text("FallbackUrl"),
            ring_timeout_s=int(text("Timeout") or 60),
            longest_s=int(text("TimeLimit") or 14_400),
        )
    )
    return JSONResponse(_resource(call, account), 201)


@router.get(f"{_CALLS}.json")
async def list_calls(request: Request, account: Account, of: Of) -> Response:
    """Newest first; `To` and `From` filter."""
    wanted_to, wanted_from = request.query_params.get("To"), request.query_params.get("From")
    found = [
        _resource(call, account)
        for call in reversed(of.calls.values())
        if wanted_to in (None, call.request.to) and wanted_from in (None, call.request.from_)
    ]
    return JSONResponse(paged("calls", found, request))


@router.get(f"{_CALLS}/{{call_sid}}.json")
async def fetch(call_sid: str, account: Account, of: Of) -> Response:
    """One call."""
    call = of.calls.get(call_sid)
    if call is None:
        return refusal(404, 20404, "The requested resource was not found")
    return JSONResponse(_resource(call, account))


@router.post(f"{_CALLS}/{{call_sid}}.json")
async def update(call_sid: str, request: Request, account: Account, of: Of) -> Response:
    """End a call (`Status`), or have a live one go on with other TwiML (`Url` or `Twiml`)."""
    call = of.calls.get(call_sid)
    if call is None:
        return refusal(404, 20404, "The requested resource was not found")
    form = await request.form()
    status, url, twiml = (str(form.get(name, "")) for name in ("Status", "Url", "Twiml"))
    if call.status in ("completed", "busy", "no-answer", "canceled", "failed"):
        return refusal(400, 21220, "Call is not in-progress. Cannot redirect.")
    if status == "canceled" and call.status == "in-progress":
        # Documented: calls that are in progress are not affected by it.
        return JSONResponse(_resource(call, account))
    if status in ("completed", "canceled"):
        call.end(status)
        return JSONResponse(_resource(call, account) | {"status": status})
    if status or not (url or twiml):
        return refusal(400, 21218, "Give Status (completed or canceled), Url or Twiml.")
    if call.status != "in-progress":
        return refusal(400, 21220, "Call is not in-progress. Cannot redirect.")
    call.redirect(url=url, twiml=twiml)
    return JSONResponse(_resource(call, account))


class Incoming(BaseModel):
    """Somebody dials one of our numbers."""

    model_config = ConfigDict(extra="forbid")
    to: str = Field(pattern=r"^\+\d{5,15}$")
    from_: str = Field(pattern=r"^\+\d{5,15}$")
    voice_url: str
    """What the number's voice webhook is set to."""
    status_callback: str = ""


@router.post("/witness/incoming", status_code=201)
async def incoming(wanted: Incoming, request: Request, of: Of) -> dict[str, str]:
    """Have the simulated caller dial in: no part of the carrier's API, but of its rehearsal."""
    call = of.place(
        CallRequest(
            to=wanted.to,
            from_=wanted.from_,
            url=wanted.voice_url,
            status_callback=wanted.status_callback,
            direction="inbound",
            api_url=str(request.base_url).rstrip("/"),
        )
    )
    return {"call_sid": call.sid}


@router.get("/witness")
async def witness(of: Of) -> list[dict[str, Any]]:
    """Every call and where its evidence is."""
    return [
        {
            "call_sid": call.sid,
            "to": call.request.to,
            "status": call.status,
            "line_ms": call.line_ms,
            "folder": str(call.folder),
        }
        for call in of.calls.values()
    ]


def _resource(call: CarrierCall, account: str) -> dict[str, Any]:
    return {
        "sid": call.sid,
        "account_sid": account,
        "to": call.request.to,
        "from": call.request.from_,
        "status": call.status,
        "date_created": call.created,
        "duration": None if call.duration_s is None else str(call.duration_s),
        "direction": call.request.direction,
        "uri": f"/2010-04-01/Accounts/{account}/Calls/{call.sid}.json",
    }


def paged(name: str, found: list[dict[str, Any]], request: Request) -> dict[str, Any]:
    """One page of a list, and where the next one is."""
    size = min(max(int(request.query_params.get("PageSize", 50)), 1), 1000)
    page = int(request.query_params.get("Page", 0))
    rest = found[(page + 1) * size :]
    path = request.url.path
    kept = {k: v for k, v in request.query_params.items() if k not in ("Page", "PageToken")}
    query = urlencode({**kept, "PageSize": size, "Page": page + 1, "PageToken": "PA"})
    return {
        name: found[page * size : (page + 1) * size],
        "page": page,
        "page_size": size,
        "next_page_uri": f"{path}?{query}" if rest else None,
        "previous_page_uri": None,
    }


def refusal(status: int, code: int, message: str) -> Response:
    """An error as the carrier tells it."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return JSONResponse(body, status)
