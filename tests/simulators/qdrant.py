"""A Qdrant server's REST endpoints as far as they are used here, on top of qdrant-client's local mode.

Paths, bodies and the `{"result", "status", "time"}` envelope are those that qdrant-client 1.20 sends and parses. The
words of 401 without a key, of 404 and of 400 are those of servers seen in public reports; the one for a wrong key is a
guess. What a real server does beyond it (write-ahead log, shards, HNSW, strict mode) is not here.

It fails the test on requests that it does not know and on faults that nobody ran into.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import TypeAdapter
from qdrant_client import QdrantClient, models

from tests.servers import serving


class Fault(Enum):
    """What the next request meets."""

    REFUSED_KEY = auto()
    BROKEN = auto()
    """HTTP 500."""
    SLOW = auto()
    """No answer before `Qdrant.let_go` is set."""
    CLOSED = auto()
    """The socket closes in the middle of the answer."""
    NO_JSON = auto()


class _NoSuchEndpoint(Exception):
    """Not one of ours."""


@dataclass
class Qdrant:
    """One server, everything it was asked, and the faults to come."""

    api_key: str = ""
    url: str = ""
    asked: list[str] = field(default_factory=list)
    """`METHOD path`, in order."""
    unknown: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    """One a request."""
    always: Fault | None = None
    """Every request, when there is no other."""
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    store: QdrantClient = field(default_factory=lambda: QdrantClient(":memory:"))
    before: Callable[[str], Awaitable[None]] | None = None
    """Called with each request's `METHOD path` before it is carried out: what another client does in between."""

    def app(self, url: str) -> FastAPI:
        """To be served at this address."""
        self.url = url
        app = FastAPI()
        app.add_api_route("/{path:path}", self._any, methods=["GET", "PUT", "POST", "DELETE"])
        return app

    async def _any(self, request: Request) -> Response:
        at = f"{request.method} {request.url.path}"
        self.asked.append(at)
        fault = self.faults.pop(0) if self.faults else self.always
        if fault is not None:
            return await self._fail(fault)
        key = request.headers.get("api-key")
        if self.api_key and key != self.api_key:
            said = "Invalid API key or JWT" if key else None
            return _unauthorised(said or "Must provide an API key or an Authorization bearer token")
        if self.before is not None:
            await self.before(at)
        try:
            return _answer(self._carry_out(request.method, request.url.path, await _json(request)))
        except _NoSuchEndpoint:
            self.unknown.append(at)
            return Response(status_code=404)
        except KeyError as error:
            what = f"Not found: No point with id {error} found"
            return JSONResponse({"status": {"error": what}, "time": 0.0}, status_code=404)
        except ValueError as error:  # local mode's word for what a server answers with a status
            is_missing = "not found" in str(error)
            status = 404 if is_missing else 409 if "already exists" in str(error) else 400
            what = f"Not found: {error}" if is_missing else f"Wrong input: {error}"
            return JSONResponse({"status": {"error": what}, "time": 0.0}, status_code=status)

    async def _fail(self, fault: Fault) -> Response:
        match fault:
            case Fault.REFUSED_KEY:
                return _unauthorised("Must provide an API key or an Authorization bearer token")
            case Fault.BROKEN:
                error = {"error": "Service internal error: 1 of 1 read operations failed"}
                return JSONResponse({"status": error, "time": 0.0}, status_code=500)
            case Fault.SLOW:
                await self.let_go.wait()
                return _answer(None)
            case Fault.CLOSED:
                return StreamingResponse(_half(), headers={"content-length": "5000"})
            case Fault.NO_JSON:
                return PlainTextResponse('{"result": {"poi', media_type="application/json")

    def _carry_out(self, method: str, path: str, body: Any) -> object:
        """The result part of the answer. Raises _NoSuchEndpoint."""
        _, collections, name, *rest = path.split("/")
        if collections != "collections":
            raise _NoSuchEndpoint(path)
        store, at = self.store, (method, *rest)
        match at:
            case ("GET", "exists"):
                return {"exists": store.collection_exists(name)}
            case ("GET",):
                return store.get_collection(name)
            case ("PUT",):
                made = models.CreateCollection.model_validate(body)
                return store.create_collection(name, vectors_config=made.vectors)
            case ("PUT", "index"):
                models.CreateFieldIndex.model_validate(body)
                return _DONE
            case ("PUT", "points"):
                store.upsert(name, models.PointsList.model_validate(body).points)
                return _DONE
            case ("POST", "points"):
                wanted = models.PointRequest.model_validate(body)
                return store.retrieve(name, wanted.ids, with_payload=wanted.with_payload or False)
            case ("POST", "points", "scroll"):
                scroll = models.ScrollRequest.model_validate(body)
                points, after = store.scroll(
                    name,
                    scroll_filter=scroll.filter,
                    limit=scroll.limit or 10,
                    offset=scroll.offset,
                    with_payload=scroll.with_payload or False,
                    with_vectors=scroll.with_vector or False,
                )
                return {"points": points, "next_page_offset": after}
            case ("POST", "points", "batch"):
                operations = models.UpdateOperations.model_validate(body).operations
                store.batch_update_points(name, operations)
                return [_DONE for _ in operations]
            case ("POST", "points", "delete"):
                store.delete(name, TypeAdapter(models.PointsSelector).validate_python(body))
                return _DONE
            case ("POST", "points", "query"):
                query = models.QueryRequest.model_validate(body)
                return store.query_points(
                    name,
                    query=query.query,
                    using=query.using,
                    query_filter=query.filter,
                    limit=query.limit or 10,
                    score_threshold=query.score_threshold,
                    with_payload=query.with_payload or False,
                )
        raise _NoSuchEndpoint(path)


_DONE = {"operation_id": 1, "status": "completed"}


def _answer(result: object) -> Response:
    envelope = {"result": result, "status": "ok", "time": 0.001}
    return Response(TypeAdapter(Any).dump_json(envelope), media_type="application/json")


def _unauthorised(said: str) -> Response:
    return PlainTextResponse(said, status_code=401)


async def _json(request: Request) -> Any:
    return await request.json() if await request.body() else None


async def _half() -> AsyncIterator[bytes]:
    yield b'{"result": {"points": ['


@asynccontextmanager
async def qdrant(*, api_key: str = "") -> AsyncIterator[Qdrant]:
    """A server without collections."""
    made = Qdrant(api_key=api_key)
    async with serving(made.app):
        yield made
        made.let_go.set()
    made.store.close()
    assert not made.unknown, made.unknown
    assert not made.faults, "faults that nobody ran into"
