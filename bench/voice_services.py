"""`python -m bench.voice_services PARTY`: both voices' protocols in a process of their own, that answer after a fixed wait.

Texts begin with a caller's number and what is to happen: `7 speak`, `7 refuse` (an error), `7 mute` (nothing), `7 break`
(two words; when a whole party waits there, its sockets are aborted). The first piece of a reply's audio is the number.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

WORD_MS = 100
REST = b"\x7f"
"""Of audio behind a reply's first piece."""
PIECE_EVERY_S = 0.01
"""A voice that is ten times as fast as speech."""
FIRST_BYTE_S = [0.08 + 0.001 * (n * 37 % 80) for n in range(80)]
"""Of replies in turn: so that those which are asked at one time do not answer at one time."""


class Services:
    """What all connections share."""

    def __init__(self, party: int) -> None:
        self._party = party
        self._waiting: list[ServerConnection] = []
        self._waits = itertools.cycle(FIRST_BYTE_S)
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, socket: ServerConnection) -> None:
        """One client, until it goes."""
        try:
            speaks = socket.request is not None and socket.request.path.startswith("/v1/speak")
            await (self._aura(socket) if speaks else self._cartesia(socket))
        except ConnectionClosed:
            return

    async def _cartesia(self, socket: ServerConnection) -> None:
        texts: dict[str, str] = {}
        async for message in socket:
            request = json.loads(message)
            context = request["context_id"]
            if request.get("cancel"):
                continue
            texts[context] = texts.get(context, "") + request["transcript"]
            if request.get("continue") is False:
                task = asyncio.create_task(self._speak(socket, context, texts.pop(context)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _speak(self, socket: ServerConnection, context: str, text: str) -> None:
        def message(kind: str, **fields: object) -> str:
            return json.dumps({"type": kind, "context_id": context, **fields})

        number, what, *_ = words = text.split()
        if what == "mute":
            return
        await asyncio.sleep(next(self._waits))
        if what == "refuse":
            await socket.send(message("error", error_code="busy", status_code=500))
            return
        starts = [n * WORD_MS / 1000 for n in range(len(words))]
        times = {"words": words, "start": starts, "end": [s + WORD_MS / 1000 for s in starts]}
        for n in range(len(words)):
            if n == 2 and what == "break":
                self._break_together(socket)
                return
            data = base64.b64encode(_audio(number, n)).decode()
            await socket.send(message("chunk", data=data, flush_id=1))
            await asyncio.sleep(PIECE_EVERY_S)
            if n == 0:
                await socket.send(message("timestamps", word_timestamps=times))
        await socket.send(message("flush_done", flush_id=1))
        await socket.send(message("done", done=True))

    def _break_together(self, socket: ServerConnection) -> None:
        self._waiting.append(socket)
        if len(self._waiting) >= self._party:
            for waiting in self._waiting:
                waiting.transport.abort()
            self._waiting.clear()

    async def _aura(self, socket: ServerConnection) -> None:
        words: list[str] = []
        async for message in socket:
            request = json.loads(message)
            match request["type"]:
                case "Speak":
                    words += request["text"].split()
                case "Flush":
                    await asyncio.sleep(next(self._waits))
                    for n in range(len(words)):
                        await socket.send(_audio(words[0], n))
                        await asyncio.sleep(PIECE_EVERY_S)
                    await socket.send(json.dumps({"type": "Flushed", "sequence_id": 0}))
                    words = []
                case "Clear":
                    await socket.send(json.dumps({"type": "Cleared", "sequence_id": 0}))
                case _:
                    return


def _audio(number: str, n: int) -> bytes:
    is_first = n == 0 and number.isdecimal()
    return (bytes([int(number)]) if is_first else REST) * 8 * WORD_MS


async def main() -> None:
    """Serve until standard input ends."""
    services = Services(int(sys.argv[1]))
    async with serve(services.connected, "127.0.0.1", 0, compression=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
