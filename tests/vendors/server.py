"""A vendor's WebSocket on loopback that follows a script: what it is sent is kept, what it answers is the test's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Script = Callable[["Vendor", ServerConnection], Awaitable[None]]


@dataclass
class Vendor:
    """One vendor and everything it was sent."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    texts: list[dict[str, Any]] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def listen(self, socket: ServerConnection) -> None:
        """Keep what comes until the client goes."""
        with suppress(ConnectionClosed):
            async for message in socket:
                async with self.arrived:
                    if isinstance(message, bytes):
                        self.audio += message
                    else:
                        self.texts.append(json.loads(message))
                    self.arrived.notify_all()

    async def until(self, condition: Callable[[], object]) -> None:
        """Until what was sent makes it true."""
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(condition)


@asynccontextmanager
async def vendor(script: Script) -> AsyncIterator[Vendor]:
    """A vendor whose every connection runs the script, then stays until the client goes."""
    made = Vendor()

    async def connected(socket: ServerConnection) -> None:
        assert socket.request is not None
        made.paths.append(socket.request.path)
        made.headers.append(dict(socket.request.headers))
        with suppress(ConnectionClosed):
            await script(made, socket)

    async with serve(connected, "127.0.0.1", 0) as server:
        made.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield made
