"""The carrier's end of a media stream: the documented messages, in order, with a truthful playout buffer."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import uuid
from contextlib import suppress

from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from rehearsal.carrier.playout import PlayoutBuffer
from rehearsal.carrier.record import Witness
from rehearsal.carrier.twiml import Stream


class StreamFailed(Exception):
    """The socket could not be opened."""


class MediaStream:
    """One stream. `open`, then `tick` every 20 ms, until `ended` is set; `close` says `stop`."""

    def __init__(
        self, verb: Stream, *, account_sid: str, call_sid: str, witness: Witness, fault: str = ""
    ) -> None:
        self.stream_sid = "MZ" + uuid.uuid4().hex
        self.ended = asyncio.Event()
        self._verb = verb
        self._account_sid = account_sid
        self._call_sid = call_sid
        self._witness = witness
        self._fault = fault
        self._buffer = PlayoutBuffer()
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._writer: asyncio.Task[None] | None = None
        self._sequence = 0
        self._chunk = 0

    async def open(self, auth_token: str) -> None:
        """Connect, signed. Raises StreamFailed."""
        signature = RequestValidator(auth_token).compute_signature(self._verb.url, {})
        try:
            self._socket = await connect(
                self._verb.url,
                additional_headers={"X-Twilio-Signature": signature},
                user_agent_header="TwilioMediaStreams (rehearsal)",
                open_timeout=10,
                close_timeout=1,
                compression=None,
                proxy=None,
            )
        except (OSError, WebSocketException, TimeoutError) as error:
            self._witness.saw("stream_error", error=f"{type(error).__name__}: {error}"[:200])
            raise StreamFailed(str(error)) from error
        self._witness.saw("stream_started", stream_sid=self.stream_sid)
        self._outgoing.put_nowait(
            json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        )
        start = {
            "accountSid": self._account_sid,
            "streamSid": self.stream_sid,
            "callSid": self._call_sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": self._verb.parameters,
        }
        self._post("start", start=start)
        self._writer = asyncio.create_task(self._write(self._socket))
        self._reader = asyncio.create_task(self._read(self._socket))

    def tick(self, caller: bytes) -> bytes:
        """Send the caller's 20 ms; returns what the caller hears meanwhile."""
        self._chunk += 1
        self._post(
            "media",
            media={
                "track": "inbound",
                "chunk": str(self._chunk),
                "timestamp": str((self._chunk - 1) * 20),
                "payload": base64.b64encode(caller).decode(),
            },
        )
        agent, marks = self._buffer.play()
        self._tell(marks, "played")
        return agent

    def press(self, digit: str) -> None:
        """The caller pressed a key."""
        self._witness.saw("dtmf", digit=digit)
        self._post("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    async def close(self) -> None:
        """The call ended, or was redirected: `stop`, then close."""
        if self._socket is not None and not self.ended.is_set():
            stop = {"accountSid": self._account_sid, "callSid": self._call_sid}
            self._post("stop", stop=stop)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._outgoing.join(), 1.0)
            await self._socket.close()
        for task in (self._writer, self._reader):
            if task is not None:
                task.cancel()
        self._witness.saw("stream_stopped", stream_sid=self.stream_sid)

    def _post(self, event: str, **fields: object) -> None:
        self._sequence += 1
        message = {
            "event": event,
            "sequenceNumber": str(self._sequence),
            "streamSid": self.stream_sid,
            **fields,
        }
        self._outgoing.put_nowait(json.dumps(message))

    async def _write(self, socket: ClientConnection) -> None:
        while True:
            message = await self._outgoing.get()
            try:
                await socket.send(message)
            except ConnectionClosed:
                self.ended.set()
            finally:
                self._outgoing.task_done()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self._take(text)
        except ConnectionClosed as error:
            self._witness.saw("socket_broken", error=str(error)[:200])
        finally:
            self._witness.saw("socket_closed", code=socket.close_code)
            self.ended.set()

    def _take(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
            if message["streamSid"] != self.stream_sid:
                raise KeyError("streamSid")
            match message["event"]:
                case "media":
                    mulaw = base64.b64decode(message["media"]["payload"], validate=True)
                    self._buffer.add(mulaw)
                    self._witness.saw(
                        "media", bytes=len(mulaw), waiting_ms=self._buffer.waiting_bytes // 8
                    )
                case "mark":
                    name = message["mark"]["name"]
                    self._witness.saw("mark_asked", name=name)
                    self._tell(self._buffer.mark(name), "played")
                case "clear":
                    dropped_ms = self._buffer.waiting_bytes // 8
                    self._witness.saw("clear", dropped_ms=dropped_ms)
                    if self._fault != "ignore-clear":
                        self._tell(self._buffer.clear(), "cleared")
                case other:
                    self._witness.saw("warning", code=31951, reason=f"unknown event {other}")
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            self._witness.saw("warning", code=31951, reason=f"{type(error).__name__}: {error}")

    def _tell(self, marks: list[str], why: str) -> None:
        for name in marks:
            # Played and cleared marks are the same on the wire; only the witness knows which.
            self._witness.saw("mark", name=name, why=why)
            self._post("mark", mark={"name": name})
