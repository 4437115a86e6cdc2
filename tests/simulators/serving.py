"""Serves a simulated vendor on a free port, refuses handshakes as scripted, and checks the script at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.simulators.steps import Steps


@asynccontextmanager
async def serving(
    steps: Steps,
    connected: Callable[[ServerConnection], Awaitable[None]],
    faults_of: Callable[[Request], list[str]],
) -> AsyncIterator[str]:
    """Yields the address. `faults_of` tells what is wrong with a handshake."""

    async def shake(socket: ServerConnection, request: Request) -> Response | None:
        step = steps.connects()
        steps.wrong.extend(faults_of(request))
        if step.stalls:
            await asyncio.sleep(30)
        if step.status == 101:
            return None
        response = socket.respond(HTTPStatus(step.status), "refused\n")
        if step.retry_after:
            response.headers["Retry-After"] = step.retry_after
        return response

    async def run(socket: ServerConnection) -> None:
        try:
            await connected(socket)
        except ConnectionClosed:
            pass
        except Exception as error:
            steps.wrong.append(f"what the service cannot make sense of: {error!r}")
            raise

    server = await serve(run, "127.0.0.1", 0, process_request=shake, compression=None)
    try:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
    finally:
        server.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await server.wait_closed()
    steps.check()
