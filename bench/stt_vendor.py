"""`python -m bench.stt_vendor PORT [BREAK_AT]`: a recogniser in a process of its own that answers at once and writes stamps.

Audio frames begin with the time at which they were handed over. Every tenth frame is answered by a result whose words
are that time, the time it came here, and the time the answer left; with BREAK_AT each client's first connection is cut at
that frame, and its next one is told how long that took up to its first audio.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

ANSWER_EVERY = 10
FRAME_S = 0.02


class Vendor:
    """All clients, told apart by their key term."""

    def __init__(self, break_at: int) -> None:
        self._break_at = break_at
        self._broke_at_ns: dict[str, int] = {}
        self._was_broken: set[str] = set()

    async def connected(self, socket: ServerConnection) -> None:
        """One connection."""
        assert socket.request is not None
        name = parse_qs(urlsplit(socket.request.path).query)["keyterm"][0]
        with suppress(ConnectionClosed):
            await self._listen(name, socket)

    async def _listen(self, name: str, socket: ServerConnection) -> None:
        count = 0
        async for message in socket:
            if isinstance(message, str):
                continue
            came_ns, count = time.monotonic_ns(), count + 1
            if (broke_ns := self._broke_at_ns.pop(name, 0)) and name in self._was_broken:
                await socket.send(_results(f"back {came_ns - broke_ns}", count))
            elif self._break_at and count == self._break_at and name not in self._was_broken:
                self._was_broken.add(name)
                self._broke_at_ns[name] = time.monotonic_ns()
                socket.transport.abort()
                return
            elif count % ANSWER_EVERY == 0:
                sent_ns = struct.unpack_from("<q", message)[0]
                await socket.send(
                    _results(f"heard {sent_ns} {came_ns} {time.monotonic_ns()}", count)
                )


def _results(text: str, count: int) -> str:
    begin_s = (count - ANSWER_EVERY) * FRAME_S
    alternative = {"transcript": text, "confidence": 0.9, "words": []}
    return json.dumps(
        {
            "type": "Results",
            "channel_index": [0, 1],
            "start": max(0.0, begin_s),
            "duration": ANSWER_EVERY * FRAME_S,
            "is_final": True,
            "speech_final": False,
            "from_finalize": False,
            "channel": {"alternatives": [alternative]},
            "metadata": {
                "request_id": "r",
                "model_uuid": "m",
                "model_info": {"name": "n", "version": "v", "arch": "a"},
            },
        }
    )


async def _main(port: int, break_at: int) -> None:
    vendor = Vendor(break_at)
    async with serve(vendor.connected, "127.0.0.1", port, compression=None) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
