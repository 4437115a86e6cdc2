"""The load: callers whose frames were made before, on a fixed beat, and a recogniser that follows the beat.

A beat of `BEAT_S`: the caller speaks for a third of it, the agent answers for some four tenths. The carrier's playout is
kept as a time: when what it holds will have been played.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field

import numpy as np

from bench.density.wire import BINARY, TEXT, Socket, frame, greeting
from bench.turns.call import Door
from bench.turns.sounds import Sound
from bench.turns.stamps import FRAME, read_stamp, runs, stamped
from bench.turns.truth import Truth
from media_gateway.turns.playout import AHEAD_LEAST_MS
from rehearsal.audio import LINE_HZ, to_mulaw

FRAME_S = 0.02
BEAT_S = 10.0
BEAT_FRAMES = round(BEAT_S / FRAME_S)
SETTLED_S = 0.4
"""Of a reply, before its lateness counts: until then it is the voice that has not delivered enough."""
INTERIM_S, EVERY_S, FINAL_S, AFTER_FINALIZE_S = 0.1, 0.1, 0.25, 0.05


@dataclass(slots=True)
class Figures:
    """Of all calls, since the last reset."""

    late_ms: list[float] = field(default_factory=list)
    """For each message within a reply: how far the carrier's audio had fallen below what is to be kept ahead."""
    dry: int = 0
    """Times that the carrier ran out of audio within a reply."""
    replies: int = 0
    spoken_ms: float = 0.0
    own_late_ms: list[float] = field(default_factory=list)
    """The generator's own: how late it sent a frame."""


class LoadCall:
    """One call: a beat of frames, again and again."""

    def __init__(
        self,
        number: int,
        door: Door,
        sound: Sound,
        begins_s: float,
        figures: Figures,
        truth: Truth,
    ) -> None:
        self.sound = sound
        self._number = number
        self._door = door
        self._figures = figures
        self._truth = truth
        self._loop = asyncio.get_running_loop()
        self._begins_frame = round(begins_s / FRAME_S)
        self._payloads = _beat(number, sound)
        self._plays_until = 0.0
        self._marks: list[tuple[float, asyncio.TimerHandle, bytes]] = []
        self._reply = ""
        """The voice's request that was played last."""
        self._reply_began_s = 0.0
        self.socket = Socket(self._take)
        self.recogniser: Socket | None = None
        self._sent = 0
        self._unfinal: list[str] = []

    async def open(self) -> None:
        """Connect and say `start`."""
        host, _, path = self._door.url.removeprefix("ws://").partition("/")
        name, _, port = host.partition(":")
        hello = greeting(host, f"/{path}", **self._door.headers)
        self.socket = Socket(self._take, hello)
        await self._loop.create_connection(lambda: self.socket, name, int(port))
        await asyncio.wait_for(self.socket.opened.wait(), 10)
        start = {
            "accountSid": "AC1",
            "streamSid": "MZ1",
            "callSid": f"CA{self._number}",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": self._door.parameters,
        }
        self._post({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        self._post({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": start})

    def tick(self) -> None:
        """Send the next frame; at the beat, let the recogniser know what is being said."""
        place = (self._sent - self._begins_frame) % BEAT_FRAMES
        self._sent += 1
        text = (
            b'{"event":"media","sequenceNumber":"%d","streamSid":"MZ1","media":'
            b'{"track":"inbound","chunk":"%d","timestamp":"%d","payload":"%b"}}'
            % (self._sent + 1, self._sent, (self._sent - 1) * 20, self._payloads[place])
        )
        self.socket.write(frame(text, masked=True))
        if place == 0 and self._sent > self._begins_frame and self.recogniser is not None:
            self._say_words()

    def finalize(self) -> None:
        """The recogniser was asked for the rest."""
        self._loop.call_later(AFTER_FINALIZE_S, self._final, True)

    def close(self) -> None:
        """Hang up."""
        self._post({"event": "stop", "streamSid": "MZ1", "stop": {}})
        self.socket.close()

    def _say_words(self) -> None:
        words, told = self.sound.words, 0.0
        last_s = words[-1].end_ms / 1000
        said: list[str] = []
        for word in words:
            said.append(word.text)
            at_s = word.end_ms / 1000
            if at_s - told >= EVERY_S or word is words[-1]:
                told = at_s
                self._loop.call_later(at_s + INTERIM_S, self._interim, list(said))
        self._loop.call_later(last_s + 2 * FINAL_S, self._final, False)

    def _interim(self, said: list[str]) -> None:
        self._unfinal = said
        self._results(" ".join(said), is_final=False, from_finalize=False)

    def _final(self, from_finalize: bool) -> None:
        said, self._unfinal = self._unfinal, []
        if said or from_finalize:
            self._results(" ".join(said), is_final=True, from_finalize=from_finalize)

    def _results(self, text: str, *, is_final: bool, from_finalize: bool) -> None:
        if self.recogniser is None:
            return
        message = {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": 0.0,  # no times: nothing is out of order
            "start": 0.0,
            "is_final": is_final,
            "speech_final": is_final and not from_finalize,
            "from_finalize": from_finalize,
            "channel": {"alternatives": [{"transcript": text, "confidence": 0.9, "words": []}]},
            "metadata": {
                "request_id": "r",
                "model_uuid": "m",
                "model_info": {"name": "n", "version": "v", "arch": "a"},
            },
        }
        self.recogniser.write(frame(json.dumps(message).encode()))

    def _take(self, opcode: int, payload: bytes) -> None:
        now = time.monotonic()
        if payload.startswith(b'{"event":"media"'):
            self._played(base64.b64decode(payload[payload.rindex(b":") + 2 : -3]), now)
            return
        message = json.loads(payload)
        if message["event"] == "mark":
            echo = frame(json.dumps({**message, "sequenceNumber": "1"}).encode(), masked=True)
            self._loop.call_later(max(0.0, self._plays_until - now), self.socket.write, echo)
        elif message["event"] == "clear":
            # What follows, a reply that goes on too, begins with an empty buffer.
            self._plays_until, self._reply = now, ""

    def _played(self, audio: bytes, now: float) -> None:
        words = self._truth.agent_words
        found = next((run.word for run in runs(audio) if run.word in words), None)
        ahead_s = self._plays_until - now
        if found is not None and words[found].context == self._reply:
            if now - self._reply_began_s >= SETTLED_S:
                self._figures.late_ms.append(max(0.0, AHEAD_LEAST_MS - 1000 * ahead_s))
            self._figures.dry += ahead_s < 0
        elif found is not None:
            self._figures.replies += 1
            self._reply, self._reply_began_s = words[found].context, now
        self._plays_until = max(now, self._plays_until) + len(audio) / LINE_HZ
        self._figures.spoken_ms += len(audio) / 8

    def _post(self, message: dict[str, object]) -> None:
        self.socket.write(frame(json.dumps(message).encode(), masked=True))


class Recognisers:
    """Takes the gateway's recogniser sockets and gives each to its call, by the stamp of the first frame."""

    def __init__(self, calls: dict[int, LoadCall]) -> None:
        self._calls = calls

    def accept(self) -> Socket:
        """A new connection's protocol."""
        socket = Socket(lambda _, __: None)
        found: list[LoadCall] = []

        def take(opcode: int, payload: bytes) -> None:
            if opcode == BINARY:
                if not found and (stamp := read_stamp(payload)) is not None:
                    found.append(self._calls[stamp[0]])
                    found[0].recogniser = socket
            elif opcode == TEXT and found and b"Finalize" in payload:
                found[0].finalize()

        socket.take = take
        return socket


async def beat(calls: list[LoadCall], figures: Figures) -> None:
    """All calls' clocks, spread over the 20 ms, until cancelled."""
    began, step = time.monotonic(), 0
    slots = 10
    while True:
        due = began + step * FRAME_S / slots
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        figures.own_late_ms.append(1000 * (time.monotonic() - due))
        for call in calls[step % slots :: slots]:
            call.tick()
        step += 1


def _beat(number: int, sound: Sound) -> list[bytes]:
    """Base64 of every frame of a beat. Stamped by the call; the frame's own number is the one in the beat."""
    samples = np.zeros(BEAT_FRAMES * FRAME, dtype=np.float32)
    samples[: len(sound.samples)] = sound.samples
    mulaw = to_mulaw(samples)
    return [
        base64.b64encode(stamped(mulaw[at * FRAME : (at + 1) * FRAME], number, at))
        for at in range(BEAT_FRAMES)
    ]
