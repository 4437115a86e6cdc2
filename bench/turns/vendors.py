"""The three emulated vendors of a run, served from the bench's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from websockets.asyncio.server import ServerConnection, serve

from bench.http_model import HttpModel
from bench.turns.model import Model
from bench.turns.recogniser import Recogniser
from bench.turns.truth import Truth
from bench.turns.utterances import Book
from bench.turns.voice import Voice


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """`HOST:PORT` of each."""

    speech: str
    """Recogniser and voice."""
    model: str


@asynccontextmanager
async def serving(truth: Truth, book: Book, questions: dict[str, str]) -> AsyncIterator[Addresses]:
    """Serve on free ports of loopback."""
    model = Model(book, truth, questions)

    async def connected(socket: ServerConnection) -> None:
        path = socket.request.path if socket.request else ""
        await (Recogniser if path.startswith("/v1/listen") else Voice)(socket, truth).run()

    loop = asyncio.get_running_loop()
    http = await loop.create_server(lambda: HttpModel(model.complete), "127.0.0.1", 0)
    async with (
        serve(connected, "127.0.0.1", 0, compression=None, ping_interval=None) as speech,
        http,
    ):
        yield Addresses(
            speech=f"127.0.0.1:{next(iter(speech.sockets)).getsockname()[1]}",
            model=f"127.0.0.1:{http.sockets[0].getsockname()[1]}",
        )
