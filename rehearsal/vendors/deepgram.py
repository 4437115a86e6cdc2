"""A recogniser that speaks Deepgram's `/v1/listen`: interim and final results, Finalize, KeepAlive, CloseStream.

Built to the documented protocol; its words come from a local model, its word times do not exist.
"""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from rehearsal.audio import LINE_HZ, Samples, from_mulaw, level

router = APIRouter()

LOUD = 0.01
"""Root mean square of a frame that holds speech. The rehearsal line is clean."""
LEAD_IN_S = 0.3
INTERIM_EVERY_S = 0.5
NOTHING_FOR_S = 10.0
"""Then the real service closes with 1011 NET-0001."""
_METADATA = {
    "request_id": "rehearsal",
    "model_uuid": "rehearsal",
    "model_info": {"name": "local", "version": "1", "arch": "whisper"},
}


class Recogniser(Protocol):
    """Where the words come from. Blocking."""

    def words(self, samples: Samples) -> str:
        """What is said in these 8 kHz samples."""


@dataclass(frozen=True)
class _Job:
    samples: Samples
    start_s: float
    end_s: float
    is_final: bool = False
    speech_final: bool = False
    from_finalize: bool = False


@router.websocket("/v1/listen")
async def listen(socket: WebSocket) -> None:
    """One live stream."""
    query = socket.query_params
    if not socket.headers.get("authorization", "").startswith("Token "):
        await socket.close(1008)  # before accept: HTTP 403
        return
    await socket.accept()
    if query.get("encoding") != "mulaw" or query.get("sample_rate") != "8000":
        await socket.close(1008, "DATA-0000")
        return
    stream = _Stream(
        socket,
        socket.app.state.recogniser,
        socket.app.state.recogniser_thread,
        endpointing_s=float(query.get("endpointing") or 10) / 1000,
        has_interims=query.get("interim_results") == "true",
    )
    await stream.run()


class _Stream:
    def __init__(
        self,
        socket: WebSocket,
        recogniser: Recogniser,
        thread: ThreadPoolExecutor,
        *,
        endpointing_s: float,
        has_interims: bool,
    ) -> None:
        self._socket = socket
        self._recogniser = recogniser
        self._thread = thread
        self._endpointing_s = endpointing_s
        self._has_interims = has_interims
        self._jobs: asyncio.Queue[_Job | None] = asyncio.Queue()
        self._span: Samples = np.zeros(0, dtype=np.float32)
        self._heard_s = 0.0
        self._final_s = 0.0
        """Up to here it is: the lead-in of the next span lies before."""
        self._has_speech = False
        self._quiet_s = 0.0
        self._since_interim_s = 0.0

    async def run(self) -> None:
        worker = asyncio.create_task(self._work())
        try:
            while True:
                message = await asyncio.wait_for(self._socket.receive(), NOTHING_FOR_S)
                if message["type"] == "websocket.disconnect":
                    return
                if (audio := message.get("bytes")) is not None:
                    self._hear(from_mulaw(audio))
                elif not self._control(message.get("text") or ""):
                    break
            self._jobs.put_nowait(None)
            await worker
            await self._socket.send_text(json.dumps({"type": "Metadata", **_METADATA}))
            await self._socket.close(1000)
        except TimeoutError:
            await self._socket.close(1011, "NET-0001")
        except (WebSocketDisconnect, RuntimeError):
            return  # the client is gone
        finally:
            worker.cancel()

    def _control(self, text: str) -> bool:
        """False once the stream is to be closed."""
        with suppress(ValueError):
            match json.loads(text).get("type"):
                case "Finalize":
                    self._finish(from_finalize=True)
                case "CloseStream":
                    self._finish()
                    return False
                case _:
                    pass  # KeepAlive
        return True

    def _hear(self, frame: Samples) -> None:
        seconds = len(frame) / LINE_HZ
        self._heard_s += seconds
        self._span = np.concatenate((self._span, frame))
        if level(frame) >= LOUD:
            self._has_speech, self._quiet_s = True, 0.0
        else:
            self._quiet_s += seconds
        if not self._has_speech:
            self._span = self._span[-int(LEAD_IN_S * LINE_HZ) :]
            return
        self._since_interim_s += seconds
        if self._quiet_s >= self._endpointing_s:
            self._finish(speech_final=True)
        elif (
            self._has_interims
            and self._since_interim_s >= INTERIM_EVERY_S
            and self._quiet_s < 0.1
            and self._jobs.empty()
        ):
            self._since_interim_s = 0.0
            self._put()

    def _finish(self, *, speech_final: bool = False, from_finalize: bool = False) -> None:
        if self._has_speech or from_finalize:
            self._put(is_final=True, speech_final=speech_final, from_finalize=from_finalize)
        # What comes next may begin softly, before it is loud enough to be taken for speech.
        self._span = self._span[-int(LEAD_IN_S * LINE_HZ) :]
        self._has_speech, self._quiet_s, self._since_interim_s = False, 0.0, 0.0

    def _put(
        self, *, is_final: bool = False, speech_final: bool = False, from_finalize: bool = False
    ) -> None:
        samples = self._span if self._has_speech else self._span[:0]
        start_s = max(self._final_s, self._heard_s - len(samples) / LINE_HZ)
        if is_final:
            self._final_s = self._heard_s
        self._jobs.put_nowait(
            _Job(samples, start_s, self._heard_s, is_final, speech_final, from_finalize)
        )

    async def _work(self) -> None:
        """One recognition at a time, in order; an interim that a newer job overtakes is left out."""
        loop = asyncio.get_running_loop()
        while (job := await self._jobs.get()) is not None:
            if not job.is_final and not self._jobs.empty():
                continue
            text = await loop.run_in_executor(self._thread, self._recogniser.words, job.samples)
            if text or job.from_finalize or job.speech_final:
                await self._send(job, text)

    async def _send(self, job: _Job, text: str) -> None:
        alternative = {"transcript": text, "confidence": 0.9 if text else 0.0, "words": []}
        message = {
            "type": "Results",
            "channel_index": [0, 1],
            "start": round(job.start_s, 2),
            "duration": round(job.end_s - job.start_s, 2),
            "is_final": job.is_final,
            "speech_final": job.speech_final,
            "from_finalize": job.from_finalize,
            "channel": {"alternatives": [alternative]},
            "metadata": _METADATA,
        }
        with suppress(RuntimeError, WebSocketDisconnect):  # the reader sees it too
            await self._socket.send_text(json.dumps(message))
