"""The road between a gateway and Temporal: TCP through this process, whose answers can be made to take longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial


class Road:
    """Every answer takes `delay_s` longer, as over a long line: none is lost, and one does not wait for the other."""

    def __init__(self, far: str) -> None:
        self._host, _, port = far.rpartition(":")
        self._port = int(port)
        self.delay_s = 0.0

    async def carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        """One connection, for as long as both ends hold it."""
        try:
            far_in, far_out = await asyncio.open_connection(self._host, self._port)
        except ConnectionError:
            near_out.transport.abort()  # nobody is there
            return
        ways = (self._way(near_in, far_out, False), self._way(far_in, near_out, True))
        try:
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            for end in (near_out, far_out):
                end.transport.abort()

    async def _way(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_delayed: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        free_s = 0.0
        while data := await source.read(65_536):
            if not is_delayed:
                sink.write(data)
                continue
            # Never before what came earlier, though the delay was changed meanwhile.
            free_s = max(loop.time() + self.delay_s, free_s)
            loop.call_at(free_s, partial(_write, sink, data))
        sink.close()


def _write(sink: asyncio.StreamWriter, data: bytes) -> None:
    if not sink.is_closing():
        sink.write(data)


@asynccontextmanager
async def road_to(far: str) -> AsyncIterator[tuple[Road, str]]:
    """Yields the road and the address of its near end."""
    road = Road(far)
    server = await asyncio.start_server(road.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield road, f"127.0.0.1:{port}"
