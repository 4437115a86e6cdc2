"""A carrier on a free port, and a customer's web server that answers its webhooks with what a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import Response
from starlette.websockets import WebSocketDisconnect
from twilio.request_validator import RequestValidator

from activities.clients.twilio_rest import TwilioCalls
from rehearsal.audio import Samples
from rehearsal.carrier.__main__ import create_app
from rehearsal.timeline import Timeline
from tests.servers import serving

ACCOUNT, TOKEN = "AC" + "1" * 32, "an auth token of the tests"


@dataclass
class Customer:
    """Web server of a carrier's customer: `answers` maps a path to TwiML; everything that came is kept."""

    answers: dict[str, str] = field(default_factory=dict)
    forms: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    to_send: list[dict[str, Any]] = field(default_factory=list)
    """Sent on the stream once it started; `streamSid` is filled in."""
    url: str = ""

    def app(self, url: str) -> FastAPI:
        self.url = url
        app = FastAPI()
        app.add_api_websocket_route("/media", self._media)
        app.add_api_route("/{path:path}", self._webhook, methods=["POST"])
        return app

    async def _webhook(self, path: str, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        signature = request.headers.get("X-Twilio-Signature", "")
        if not RequestValidator(TOKEN).validate(str(request.url), form, signature):
            self.unsigned.append(path)
        self.forms.append((path, form))
        twiml = self.answers.get(path, "<Response/>").replace("HOST", self.url)
        return Response(twiml.replace("WS", self.url.replace("http", "ws")), media_type="text/xml")

    async def _media(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                message = json.loads(await socket.receive_text())
                self.messages.append(message)
                if message["event"] == "start":
                    for reply in self.to_send:
                        await socket.send_json({"streamSid": message["streamSid"], **reply})
        except WebSocketDisconnect:
            return

    def statuses(self) -> list[str]:
        return [form["CallStatus"] for path, form in self.forms if path == "status"]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == kind]


@dataclass
class Rehearsal:
    """A carrier, its customer, and the official client pointed at it."""

    customer: Customer
    url: str
    out: Path
    calls: TwilioCalls

    async def place(self, **options: object) -> str:
        given: dict[str, object] = {
            "to": "+12125550142",
            "from_": "+12125550100",
            "url": f"{self.customer.url}/voice",
            "status_callback": f"{self.customer.url}/status",
            "status_callback_event": ["initiated", "ringing", "answered", "completed"],
        }
        return await asyncio.to_thread(self.calls.create, **(given | options))

    def witness(self, call_sid: str) -> list[dict[str, Any]]:
        text = (self.out / call_sid / "witness.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    async def over(self, call_sid: str) -> None:
        """Until the call ended and its last webhook was answered."""
        async with asyncio.timeout(20), httpx.AsyncClient() as http:
            while True:
                calls = (await http.get(f"{self.url}/witness")).json()
                status = next(c["status"] for c in calls if c["call_sid"] == call_sid)
                told = self.customer.statuses()
                if (
                    status in ("completed", "busy", "no-answer", "canceled", "failed")
                    and status in told
                ):
                    return
                await asyncio.sleep(0.02)


async def until(condition: Callable[[], object], within_s: float = 10) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def silent_voice(words: str) -> Samples:
    return np.full(400 * len(words.split()), 0.2, dtype=np.float32)


@asynccontextmanager
async def open_line(out: Path, fault: str = "", **timeline: object) -> AsyncIterator[Rehearsal]:
    """A carrier whose caller has these properties, and its customer."""
    given: dict[str, object] = {"name": "Test", "answer_after_ms": 100}
    customer = Customer()

    def carrier(url: str) -> FastAPI:
        return create_app(
            account_sid=ACCOUNT,
            auth_token=TOKEN,
            timeline=Timeline.model_validate(given | timeline),
            caller_voice=silent_voice,
            out=out,
            fault=fault,
        )

    async with serving(customer.app), serving(carrier) as url:
        calls = TwilioCalls(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url)
        yield Rehearsal(customer, url, out, calls)
