"""Starts Pipecat's bot, where an environment with it is named; a process a few calls, as its makers advise."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from bench.servers import free_port
from bench.turns.call import Door
from bench.turns.run import Knock
from bench.turns.vendors import Addresses

VARIABLE = "CALLSPINE_BENCH_PIPECAT"
"""The Python of an environment that has `pipecat-ai[websocket,deepgram,cartesia,openai,silero]==1.14.0` and uvicorn."""
PROCESSES = 2
_BOT = Path(__file__).with_name("pipecat_bot.py")


def is_there() -> bool:
    """Whether it can be measured here."""
    return bool(os.environ.get(VARIABLE))


@asynccontextmanager
async def pipecat(addresses: Addresses, told: Path) -> AsyncIterator[Knock]:
    """A `System` of `bench.turns.run`."""
    async with AsyncExitStack() as running:
        ports = [
            await running.enter_async_context(_bot(addresses, told.with_suffix(f".{n}.log")))
            for n in range(PROCESSES)
        ]
        yield lambda number: Door(url=f"ws://127.0.0.1:{ports[number % PROCESSES]}/media")


@asynccontextmanager
async def _bot(addresses: Addresses, log: Path) -> AsyncIterator[int]:
    port = free_port()
    with log.open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(os.environ[VARIABLE], str(_BOT), str(port), addresses.speech, addresses.model),
            stdout=said,
            stderr=said,
        )
    try:
        async with httpx.AsyncClient() as http, asyncio.timeout(120):
            while True:
                if process.returncode is not None:
                    raise RuntimeError(f"Pipecat's bot ended with {process.returncode}: see {log}")
                try:
                    await http.get(f"http://127.0.0.1:{port}/health")
                except httpx.HTTPError:
                    await asyncio.sleep(0.2)
                else:
                    break
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
