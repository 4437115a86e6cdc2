"""A carrier that takes every call at once and never rings anybody; it notes when each was asked for."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from bench.servers import serving


class InstantCarrier:
    """As much of the carrier's REST interface as placing and ending a call takes."""

    def __init__(self) -> None:
        self.placed_s: dict[str, float] = {}
        """By call id, on this process's monotonic clock."""
        self._numbers = itertools.count(1)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Yields its address."""
        app = FastAPI()
        calls = "/2010-04-01/Accounts/{account}/Calls"
        app.add_api_route(calls + ".json", self._place, methods=["POST"])
        app.add_api_route(calls + "/{sid}.json", self._end, methods=["POST", "GET"])
        async with serving(app) as address:
            yield f"http://{address}"

    async def _place(self, request: Request) -> JSONResponse:
        now_s = time.monotonic()
        form = parse_qs((await request.body()).decode())
        (call_id,) = parse_qs(urlsplit(form["StatusCallback"][0]).query)["call_id"]
        self.placed_s[call_id] = now_s
        return JSONResponse({"sid": f"CA{next(self._numbers):032x}", "status": "queued"}, 201)

    async def _end(self, sid: str) -> dict[str, str]:
        return {"sid": sid, "status": "completed", "duration": "1"}
