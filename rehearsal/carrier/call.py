"""One call at the carrier: rings, is answered, follows TwiML, keeps the line's 20 ms clock, ends, and tells of it all."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import assert_never

import httpx

from rehearsal.answering import AnsweringCaller
from rehearsal.audio import Samples, from_mulaw, to_mulaw
from rehearsal.caller import HungUp, Pressed, Said, SimulatedCaller, Understood
from rehearsal.carrier.playout import SILENCE, PlayoutBuffer
from rehearsal.carrier.record import StereoRecording, Witness
from rehearsal.carrier.recordings import CallRecordings
from rehearsal.carrier.stream import MediaStream, StreamFailed
from rehearsal.carrier.twiml import (
    Dial,
    Hangup,
    Pause,
    Redirect,
    Say,
    Stream,
    TwimlError,
    Verb,
    parse_twiml,
)
from rehearsal.carrier.webhooks import Webhooks
from rehearsal.ear import PhraseBook
from rehearsal.timeline import Timeline

TICK_S = 0.02
FRAME = SILENCE * 160
INITIATE_S, RING_S = 0.05, 0.2
AMD_MS = 1500
GREETING_MS = 4000
"""Of a machine: told of its end, not of its beginning, where the request waits for it."""
REACT_S = 0.1
"""From a stream's end to the next request. A carrier is far away; on loopback a dying process's port would still be open."""
MUTED_MS = 4000
"""Of the agent's first words, with the fault `mute-opening`."""
MOST_DOCUMENTS = 20
UNRULY_WEBHOOKS = "unruly-webhooks"
"""The fault in which webhooks come twice, and status callbacks out of order."""


@dataclass(frozen=True, kw_only=True)
class CallRequest:
    """What a REST client asked for."""

    to: str
    from_: str
    url: str
    status_callback: str = ""
    status_events: tuple[str, ...] = ("completed",)
    amd_callback: str = ""
    waits_for_greeting: bool = False
    """`DetectMessageEnd`: of a machine it is told once its greeting is over."""
    api_url: str = ""
    """Where the request came to: resources are there."""
    fallback_url: str = ""
    """Asked for TwiML when a document cannot be had from where it should be."""
    ring_timeout_s: int = 60
    longest_s: int = 14_400
    direction: str = "outbound-api"
    """Or `inbound`: the simulated caller dialled our number."""


@dataclass(frozen=True, kw_only=True)
class _Document:
    """TwiML: where it is, or itself."""

    url: str = ""
    twiml: str = ""


@dataclass(frozen=True, kw_only=True)
class CarrierContext:
    """What all calls of a carrier share."""

    account_sid: str
    auth_token: str
    http: httpx.AsyncClient
    timeline: Timeline
    caller_voice: Callable[[str], Samples]
    out: Path
    fault: str = ""
    agent_phrases: PhraseBook = field(default_factory=PhraseBook)
    """What an answering caller knows of the agent's voice."""


@dataclass
class CarrierCall:
    """A call. `run` is its whole life."""

    context: CarrierContext
    request: CallRequest
    sid: str = field(default_factory=lambda: "CA" + uuid.uuid4().hex)
    status: str = "queued"
    created: str = field(default_factory=lambda: formatdate(usegmt=True))
    duration_s: int | None = None

    def __post_init__(self) -> None:
        self.folder = self.context.out / self.sid
        self._witness = Witness(self.folder)
        self._recording = StereoRecording()
        context = self.context
        self._webhooks = Webhooks(
            context.http,
            context.auth_token,
            self._witness,
            is_unruly=context.fault == UNRULY_WEBHOOKS,
        )
        self._caller: SimulatedCaller | AnsweringCaller = (
            AnsweringCaller(context.timeline, context.caller_voice, context.agent_phrases)
            if context.timeline.replies
            else SimulatedCaller(context.timeline, context.caller_voice)
        )
        self.recordings = CallRecordings(
            self.folder,
            self._witness,
            self._webhooks.tell,
            {
                "AccountSid": context.account_sid,
                "CallSid": self.sid,
                "ApiUrl": self.request.api_url,
            },
        )
        self._stream: MediaStream | None = None
        self._announcement = PlayoutBuffer()
        self._over = asyncio.Event()
        self._detours: asyncio.Queue[_Document] = asyncio.Queue()
        self._latest_tick_ms = 0.0
        self._muted_ms = MUTED_MS if self.context.fault == "mute-opening" else 0

    @property
    def line_ms(self) -> int:
        """How long the line has been open."""
        return self._recording.duration_ms

    # --- life --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Ring, talk, end."""
        try:
            await self._ring()
            if self.status == "in-progress":
                await self._talk()
        finally:
            if self.status not in ("completed", "busy", "no-answer", "canceled", "failed"):
                self._become("completed")
            await self._webhooks.close()
            self._witness.close()

    def end(self, status: str) -> None:
        """End it by REST: `completed` or `canceled`."""
        self._witness.saw("rest_end", status=status)
        self._over.set()

    def redirect(self, *, url: str = "", twiml: str = "") -> None:
        """Leave what is being carried out, media stream included, and go on with another document (REST update)."""
        self._witness.saw("rest_redirect", url=url, inline=bool(twiml))
        self._detours.put_nowait(_Document(url=url, twiml=twiml))

    async def _ring(self) -> None:
        timeline = self.context.timeline
        if self.request.direction == "inbound":
            self._witness.answered()
            self._become("in-progress")
            return
        await asyncio.sleep(INITIATE_S)
        self._become("initiated")
        await asyncio.sleep(RING_S)
        if timeline.answers in ("busy", "failed"):
            self._become(timeline.answers)
            return
        self._become("ringing")
        rings_s = timeline.answer_after_ms / 1000
        if timeline.answers == "no" or rings_s > self.request.ring_timeout_s:
            rings_s = self.request.ring_timeout_s
        await asyncio.wait({waiting := asyncio.ensure_future(self._over.wait())}, timeout=rings_s)
        waiting.cancel()
        if self._over.is_set():
            self._become("canceled")
            return
        if timeline.answers == "no" or rings_s >= self.request.ring_timeout_s:
            self._become("no-answer")
            return
        self._witness.answered()
        self._become("in-progress")

    async def _talk(self) -> None:
        began_s = time.monotonic()
        clock = asyncio.create_task(self._clock())
        if self.request.amd_callback:
            verdict, after_ms = self._verdict()
            asyncio.get_running_loop().call_later(
                after_ms / 1000, self._tell_amd, verdict, after_ms
            )
        try:
            async with asyncio.timeout(self.request.longest_s):
                await self._follow_until_over()
        except TimeoutError:
            self._witness.saw("longest_call", seconds=self.request.longest_s)
        clock.cancel()
        await asyncio.gather(clock, return_exceptions=True)
        self.duration_s = round(time.monotonic() - began_s)
        await asyncio.to_thread(self._recording.write, self.folder / "call.wav")
        self._witness.saw(
            "recorded",
            duration_ms=self._recording.duration_ms,
            latest_tick_ms=round(self._latest_tick_ms, 1),
        )
        self._become("completed")
        await self.recordings.close()

    async def _follow_until_over(self) -> None:
        """Carry out the first document, and any other that a REST update puts in its place."""
        ending = asyncio.create_task(self._over.wait())
        document: _Document | None = _Document(url=self.request.url)
        try:
            while document is not None:
                following = asyncio.create_task(self._follow(document))
                detour = asyncio.create_task(self._detours.get())
                waits = {following, detour, ending}
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    document = detour.result() if detour.done() and not ending.done() else None
                    detour.cancel()
                    following.cancel()
                    (failed,) = await asyncio.gather(following, return_exceptions=True)
                if isinstance(failed, Exception):
                    self._witness.saw("carrier_failed", error=repr(failed))
        finally:
            ending.cancel()

    def _become(self, status: str) -> None:
        self.status = status
        self._witness.saw("status", status=status)
        event = {"in-progress": "answered"}.get(status, status)
        if event in ("busy", "no-answer", "canceled", "failed"):
            event = "completed"
        if not self.request.status_callback or event not in self.request.status_events:
            return
        parameters = self._parameters()
        if event == "completed":
            parameters["CallDuration"] = str(self.duration_s or 0)
            usual = {"busy": 486, "no-answer": 487, "canceled": 487, "failed": 404}.get(status, 200)
            told = self.context.timeline.sip_code if usual != 200 else None
            parameters["SipResponseCode"] = str(told or usual)
        self._webhooks.tell_status(self.request.status_callback, parameters)

    def _verdict(self) -> tuple[str, int]:
        """AnsweredBy, and after how long it is told."""
        verdict = self.context.timeline.answered_by
        if self.request.waits_for_greeting and verdict.startswith("machine"):
            return ("machine_end_beep" if verdict == "machine_start" else verdict), GREETING_MS
        return ("machine_start" if verdict.startswith("machine") else verdict), AMD_MS

    def _tell_amd(self, verdict: str, after_ms: int) -> None:
        if self.status == "in-progress":
            parameters = {
                "CallSid": self.sid,
                "AccountSid": self.context.account_sid,
                "AnsweredBy": verdict,
                "MachineDetectionDuration": str(after_ms),
            }
            self._webhooks.tell(self.request.amd_callback, parameters)

    def _parameters(self) -> dict[str, str]:
        return {
            "CallSid": self.sid,
            "AccountSid": self.context.account_sid,
            "From": self.request.from_,
            "To": self.request.to,
            "CallStatus": self.status,
            "ApiVersion": "2010-04-01",
            "Direction": self.request.direction,
        }

    # --- TwiML -------------------------------------------------------------------------------

    async def _follow(self, document: _Document) -> None:
        """Fetch documents and carry out their verbs until one ends the call or there is none left."""
        for _ in range(MOST_DOCUMENTS):
            verbs = await self._verbs_of(document)
            if verbs is None:
                return
            self._witness.saw("twiml", verbs=[type(verb).__name__ for verb in verbs])
            next_url = ""
            for verb in verbs:
                is_over, next_url = await self._carry_out(verb)
                if is_over:
                    return
                if next_url:
                    break
            if not next_url:
                return
            document = _Document(url=next_url)

    async def _verbs_of(self, document: _Document) -> list[Verb] | None:
        """A document's verbs, or those of the FallbackUrl. None without either: Twilio plays an error and hangs up."""
        fallback = self.request.fallback_url
        for source in (document, _Document(url=fallback) if fallback else None):
            if source is None:
                break
            parameters = self._parameters()
            if source is not document:
                parameters |= {"ErrorCode": "11200", "ErrorUrl": document.url}
            try:
                text = source.twiml or await self._webhooks.ask(source.url, parameters)
                return parse_twiml(text)
            except (TwimlError, httpx.HTTPError) as error:
                self._witness.saw("twiml_failed", error=f"{type(error).__name__}: {error}"[:200])
        return None

    async def _carry_out(self, verb: Verb) -> tuple[bool, str]:
        """Whether the call is over, and where to go on."""
        match verb:
            case Stream():
                await self._connect(verb)
                return False, verb.action
            case Say():
                voice = self.context.caller_voice
                samples = await asyncio.to_thread(voice, verb.text)
                self._announcement.add(to_mulaw(samples))
                await asyncio.sleep(len(samples) / 8000)
                return False, ""
            case Pause():
                await asyncio.sleep(verb.seconds)
                return False, ""
            case Redirect():
                return False, verb.url
            case Dial():
                # Nobody is at the other end of a rehearsal.
                self._witness.saw("dial", number=verb.number)
                await asyncio.sleep(1)
                return False, verb.action
            case Hangup():
                return True, ""
            case _:
                assert_never(verb)

    async def _connect(self, verb: Stream) -> None:
        stream = MediaStream(
            verb,
            account_sid=self.context.account_sid,
            call_sid=self.sid,
            witness=self._witness,
            fault=self.context.fault,
        )
        try:
            await stream.open(self.context.auth_token)
        except StreamFailed:
            self._tell_stream(verb, stream, "stream-error")
            return
        self._tell_stream(verb, stream, "stream-started")
        self._stream = stream
        try:
            await stream.ended.wait()
        finally:
            self._stream = None
            await stream.close()
            self._tell_stream(verb, stream, "stream-stopped")
        await asyncio.sleep(REACT_S)

    def _tell_stream(self, verb: Stream, stream: MediaStream, event: str) -> None:
        if verb.status_callback:
            parameters = {
                "AccountSid": self.context.account_sid,
                "CallSid": self.sid,
                "StreamSid": stream.stream_sid,
                "StreamName": verb.name,
                "StreamEvent": event,
                "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            }
            self._webhooks.tell(verb.status_callback, parameters)

    # --- the line ------------------------------------------------------------------------------

    async def _clock(self) -> None:
        """Every 20 ms of the call, whatever else happens: late ticks are made up for."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        agent = FRAME
        while True:
            self._latest_tick_ms = max(self._latest_tick_ms, (loop.time() - due_s) * 1000)
            agent = self._tick(agent)
            due_s += TICK_S
            await asyncio.sleep(max(0.0, due_s - loop.time()))

    def _tick(self, agent: bytes) -> bytes:
        samples, acts = self._caller.hear(from_mulaw(agent))
        caller = to_mulaw(samples)
        heard = (
            self._stream.tick(caller) if self._stream is not None else self._announcement.play()[0]
        )
        if self._muted_ms > 0 and heard != FRAME:
            self._muted_ms -= 20
            heard = FRAME
        self._recording.add(caller, heard)
        self.recordings.add(caller, heard)
        for act in acts:
            match act:
                case Said():
                    kind = "caller_murmurs" if act.is_murmur else "caller_says"
                    self._witness.saw(kind, step=act.step, words=act.words)
                case Pressed():
                    if self._stream is not None:
                        self._stream.press(act.digit)
                case Understood():
                    self._witness.saw(
                        "understood",
                        words=act.words,
                        phrase=act.phrase,
                        began_ms=act.began_ms,
                        ended_ms=act.ended_ms,
                        stalled_ms=act.stalled_ms,
                    )
                case HungUp():
                    self._witness.saw("caller_hangs_up", reason=act.reason)
                    self._over.set()
                case _:
                    assert_never(act)
        return heard
