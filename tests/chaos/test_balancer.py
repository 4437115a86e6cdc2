"""The balancer sends to whoever is healthy, and cuts who is not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from chaos.balancer import Balancer


class Backend:
    """Says its name to every connection that says hello; answers `/health` as told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.health = 200
        self.port = 0
        self.said: list[bytes] = []
        self.open = 0
        self.server: asyncio.Server | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while text := await reader.readline():
                if text.startswith(b"GET /health"):
                    writer.write(f"HTTP/1.1 {self.health} .\r\n\r\n".encode())
                    return
                self.said.append(text)
                writer.write(f"{self.name}\n".encode())
        except ConnectionError:
            return
        finally:
            self.open -= 1
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def balanced() -> AsyncIterator[tuple[int, Balancer, Backend, Backend]]:
    one, two = Backend("one"), Backend("two")
    for backend in (one, two):
        backend.server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
        backend.port = backend.server.sockets[0].getsockname()[1]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with Balancer(port, [one.port, two.port]) as balancer:
        await until(lambda: balancer.is_healthy(one.port) and balancer.is_healthy(two.port))
        yield port, balancer, one, two
    for backend in (one, two):
        if backend.server is not None:
            backend.server.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


class Client:
    """One connection through the balancer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def greet(self) -> str:
        """Who answers; empty when nobody does."""
        with suppress(ConnectionError):
            self._writer.write(b"hello\n")
            async with asyncio.timeout(10):
                return (await self.reader.readline()).decode().strip()
        return ""


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def who_answers(port: int) -> str:
    async with client(port) as caller:
        return await caller.greet()


async def test_the_first_healthy_backend_gets_new_connections() -> None:
    async with balanced() as (port, balancer, one, _):
        assert await who_answers(port) == "one"
        one.health = 503
        await until(lambda: not balancer.is_healthy(one.port))
        assert await who_answers(port) == "two"
        one.health = 200
        await until(lambda: balancer.is_healthy(one.port))
        assert await who_answers(port) == "one"


async def test_a_draining_backend_keeps_its_connections() -> None:
    async with balanced() as (port, balancer, one, _), client(port) as caller:
        await caller.greet()
        one.health = 503
        await until(lambda: not balancer.is_healthy(one.port))
        assert await caller.greet() == "one"
        assert balancer.connections(one.port) == 1


async def test_a_backend_that_refuses_is_passed_over_at_once() -> None:
    async with balanced() as (port, _, one, __):
        assert one.server is not None
        one.server.close()
        assert await who_answers(port) == "two"


async def test_a_partition_cuts_the_client_and_the_backend_does_not_hear_of_it() -> None:
    async with balanced() as (port, balancer, one, _), client(port) as caller:
        await caller.greet()
        await until(lambda: one.open == 1)  # no check of its health is open
        assert balancer.partition(one.port) == 1
        assert await caller.greet() == ""
        assert one.open >= 1
        balancer.heal_partitions()
        await until(lambda: one.open == 0)


async def test_a_connection_waits_while_there_is_no_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chaos.balancer.WAIT_FOR_BACKEND_S", 0.2)
    async with balanced() as (port, balancer, one, two):
        one.health = two.health = 503
        await until(lambda: not balancer.is_healthy(one.port) and not balancer.is_healthy(two.port))
        assert await who_answers(port) == ""
        assert one.said == two.said == []


async def test_a_connection_that_waited_gets_the_backend_that_comes() -> None:
    async with balanced() as (port, balancer, one, two):
        one.health = two.health = 503
        await until(lambda: not balancer.is_healthy(one.port) and not balancer.is_healthy(two.port))
        waiting = asyncio.create_task(who_answers(port))
        two.health = 200
        assert await waiting == "two"
