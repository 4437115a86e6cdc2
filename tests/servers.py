"""Real servers on free ports, started and stopped by the test that needs them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI


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
