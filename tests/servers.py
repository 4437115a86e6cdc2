"""Real servers on free ports, started and stopped by the test that needs them."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

_FIRST, _SPAN = 10_000, 2_000
"""Below the range from which a machine takes ports for connections that go out."""
_NUMBERS = itertools.count(random.SystemRandom().randrange(_SPAN))


def free_port() -> int:
    """A port of loopback that nobody listens on; test processes that run side by side never try the same ones."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for number in itertools.islice(_NUMBERS, _SPAN):
        port = _FIRST + worker * _SPAN + number % _SPAN
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise RuntimeError(f"no free port from {_FIRST} on")


@asynccontextmanager
async def serving(make_app: Callable[[str], FastAPI]) -> AsyncIterator[str]:
    """Serve the app that is made for the address; yields the address, `http://127.0.0.1:PORT`."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(make_app(url), log_level="warning", ws="websockets-sansio")
    )
    task = asyncio.create_task(server.serve(sockets=[listener]))
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield url
    finally:
        server.should_exit = True
        await task
