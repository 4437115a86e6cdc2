"""Deepgram's `/v1/listen` and `/v2/listen` on loopback: they recognise `tests.simulators.spoken`, and misbehave as planned.

A plan is one `Connection` for each that the client is to open. A connection too many, one that never comes, a parameter or
message that the protocol does not have, and a control message that was not expected, or did not come, fail the test.
"""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.simulators.deepgram_flux import FluxRecogniser
from tests.simulators.deepgram_nova import NovaRecogniser

NOTHING_FOR_S = 10.0
KEY = "secret"
_NOVA = frozenset(
    "model encoding sample_rate channels interim_results endpointing utterance_end_ms vad_events smart_format "
    "keyterm keywords".split()
)
_FLUX = frozenset(
    "model encoding sample_rate eot_threshold eager_eot_threshold eot_timeout_ms keyterm".split()
)


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What happens on one connection. As it stands: all goes well until the client closes."""

    refuse: int = 0
    """HTTP status instead of a socket."""
    retry_after: str = ""
    stall_s: float = 0.0
    """Before the handshake is answered."""
    is_silent: bool = False
    """Takes everything and says nothing."""
    latency_s: float = 0.0
    """Before each message of the recogniser's."""
    break_at_ms: float | None = None
    """The connection is lost once it was sent this much audio, before anything is said about it."""
    code: int | None = None
    """The close code of that loss; None: the transport is gone without one."""
    reason: str = ""
    says_first: tuple[str, ...] = ()
    """Sent as it is, before anything else."""
    controls: tuple[str, ...] | None = None
    """The exact control messages, KeepAlive apart; None: any that the protocol has."""


@dataclass(kw_only=True)
class Deepgram:
    """The vendor, what it was asked for and everything that was wrong with it."""

    plan: list[Connection]
    url: str = ""
    opened: int = 0
    """Handshakes, refused ones included."""
    queries: list[list[tuple[str, str]]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    audio_ms: list[float] = field(default_factory=list)
    """Of each socket."""
    controls: list[list[str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    sockets: list[ServerConnection] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, condition: Any) -> None:
        """Until what was sent makes it true."""
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(condition)

    async def told(self) -> None:
        """Something came."""
        async with self.changed:
            self.changed.notify_all()


@asynccontextmanager
async def deepgram(*plan: Connection) -> AsyncIterator[Deepgram]:
    """Serve the plan. Raises AssertionError at the end when something else happened."""
    made = Deepgram(plan=list(plan) or [Connection()])
    planned: dict[ServerConnection, Connection] = {}

    async def admit(socket: ServerConnection, request: Request) -> Response | None:
        number, made.opened = made.opened, made.opened + 1
        await made.told()
        made.keys.append(request.headers.get("Authorization", ""))
        made.paths.append(urlsplit(request.path).path)
        made.queries.append(parse_qsl(urlsplit(request.path).query))
        if number >= len(made.plan):
            made.wrong.append(f"connection {number + 1}: nobody expected it")
            return _response(503)
        connection = planned[socket] = made.plan[number]
        await asyncio.sleep(connection.stall_s)
        if connection.refuse:
            return _response(connection.refuse, connection.retry_after)
        if request.headers.get("Authorization") != f"Token {KEY}":
            return _response(401)
        if problem := _problem(made.paths[-1], made.queries[-1]):
            made.wrong.append(problem)
            return _response(400)
        return None

    async def connected(socket: ServerConnection) -> None:
        assert socket.request is not None
        made.sockets.append(socket)
        served = _Socket(made, socket, planned[socket])
        try:
            await served.run()
        except ConnectionClosed:
            pass
        except Exception as error:
            made.wrong.append(f"what the service cannot make sense of: {error!r}")
            raise
        served.check()

    # A client that is cut off is not waited for: with its audio still queued the server would not see that it is gone.
    options: dict[str, Any] = {"process_request": admit, "compression": None, "close_timeout": 0.2}
    async with serve(connected, "127.0.0.1", 0, **options) as server:
        made.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield made
        server.close()
    if made.opened < len(made.plan):
        made.wrong.append(f"{len(made.plan) - made.opened} connections never came")
    assert not made.wrong, made.wrong


def _response(status: int, retry_after: str = "") -> Response:
    headers = Headers({"dg-request-id": "r-1", "dg-error": "no", "Content-Length": "0"})
    if retry_after:
        headers["Retry-After"] = retry_after
    return Response(status, http.HTTPStatus(status).phrase, headers, b"")


def _problem(path: str, query: Sequence[tuple[str, str]]) -> str:
    given = dict(query)
    is_flux = path == "/v2/listen"
    if path not in ("/v1/listen", "/v2/listen"):
        return f"no such path {path}"
    if unknown := set(given) - (_FLUX if is_flux else _NOVA):
        return f"no such parameters {unknown}"
    if (given.get("encoding"), given.get("sample_rate")) != ("mulaw", "8000"):
        return "raw audio needs its encoding and rate"
    if given.get("model", "").startswith("flux-") is not is_flux:
        return f"{path} does not serve {given.get('model')}"
    if sum(name == "keyterm" for name, _ in query) > 100:
        return "too many key terms"
    eager = float(given.get("eager_eot_threshold", 0.3))
    if is_flux and not 0.3 <= eager <= float(given.get("eot_threshold", 0.7)) <= 0.9:
        return "thresholds out of order"
    return ""


class _Socket:
    def __init__(self, made: Deepgram, socket: ServerConnection, connection: Connection) -> None:
        self._made = made
        self._socket = socket
        self._connection = connection
        self._number = len(made.audio_ms)
        self._is_broken = False
        made.audio_ms.append(0.0)
        made.controls.append([])
        query = dict(made.queries[made.opened - 1])
        is_flux = made.paths[made.opened - 1] == "/v2/listen"
        self._recogniser = FluxRecogniser(query) if is_flux else NovaRecogniser(query)

    async def run(self) -> None:
        for text in (*self._connection.says_first, *self._recogniser.opening()):
            await self._socket.send(text)
        while True:
            try:
                async with asyncio.timeout(NOTHING_FOR_S):
                    message = await self._socket.recv()
            except TimeoutError:
                await self._socket.close(1011, "NET-0001")
                return
            if isinstance(message, bytes):
                if await self._is_over_with(message):
                    return
            elif await self._is_closed_by(message):
                return
            await self._made.told()

    async def _is_over_with(self, audio: bytes) -> bool:
        if not audio:
            self._made.wrong.append("an empty frame closes the stream")
            return True
        break_at_ms = self._connection.break_at_ms
        heard_ms = self._made.audio_ms[self._number] + len(audio) / 8
        self._made.audio_ms[self._number] = heard_ms
        if break_at_ms is not None and heard_ms >= break_at_ms:
            await self._break()
            return True
        await self._say(self._recogniser.hear(audio))
        return False

    async def _break(self) -> None:
        self._is_broken = True
        await self._made.told()
        if self._connection.code is None:
            self._socket.transport.abort()
        else:
            await self._socket.close(self._connection.code, self._connection.reason)

    async def _is_closed_by(self, text: str) -> bool:
        kind = str(json.loads(text)["type"])
        if kind not in self._recogniser.CONTROLS:
            self._made.wrong.append(f"no such message {kind}")
            return True
        if kind != "KeepAlive" or self._connection.controls is None:
            self._made.controls[self._number].append(kind)
        await self._say(self._recogniser.control(kind))
        if kind == "CloseStream":
            await self._made.told()
            await self._socket.close(1000)
        return kind == "CloseStream"

    async def _say(self, texts: Sequence[str]) -> None:
        if self._connection.is_silent:
            return
        for text in texts:
            if self._connection.latency_s:
                await asyncio.sleep(self._connection.latency_s)
            await self._socket.send(text)

    def check(self) -> None:
        """That all controls that were expected came, and no other, and that it broke where it was to."""
        if self._connection.break_at_ms is not None and not self._is_broken:
            self._made.wrong.append(f"connection {self._number + 1}: never broke")
        wanted = self._connection.controls
        got = tuple(self._made.controls[self._number])
        if wanted is not None and got != wanted:
            self._made.wrong.append(f"connection {self._number + 1}: {got} instead of {wanted}")
