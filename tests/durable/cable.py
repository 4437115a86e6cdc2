"""A cable to a server that a test can cut and mend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Cable:
    """Forwards TCP from a port of its own to the server. Cut, it refuses connections and ends those that are open."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._near_port = 0

    @property
    def address(self) -> str:
        """The near end."""
        return f"127.0.0.1:{self._near_port}"

    async def mend(self) -> None:
        """Let through, on the same port as before."""
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._near_port)
        self._near_port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Let nothing through."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        ends = {writer, far_writer}
        self._open |= ends
        try:
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            self._open -= ends


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def cable_to(target: str) -> AsyncIterator[Cable]:
    """A cable that is whole."""
    cable = Cable(target)
    await cable.mend()
    try:
        yield cable
    finally:
        await cable.cut()
