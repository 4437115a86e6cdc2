"""A carrier's REST interface that fails as scripted, in front of one that works; what is not scripted passes.

Steps are used up in the order of the requests that they are for. `check` fails on steps that were not met, and on
requests to create a call beyond those that were expected.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

ANSWERS_NEVER_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Step:
    """What becomes of the next request with this method whose path ends so."""

    method: str
    path: str
    """The end of it, `/Calls.json`."""
    status: int = 0
    """Answered in the carrier's place; 0: the carrier answers."""
    code: int = 0
    retry_after: str = ""
    is_carried_out: bool = False
    """The carrier does it first, and its answer is lost."""
    hangs: bool = False
    """No answer comes."""
    body: str | None = None
    """Instead of JSON: what a proxy would say."""


class FaultyCarrier:
    """Forwards to the carrier at `upstream`, but for what the steps say."""

    def __init__(self, upstream: str, steps: Iterable[Step], *, creates: int | None = None) -> None:
        self._upstream = upstream
        self._steps = deque(steps)
        self._most_creates = creates
        self.requests: list[tuple[str, str]] = []
        self.released = asyncio.Event()

    def app(self, _: str) -> FastAPI:
        """The interface, to be served."""
        app = FastAPI(openapi_url=None)
        app.add_api_route("/{path:path}", self._answer, methods=["GET", "POST", "DELETE"])
        return app

    @property
    def creates(self) -> int:
        """Requests to place a call so far."""
        return sum(m == "POST" and p.endswith("/Calls.json") for m, p in self.requests)

    def check(self) -> None:
        """Raises AssertionError unless every step was met."""
        assert not self._steps, f"did not happen: {list(self._steps)}"
        if self._most_creates is not None:
            assert self.creates == self._most_creates, f"{self.creates} calls were asked for"

    async def _answer(self, request: Request) -> Response:
        self.requests.append((request.method, request.url.path))
        step = self._step_for(request)
        passed: Response | None = None
        if step is None or step.is_carried_out or not (step.status or step.hangs):
            passed = await self._pass(request)
        if step is None:
            assert passed is not None
            return passed
        if step.hangs:
            await asyncio.wait_for(self.released.wait(), ANSWERS_NEVER_S)
        if step.body is not None:
            return Response(step.body, step.status or 200, media_type="text/html")
        if not step.status:
            assert passed is not None
            return passed
        headers = {"Retry-After": step.retry_after} if step.retry_after else {}
        body: dict[str, Any] = {"code": step.code, "message": "as scripted", "status": step.status}
        return JSONResponse(body, step.status, headers)

    def _step_for(self, request: Request) -> Step | None:
        if not self._steps:
            return None
        step = self._steps[0]
        if step.method != request.method or not request.url.path.endswith(step.path):
            return None
        return self._steps.popleft()

    async def _pass(self, request: Request) -> Response:
        url = f"{self._upstream}{request.url.path}"
        if request.url.query:
            url += f"?{request.url.query}"
        kept = {k: v for k, v in request.headers.items() if k in ("authorization", "content-type")}
        async with httpx.AsyncClient() as http:
            answer = await http.request(
                request.method, url, headers=kept, content=await request.body()
            )
        kind = answer.headers.get("content-type", "application/json")
        return Response(answer.content, answer.status_code, media_type=kind)
