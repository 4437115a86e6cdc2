"""A recogniser that knows the truth: Deepgram's `/v1/listen`, with the words that the bench's callers are known to say.

It learns from each frame's stamp which call it hears and how far it has heard. What it says comes as late as it is told to.
A stream may begin anywhere in the audio, as one does that is sent again what another had not finished.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from bench.turns.sounds import Word
from bench.turns.stamps import BYTES_PER_MS, FRAME, first_stamp, read_stamp
from bench.turns.truth import CallTruth, Truth
from media_gateway.twilio.mulaw import encode

FRAME_MS = 20
LONGEST_SPAN_MS = 5000
"""Of unbroken speech; then a final without `speech_final`."""
NOTHING_EVERY_MS = 1000
"""Of audio without words; then a result without words, as the service sends them."""
DEAF_FOR_S = 8.0
"""A silent recogniser's silence."""


class Recogniser:
    """One live stream."""

    def __init__(self, socket: ServerConnection, truth: Truth) -> None:
        query = parse_qs(urlsplit(socket.request.path if socket.request else "").query)
        first = {name: values[0] for name, values in query.items()}
        self._socket = socket
        self._truth = truth
        self._is_linear = first.get("encoding") == "linear16"
        self._endpointing_ms = _number(first.get("endpointing"), 10)
        self._utterance_end_ms = _number(first.get("utterance_end_ms"), 0)
        self._tells_starts = first.get("vad_events") == "true"
        self._call: CallTruth | None = None
        self._heard_ms = 0
        self._sent_bytes = 0
        """Audio of this stream."""
        self._is_in_step = False
        """The next byte is a frame's first: it was so the last time."""
        self._told_ms = 0
        """Up to where in it something was said of it."""
        self._span_ms = 0
        """Where in it the span begins that is not final."""
        self._done = 0
        """Words of the call that were told as final, or lay before this stream."""
        self._known = 0
        self._told_end = 0
        self._told_start = 0
        self._last_word_s = 0.0
        self._interim_ms = 0
        self._send_at = 0.0
        self._deaf_until = 0.0
        self._loop = asyncio.get_running_loop()
        self._buffer = b""

    @property
    def _sent_ms(self) -> int:
        return self._sent_bytes // BYTES_PER_MS

    async def run(self) -> None:
        """Until either side closes."""
        with suppress(ConnectionClosed):
            async for message in self._socket:
                if isinstance(message, str):
                    self._control(json.loads(message).get("type", ""))
                elif not self._hear(message):
                    self._truth.count("stt_closed")
                    await self._socket.close(1011, "NET-0000")
                    return

    def _control(self, kind: str) -> None:
        if kind == "Finalize":
            after_s = self._truth.seconds(self._truth.latencies.after_finalize_ms)
            earliest_s = self._last_word_s + self._truth.latencies.final_ms / 1000
            self._final(max(self._loop.time() + after_s, earliest_s), from_finalize=True)

    def _hear(self, audio: bytes) -> bool:
        """False when the stream is to break off."""
        if self._is_linear:
            import numpy as np

            audio = encode(np.frombuffer(audio, dtype="<i2"))
        self._buffer += audio
        while len(self._buffer) >= 2 * FRAME or (self._is_in_step and len(self._buffer) >= FRAME):
            frame = self._next_frame()
            stamp = read_stamp(frame)
            self._is_in_step = stamp is not None
            self._sent_bytes += len(frame)
            if stamp is None:
                self._heard_ms += len(frame) // BYTES_PER_MS
            else:
                call = self._truth.calls.get(stamp[0])
                if self._call is None and call is not None:
                    self._call = call
                    before_ms = stamp[1] * FRAME_MS
                    # A word of which most is heard is recognised.
                    self._done = sum(
                        word.start_ms + word.end_ms < 2 * before_ms for word in call.words
                    )
                    self._known = self._told_end = self._told_start = self._done
                self._heard_ms = (stamp[1] + 1) * FRAME_MS
            if not self._step():
                return False
        return True

    def _next_frame(self) -> bytes:
        """The next audio: a frame, or what stands before one where the stream does not begin with it."""
        size = FRAME
        if not self._is_in_step:
            size = first_stamp(self._buffer[: 2 * FRAME]) or FRAME
        frame, self._buffer = self._buffer[:size], self._buffer[size:]
        return frame

    def _step(self) -> bool:
        call = self._call
        if self._sent_ms - self._told_ms >= NOTHING_EVERY_MS:
            begin_ms, until_ms = self._span_ms, self._sent_ms
            self._told_ms = until_ms
            self._later(lambda: self._results("", begin_ms, until_ms))
        if call is None or self._done >= len(call.words):
            self._utterance_end()
            return True
        words, now = call.words, self._loop.time()
        if call.fault == "stt_closed" and words[self._done].end_ms <= self._heard_ms:
            call.fault = ""
            return False
        if call.fault == "silent_stt" and words[self._done].start_ms <= self._heard_ms:
            call.fault, self._deaf_until = "", now + DEAF_FOR_S
            self._truth.count("silent_stt")
        known = self._known
        while known < len(words) and words[known].end_ms <= self._heard_ms:
            known += 1
        speaks = known < len(words) and words[known].start_ms <= self._heard_ms
        if self._tells_starts and speaks and self._told_start <= known:
            self._told_start = len(words)
            self._later(lambda: {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 0.0})
        if known > self._known:
            self._known, self._last_word_s = known, now
        pending = words[self._done : self._known]
        if not pending:
            return True
        is_due = self._heard_ms - self._interim_ms >= self._truth.latencies.every_ms
        if self._last_word_s == now or (speaks and is_due):
            self._interim_ms = self._heard_ms
            text, until_ms = _text(pending, is_final=False), self._sent_ms
            self._told_ms = until_ms
            self._later(lambda: self._results(text, self._span_ms, until_ms))
        quiet_ms = self._heard_ms - pending[-1].end_ms
        # The last sound of a final is as far behind as the vendor's lag allows, and its own endpointing asks.
        wait_ms = max(
            self._truth.latencies.final_ms - self._truth.latencies.interim_ms, self._endpointing_ms
        )
        if not speaks and quiet_ms >= wait_ms:
            self._final(
                now + self._truth.seconds(self._truth.latencies.interim_ms), speech_final=True
            )
        elif self._heard_ms - pending[0].start_ms >= LONGEST_SPAN_MS:
            self._final(now + self._truth.seconds(self._truth.latencies.interim_ms))
        return True

    def _utterance_end(self) -> None:
        call = self._call
        if call is None or not self._utterance_end_ms or self._told_end >= self._done:
            return
        if self._heard_ms - call.words[self._done - 1].end_ms >= self._utterance_end_ms:
            self._told_end = self._done
            last_s = call.words[self._done - 1].end_ms / 1000
            self._later(
                lambda: {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": last_s}
            )

    def _final(
        self, at_s: float, *, speech_final: bool = False, from_finalize: bool = False
    ) -> None:
        call = self._call
        words = call.words[self._done : self._known] if call is not None else []
        self._done = self._known
        if call is not None and call.fault == "lost_final" and words:
            self._truth.count("lost_final")
            return
        text, begin_ms = _text(words, is_final=True), self._span_ms
        # The word that is being spoken is the next span's.
        behind_ms = self._heard_ms - words[-1].end_ms if words and not speech_final else 0
        end_ms = self._span_ms = max(begin_ms, self._sent_ms - behind_ms)
        self._told_ms = self._sent_ms
        self._at(
            at_s,
            lambda: self._results(
                text,
                begin_ms,
                end_ms,
                is_final=True,
                speech_final=speech_final,
                from_finalize=from_finalize,
            ),
        )

    def _later(self, make: Callable[[], dict[str, object]]) -> None:
        self._at(self._loop.time() + self._truth.seconds(self._truth.latencies.interim_ms), make)

    def _at(self, at_s: float, make: Callable[[], dict[str, object]]) -> None:
        """In order, whatever the jitter."""
        self._send_at = max(at_s, self._send_at + 0.0005)
        if self._loop.time() >= self._deaf_until:
            self._loop.call_at(self._send_at, lambda: self._send(make()))

    def _send(self, message: dict[str, object]) -> None:
        task = asyncio.ensure_future(self._post(json.dumps(message)))
        self._truth.on_their_way.add(task)
        task.add_done_callback(self._truth.on_their_way.discard)

    async def _post(self, text: str) -> None:
        with suppress(ConnectionClosed):
            await self._socket.send(text)

    def _results(
        self,
        text: str,
        begin_ms: int,
        end_ms: int,
        *,
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> dict[str, object]:
        info = {"name": "emulated", "version": "1", "arch": "nova-3"}
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": max(0, end_ms - begin_ms) / 1000,
            "start": begin_ms / 1000,
            "is_final": is_final,
            "speech_final": speech_final,
            "from_finalize": from_finalize,
            "channel": {
                "alternatives": [
                    {"transcript": text, "confidence": 0.98 if text else 0.0, "words": []}
                ]
            },
            "metadata": {"request_id": "r", "model_uuid": "m", "model_info": info},
        }


def _text(words: list[Word], *, is_final: bool) -> str:
    """With the punctuation that the service would give: a stop behind what it takes for a sentence, nothing while it goes on."""
    if not words:
        return ""
    text = " ".join(word.text for word in words)
    text = text[0].upper() + text[1:]
    bare = text.rstrip(".,?!")
    if not is_final:
        return bare
    last = words[-1]
    if last.ends_part and last.is_whole:
        return bare + (text[-1] if text[-1] in ".?!" else ".")
    return bare


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.isdigit() else default
