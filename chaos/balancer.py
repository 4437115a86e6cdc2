"""A TCP balancer before the gateways: new connections go to the first that is healthy, old ones die with theirs.

What a balancer of an operator does, and no more: a backend is asked for `/health` and left out while it answers
anything but 200 or nothing at all; a refused connection goes to the next backend at once; while there is none, a
connection waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

CHECK_EVERY_S = 0.25
CHECK_WITHIN_S = 2.0
"""A gateway on a busy machine may be slow; a frozen one is left out after this."""
CONNECT_WITHIN_S = 1.0
WAIT_FOR_BACKEND_S = 12.0
"""Below the carrier's 15 s for a webhook."""
CHUNK_BYTES = 1 << 16


@dataclass(eq=False)
class _Connection:
    """One forwarded connection."""

    client: asyncio.StreamWriter
    backend: asyncio.StreamWriter
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


@dataclass(eq=False)
class _Backend:
    port: int
    is_healthy: bool = False
    connections: set[_Connection] = field(default_factory=set)


class Balancer:
    """An async context manager; listens on `port` of the loopback address while it is open."""

    def __init__(self, port: int, backends: Sequence[int]) -> None:
        self._port = port
        self._backends = [_Backend(port=backend) for backend in backends]
        self._server: asyncio.Server | None = None
        self._checks: list[asyncio.Task[None]] = []
        self._partitioned: list[_Connection] = []

    async def __aenter__(self) -> Balancer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._checks = [asyncio.create_task(self._check(backend)) for backend in self._backends]
        return self

    async def __aexit__(self, *_: object) -> None:
        for check in self._checks:
            check.cancel()
        await asyncio.gather(*self._checks, return_exceptions=True)
        self.heal_partitions()
        for backend in self._backends:
            for connection in list(backend.connections):
                _close(connection.client, connection.backend)
        if self._server is not None:
            self._server.close()
            await asyncio.sleep(0)  # what was aborted is closed in the loop's next round

    def connections(self, port: int) -> int:
        """Open connections of a backend: its media streams, mostly."""
        return len(self._of(port).connections)

    def is_healthy(self, port: int) -> bool:
        """As the last check saw it."""
        return self._of(port).is_healthy

    def partition(self, port: int) -> int:
        """The net between clients and a backend breaks: clients are cut off, the backend never hears of it. Returns how many."""
        backend = self._of(port)
        backend.is_healthy = False
        cut = list(backend.connections)
        for connection in cut:
            for task in connection.tasks:
                task.cancel()
            self._partitioned.append(connection)
            connection.client.transport.abort()
        backend.connections.clear()
        return len(cut)

    def heal_partitions(self) -> None:
        """Backends learn that their clients are gone."""
        for connection in self._partitioned:
            _close(connection.backend)
        self._partitioned.clear()

    def _of(self, port: int) -> _Backend:
        return next(backend for backend in self._backends if backend.port == port)

    # --- health ------------------------------------------------------------------------------

    async def _check(self, backend: _Backend) -> None:
        while True:
            try:
                async with asyncio.timeout(CHECK_WITHIN_S):
                    backend.is_healthy = await _answers_200(backend.port)
            except (OSError, TimeoutError):
                backend.is_healthy = False
            await asyncio.sleep(CHECK_EVERY_S)

    # --- forwarding --------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await self._connect()
        if found is None:
            writer.transport.abort()
            return
        backend, (backend_reader, backend_writer) = found
        connection = _Connection(client=writer, backend=backend_writer)
        backend.connections.add(connection)
        connection.tasks = [
            asyncio.create_task(_pump(reader, backend_writer)),
            asyncio.create_task(_pump(backend_reader, writer)),
        ]
        await asyncio.wait(connection.tasks, return_when=asyncio.ALL_COMPLETED)
        if connection in backend.connections:
            backend.connections.discard(connection)
            _close(writer, backend_writer)

    async def _connect(
        self,
    ) -> tuple[_Backend, tuple[asyncio.StreamReader, asyncio.StreamWriter]] | None:
        deadline_s = asyncio.get_running_loop().time() + WAIT_FOR_BACKEND_S
        while asyncio.get_running_loop().time() < deadline_s:
            for backend in self._backends:
                if not backend.is_healthy:
                    continue
                try:
                    async with asyncio.timeout(CONNECT_WITHIN_S):
                        return backend, await asyncio.open_connection("127.0.0.1", backend.port)
                except (OSError, TimeoutError):
                    backend.is_healthy = False
            await asyncio.sleep(0.02)
        return None


async def _answers_200(port: int) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /health HTTP/1.1\r\nHost: balancer\r\nConnection: close\r\n\r\n")
        status = await reader.readline()
        return status.split()[1:2] == [b"200"]
    finally:
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction until its end; the other side learns of the end, and of a break as a break."""
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        writer.transport.abort()
        return
    with suppress(ConnectionError, RuntimeError, OSError):
        writer.write_eof()


def _close(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.transport.abort()
