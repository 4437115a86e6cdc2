"""What the voices' adapters add to a vendor's own time, beside a bare client; and how long a call waits for another voice.

Added: from the moment when a reply's first audio is read off the socket to the moment when it comes out of the port, at 50
replies at one time. The bare client has a socket a call and decodes the same message, no more.
Failover: from the failure, as the adapter tells it, to the next voice's first audio; the second vendor's own time to its
first byte (80 to 160 ms here) is in it. Limits: added p50 1 ms, p99 5 ms; failover p95 500 ms.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from bench.report import Row, quantile, report
from bench.voice_services import REST
from media_gateway.errors import VendorUnavailable
from media_gateway.failover.provider import Provider
from media_gateway.failover.text_to_speech import FailoverTextToSpeech
from media_gateway.failover.voices import Voice, probe_voice
from media_gateway.speech.aura_tts import AuraTextToSpeech
from media_gateway.speech.cartesia_tts import CartesiaTextToSpeech
from media_gateway.speech.no_lines import NoLines
from media_gateway.speech.ports import Speech, SpeechItem, SpokenAudio, TextToSpeech

CALLS, ROUNDS, WARM_UP, FAILURES = 50, 12, 2, 4
"""Replies at one time, rounds of them, those of the beginning that do not count, rounds of each kind of failure."""
WORDS = "thank you, that helps me a lot, so let us go on with the next question now."
ADDED_P50_MS, ADDED_P99_MS, FAILOVER_P95_MS = 1.0, 5.0, 500.0

Tell = Callable[[float], None]
stamps: dict[int, float] = {}
"""When the first audio of a caller's reply was read off its socket."""


class StampedSocket(ClientConnection):
    """Keeps when a reply's first audio came."""

    def process_event(self, event: Event) -> None:
        """See ClientConnection."""
        if isinstance(event, Frame):
            first = REST
            if event.opcode is Opcode.BINARY:
                first = bytes(event.data[:1])
            elif event.opcode is Opcode.TEXT and b'"chunk"' in bytes(event.data[:24]):
                first = base64.b64decode(bytes(event.data).split(b'"data": "', 1)[1][:4])[:1]
            if first != REST:
                stamps[first[0]] = time.perf_counter()
        super().process_event(event)


connected: Any = partial(connect, create_connection=StampedSocket, compression=None, proxy=None)


@asynccontextmanager
async def services() -> AsyncIterator[str]:
    """Both vendors, in another process."""
    command = (sys.executable, "-m", "bench.voice_services", str(CALLS))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield f"ws://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.stdin.close()
        await process.wait()


async def in_rounds(reply: Callable[[int, Tell], Awaitable[None]], rounds: int) -> list[float]:
    """Milliseconds that the replies told, of all rounds but the first ones."""
    told: list[float] = []
    for at in range(rounds):
        found: list[float] = []
        await asyncio.gather(*(reply(call, found.append) for call in range(1, CALLS + 1)))
        told += [1000 * seconds for seconds in found] if at >= WARM_UP else []
    return told


def voice(name: str, port: TextToSpeech) -> Voice:
    """Without spoken lines."""
    return Voice(provider=Provider(name, port, probe_voice), lines=NoLines())


def cartesia(url: str) -> CartesiaTextToSpeech:
    """On one socket."""
    return CartesiaTextToSpeech(api_key="k", voice_id="v", base_url=url)


def aura(url: str) -> AuraTextToSpeech:
    """On as many sockets as it needs."""
    return AuraTextToSpeech(api_key="k", base_url=url, most=4 * CALLS)


# --- what is added -------------------------------------------------------------------------------


async def added_by(name: str, port: TextToSpeech) -> list[float]:
    """Of one adapter, with all that stands before it in a call."""
    tts = FailoverTextToSpeech([voice(name, port)])

    async def reply(call: int, tell: Tell) -> None:
        speech = await tts.begin()
        await speech.say(0, f"{call} speak {WORDS}")
        await speech.finish()
        async for item in speech:
            if isinstance(item, SpokenAudio) and item.mulaw[:1] == bytes([call]):
                tell(time.perf_counter() - stamps[call])

    try:
        return await in_rounds(reply, WARM_UP + ROUNDS)
    finally:
        await tts.close()


async def bare(url: str, path: str, requests: Sequence[dict[str, Any]]) -> list[float]:
    """A socket a call; `TEXT` in the requests is what is to be said."""
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connected(url + path)) for _ in range(CALLS)]

        async def reply(call: int, tell: Tell) -> None:
            socket = sockets[call - 1]
            for request in requests:
                await socket.send(json.dumps(request).replace("TEXT", f"{call} speak {WORDS}"))
            while True:
                message = await socket.recv()
                if isinstance(message, str):
                    event = json.loads(message)
                    if event["type"] in ("done", "Flushed"):
                        return
                    message = base64.b64decode(event.get("data", ""))
                if message[:1] == bytes([call]):
                    tell(time.perf_counter() - stamps[call])

        return await in_rounds(reply, WARM_UP + ROUNDS)


# --- how long a call waits -----------------------------------------------------------------------


class Witness:
    """A voice that keeps when it failed a caller."""

    def __init__(self, port: TextToSpeech) -> None:
        self._port = port
        self.failed: dict[int, float] = {}

    async def begin(self) -> Speech:
        """See the port."""
        return WitnessSpeech(await self._port.begin(), self)

    async def close(self) -> None:
        """See the port."""
        await self._port.close()


class WitnessSpeech:
    """One reply."""

    def __init__(self, speech: Speech, witness: Witness) -> None:
        self._speech = speech
        self._witness = witness
        self._call = 0

    async def say(self, segment: int, text: str) -> None:
        """See the port."""
        self._call = int(text.split()[0])
        await self._speech.say(segment, text)

    async def finish(self) -> None:
        """See the port."""
        await self._speech.finish()

    async def cancel(self) -> None:
        """See the port."""
        await self._speech.cancel()

    async def __aiter__(self) -> AsyncGenerator[SpeechItem, None]:
        try:
            async with aclosing(aiter(self._speech)) as items:
                async for item in items:
                    yield item
        except VendorUnavailable:
            self._witness.failed[self._call] = time.perf_counter()
            raise


async def failovers(url: str, what: str) -> list[float]:
    """Milliseconds from the failure to the next voice's first audio; of a silent voice, from the words."""
    waits: list[float] = []
    for _ in range(FAILURES):
        witness = Witness(cartesia(url))
        second = aura(url)
        second.keep_warm()
        # Anew for each round: a breaker that has opened would spare calls the failure that is measured.
        tts = FailoverTextToSpeech([voice("cartesia", witness), voice("aura", second)])

        async def reply(call: int, witness: Witness, tts: FailoverTextToSpeech) -> float:
            speech = await tts.begin()
            asked_s = time.perf_counter()
            await speech.say(0, f"{call} {what} {WORDS}")
            await speech.finish()
            waited_s = 0.0
            async for item in speech:
                if isinstance(item, SpokenAudio) and item.mulaw and not waited_s:
                    from_s = asked_s if what == "mute" else witness.failed.get(call)
                    if from_s is not None:
                        waited_s = time.perf_counter() - from_s
            return waited_s

        calls = (reply(call, witness, tts) for call in range(1, CALLS + 1))
        waits += [1000 * seconds for seconds in await asyncio.gather(*calls)]
        await tts.close()
    return waits


# --- the table -----------------------------------------------------------------------------------


def row(what: str, values: Sequence[float], limits: dict[float, float]) -> Row:
    """`limits`: by share."""
    is_met = all(quantile(values, share) <= limit for share, limit in limits.items())
    told = ", ".join(f"p{round(100 * share)} {limit:g}" for share, limit in limits.items())
    return {
        "ms": what,
        "n": len(values),
        "p50": quantile(values, 0.5),
        "p95": quantile(values, 0.95),
        "p99": quantile(values, 0.99),
        "worst": max(values),
        "limit": f"{told}: {'met' if is_met else 'MISSED'}" if limits else "",
    }


async def main() -> None:
    """Run it, some 40 seconds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    added_limits = {0.5: ADDED_P50_MS, 0.99: ADDED_P99_MS}
    context = {"context_id": "c", "transcript": "TEXT", "continue": False}
    async with services() as url:
        with patch("media_gateway.speech.vendor_socket.connect", connected):
            rows = [
                row("cartesia, bare client", await bare(url, "/tts/websocket", [context]), {}),
                row("cartesia, added", await added_by("cartesia", cartesia(url)), added_limits),
                row(
                    "aura, bare client",
                    await bare(
                        url, "/v1/speak", [{"type": "Speak", "text": "TEXT"}, {"type": "Flush"}]
                    ),
                    {},
                ),
                row("aura, added", await added_by("aura", aura(url)), added_limits),
            ]
        failover_limit = {0.95: FAILOVER_P95_MS}
        rows += [
            row("failover: refused", await failovers(url, "refuse"), failover_limit),
            row(
                "failover: socket dies in mid-utterance",
                await failovers(url, "break"),
                failover_limit,
            ),
            row("silent voice, from words to sound", await failovers(url, "mute"), {}),
        ]
    report(
        "vendors_tts",
        f"Voices: {CALLS} replies at one time",
        rows,
        [
            "added: first audio read off the socket → out of the port, with failover's own part in it.",
            "failover: in it the second vendor's 80 to 160 ms, and 48 of 50 handshakes: two sockets are warm.",
            "silent voice: in it the 800 ms after which the next voice is asked.",
        ],
    )
