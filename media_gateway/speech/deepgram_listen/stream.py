"""One caller's live stream that outlives its connections: what a lost one had not finished is sent again on the next.

audio in ─► ring ─► writer ─► socket ─► reading ─► transcripts
             ▲                  │ lost: the writer of the next socket begins at `finished_ms`
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import structlog
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.deepgram_listen.added_silence import AddedSilence
from media_gateway.speech.deepgram_listen.counts import ListenCounts
from media_gateway.speech.deepgram_listen.reading import Oddity, Reading
from media_gateway.speech.deepgram_listen.socket import VENDOR, closed_with, is_bad_audio
from media_gateway.speech.deepgram_listen.unfinished import UnfinishedAudio
from media_gateway.speech.deepgram_listen.watch import SocketWatch
from media_gateway.speech.ports import Transcript
from media_gateway.speech.vendor_socket import CLOSE_WITHIN_S
from media_gateway.twilio.mulaw import BYTES_PER_MS, SILENCE

log = structlog.get_logger(__name__)

RECONNECT_WITHIN_S = 1.5
"""A caller's patience, where there is nobody else to recognise."""
DIAL_WITHIN_S = 0.7
"""One try: a second one may find another machine."""
FIRST_WAIT_S, MOST_WAIT_S = 0.05, 0.4
MOST_FRUITLESS = 2
"""Connections in a row that are lost before they said anything of what they heard."""
KEPT_MS = 20_000
"""Audio that can be sent again: Nova finishes a span within five seconds, and whoever had this stream before us may hand
over as much (`failover.unfinalised`)."""
CHUNK_BYTES = 100 * BYTES_PER_MS
"""The most in one message. Their guide asks not to be sent audio much faster than it is spoken (unverified how much): what
has to be sent again is a few seconds, and late words cost a call more."""
TICK_S = 0.25
KEEP_ALIVE_AFTER_S = 4.0
"""Without audio. The service closes a stream that sent nothing for 10 s."""
SILENCE_AFTER_S = 0.5
"""Flux has no KeepAlive: a turn would hang in the air when the audio stops, so silence is sent."""

Dial = Callable[[float], Awaitable[ClientConnection]]


class DeepgramRecognition:
    """Implements Recognition."""

    def __init__(
        self,
        socket: ClientConnection,
        dial: Dial,
        reading: Reading,
        *,
        is_flux: bool,
        silent_after_s: float,
        reconnect_within_s: float,
        reconnected: Callable[[], None],
        counts: ListenCounts,
    ) -> None:
        """`dial` opens another connection within the seconds it is given, or raises VendorUnavailable."""
        self._dial = dial
        self._reading = reading
        self._is_flux = is_flux
        self._reconnect_within_s = reconnect_within_s
        self._reconnected = reconnected
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._audio = UnfinishedAudio(most_bytes=KEPT_MS * BYTES_PER_MS)
        self._sent = 0
        """Position up to which the present socket was given audio."""
        self._silence = AddedSilence()
        self._watch = SocketWatch(silent_after_s=silent_after_s)
        self._wake = asyncio.Event()
        self._heard_at_s = self._loop.time()
        self._has_keep_alive_due = False
        self._broken_for = ""
        """Why we ourselves gave the present socket up."""
        self._fruitless = 0
        self._is_closed = False
        self._tick = self._loop.call_later(TICK_S, self._ticked)
        self._socket: ClientConnection | None = None
        self._writer: asyncio.Task[None] | None = None
        self._use(socket)

    # --- what comes in ---------------------------------------------------------------------------

    def send(self, mulaw: bytes) -> None:
        """Take audio, whether there is a socket or not; the oldest goes when none takes it."""
        if not mulaw or self._is_closed:
            return
        self._heard_at_s = self._loop.time()
        self._watch.heard(mulaw, self._heard_at_s)
        self._keep(mulaw)

    async def finalize(self) -> None:
        """Ask for the words of everything sent so far."""
        self._reading.finish_at(self._audio.end // BYTES_PER_MS)
        self._watch.asked(self._loop.time())
        self._wake.set()

    def _keep(self, mulaw: bytes) -> None:
        dropped = self._audio.add(mulaw)
        self._counts.audio_dropped_ms += dropped // BYTES_PER_MS
        self._wake.set()

    def _ticked(self) -> None:
        """Look whether the socket lives, and keep it alive."""
        self._tick = self._loop.call_later(TICK_S, self._ticked)
        now_s = self._loop.time()
        if self._watch.is_dead(now_s) and self._socket is not None:
            self._counts.silent_sockets += 1
            self._give_up("silent")
        idle_s = now_s - self._heard_at_s
        if self._is_flux and idle_s >= SILENCE_AFTER_S:
            self._heard_at_s = now_s
            idle_ms = round(1000 * idle_s)
            self._silence.added(self._audio.end // BYTES_PER_MS, idle_ms)
            self._keep(bytes([SILENCE]) * idle_ms * BYTES_PER_MS)
        elif idle_s >= KEEP_ALIVE_AFTER_S:
            self._heard_at_s = now_s
            self._has_keep_alive_due = True
            self._wake.set()

    # --- what comes out --------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        """Transcripts until it is closed. Raises VendorUnavailable when the stream cannot be had back."""
        while self._socket is not None and not self._is_closed:
            reason = "closed with 1000"
            try:
                async for message in self._socket:
                    for transcript in self._read(message):
                        yield self._as_sent(transcript)
            except ConnectionClosed as error:
                reason = closed_with(error)
                if is_bad_audio(error):
                    raise VendorUnavailable(VENDOR, reason, is_lasting=True) from error
            if self._is_closed:
                return
            self._drop_socket()
            for transcript in self._reading.lost(self._audio.end // BYTES_PER_MS):
                yield self._as_sent(transcript)
            await self._reconnect(self._broken_for or reason)

    def _read(self, message: str | bytes) -> tuple[Transcript, ...]:
        read = self._reading.read(message)
        if read.is_about_audio:
            self._fruitless = 0
            self._watch.answered()
            # Its times are rounded: what was not sent yet is not finished.
            self._audio.finished(min(self._reading.finished_ms * BYTES_PER_MS, self._sent))
        if read.oddity is not None:
            self._note(read.oddity, read.code)
        if read.has_gap:
            self._give_up("a message was lost")
        return read.transcripts

    def _as_sent(self, transcript: Transcript) -> Transcript:
        if transcript.until_ms is None:
            return transcript
        return replace(transcript, until_ms=self._silence.without(transcript.until_ms))

    def _note(self, oddity: Oddity, code: str) -> None:
        match oddity:
            case Oddity.MALFORMED:
                self._counts.malformed += 1
            case Oddity.LATE:
                self._counts.late += 1
            case Oddity.ERROR:
                self._counts.complaints += 1
        log.warning("vendor_message_odd", vendor=VENDOR, oddity=oddity.value, code=code)

    # --- connections -----------------------------------------------------------------------------

    async def _reconnect(self, reason: str) -> None:
        """Another socket, as soon as there is one. Raises VendorUnavailable."""
        began_s = self._loop.time()
        was_silent, self._broken_for = self._broken_for == "silent", ""
        self._fruitless += 1
        is_hopeless = self._fruitless > (1 if was_silent else MOST_FRUITLESS)
        log.warning("vendor_stream_lost", vendor=VENDOR, reason=reason, again=not is_hopeless)
        try:
            if is_hopeless:
                raise VendorUnavailable(VENDOR, reason)
            socket = await self._dial_until(began_s + self._reconnect_within_s)
        except VendorUnavailable:
            self._counts.given_up += 1
            raise
        if self._is_closed:
            socket.transport.abort()
            return
        took_ms = 1000 * (self._loop.time() - began_s)
        self._counts.reconnects += 1
        self._counts.reconnect_ms += took_ms
        self._reconnected()
        if was_silent:
            self._watch.was_dead(self._loop.time())
        else:
            self._watch.answered()
        again_ms = self._use(socket)
        self._counts.audio_sent_again_ms += again_ms
        log.info("vendor_stream_back", vendor=VENDOR, took_ms=round(took_ms), again_ms=again_ms)

    async def _dial_until(self, by_s: float) -> ClientConnection:
        wait_s = FIRST_WAIT_S
        while True:
            left_s = by_s - self._loop.time()
            try:
                return await self._dial(max(0.05, min(DIAL_WITHIN_S, left_s)))
            except VendorUnavailable as error:
                # Many streams are lost in the same instant: they must not come back in one.
                pause_s = max(error.retry_after_s or 0.0, wait_s * random.uniform(0.5, 1))  # noqa: S311
                if error.is_lasting or self._loop.time() + pause_s >= by_s:
                    raise
            await asyncio.sleep(pause_s)
            wait_s = min(2 * wait_s, MOST_WAIT_S)

    def _use(self, socket: ClientConnection) -> int:
        """Send from what is not finished. Returns the milliseconds that this is by now."""
        begin = max(self._audio.begin, self._reading.finished_ms * BYTES_PER_MS)
        begin = min(begin, self._audio.end)
        self._reading.connected(begin // BYTES_PER_MS)
        self._socket, self._sent = socket, begin
        self._writer = asyncio.create_task(self._write(socket), name="deepgram write")
        return (self._audio.end - begin) // BYTES_PER_MS

    def _give_up(self, reason: str) -> None:
        """The present socket is of no use; the reader goes on from here."""
        if self._socket is not None and not self._broken_for:
            self._broken_for = reason
            self._socket.transport.abort()

    def _drop_socket(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
        if self._socket is not None:
            self._socket.transport.abort()
        self._socket = self._writer = None

    async def close(self) -> None:
        """End the stream within a second. Idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._tick.cancel()
        socket = self._socket
        if self._writer is not None:
            self._writer.cancel()
        if socket is None:
            return
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await socket.send(_text("CloseStream"))
                await socket.close()
        except (ConnectionClosed, TimeoutError):
            pass  # it ends here all the same
        finally:
            socket.transport.abort()

    async def _write(self, socket: ClientConnection) -> None:
        """Send audio in its order, and what we ask where we ask it."""
        asked_ms: int | None = None
        with suppress(ConnectionClosed):  # the reader sees it too
            while True:
                self._wake.clear()
                if self._sent < self._audio.begin:
                    self._give_up("took no audio")
                    return
                wanted_ms = None if self._is_flux else self._reading.wanted_ms
                is_due = wanted_ms is not None and wanted_ms != asked_ms
                wanted_at = (wanted_ms or 0) * BYTES_PER_MS
                most = CHUNK_BYTES
                if is_due and wanted_at > self._sent:
                    most = min(most, wanted_at - self._sent)
                if is_due and wanted_at <= self._sent:
                    await socket.send(_text("Finalize"))
                    asked_ms = wanted_ms
                elif chunk := self._audio.after(self._sent, most_bytes=most):
                    self._sent += len(chunk)
                    await socket.send(chunk)
                elif self._has_keep_alive_due:
                    self._has_keep_alive_due = False
                    await socket.send(_text("KeepAlive"))
                else:
                    await self._wake.wait()


def _text(kind: str) -> str:
    return json.dumps({"type": kind})
