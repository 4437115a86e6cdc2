"""Fakes at the gateway's ports: they keep what they were given, and do what a test tells them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import numpy as np

from media_gateway.ears.counts import EarCounts
from media_gateway.ears.ports import EarEvent, EndEstimate, Expectation
from media_gateway.errors import AttachRefused, GatewayError, NoUsableReply, VendorUnavailable
from media_gateway.openers import Vector
from media_gateway.ports import (
    MoveChosen,
    PreparedReply,
    ReplyPart,
    ReplyRequest,
    ReplyTrace,
    WordsWritten,
)
from media_gateway.speech.ports import ReadyAudio, SegmentDone, SpokenAudio, Transcript, VoiceChange
from media_gateway.turns.types import Command, Event, Ms, TurnPolicy
from workflows.contracts.payloads import (
    AfterStream,
    AnsweredBy,
    Attached,
    AttachRequest,
    CallInput,
    CarrierUpdate,
    MediaLost,
    NextStep,
    RecordingUpdate,
    StreamEnded,
    TurnCompleted,
    TurnRecord,
)
from workflows.script.machine import initial_state
from workflows.script.parse import content_hash, parse_script
from workflows.turn_book import TurnBook

SCRIPT_YAML = Path("sales_scripts/solar_consult.yaml").read_text(encoding="utf-8")
INBOUND_HASH = content_hash(SCRIPT_YAML)
TODAY = "2026-11-23"
LOUD = 0x10
"""A mu-law byte that the fake ear takes for speech; 0xFF is silence."""


SCRIPT = parse_script(SCRIPT_YAML, name="script")


class FakeLink:
    """A workflow that attaches anything once and keeps the real book of what it was told."""

    def __init__(self) -> None:
        self.attached: list[AttachRequest] = []
        self.told: list[TurnCompleted] = []
        self.book = TurnBook(SCRIPT, initial_state(SCRIPT), TODAY)
        self.differed = False
        """Once, the gateway's state after a turn was not the book's."""
        self.attach_takes_s = 0.0
        self.lost: list[MediaLost] = []
        self.statuses: list[CarrierUpdate] = []
        self.verdicts: list[AnsweredBy] = []
        self.recordings: list[RecordingUpdate] = []
        self.inbound: list[CallInput] = []
        self.after = AfterStream(step=NextStep.HANG_UP)
        self.ended: list[StreamEnded] = []
        self.ending_fails: GatewayError | None = None
        self.changed = asyncio.Condition()

    async def attach(self, call_id: str, request: AttachRequest) -> Attached:
        if any(request.nonce == earlier.nonce for earlier in self.attached):
            raise AttachRefused("this stream token was used before")
        self.attached.append(request)
        await asyncio.sleep(self.attach_takes_s)
        self.book.new_epoch()
        return Attached(
            epoch=self.book.epoch,
            next_seq=self.book.next_seq,
            script_yaml=SCRIPT_YAML,
            state=self.book.state,
            today=TODAY,
            facts={},
            resumed=bool(self.book.turns),
        )

    depth = 0
    oldest_age_s = 0.0

    @property
    def turns(self) -> list[TurnRecord]:
        """As a workflow would have them."""
        return self.book.turns

    async def start_inbound(self, call: CallInput) -> None:
        self.inbound.append(call)

    async def stream_ended(self, call_id: str, ended: StreamEnded) -> AfterStream:
        self.ended.append(ended)
        if self.ending_fails is not None:
            raise self.ending_fails
        return self.after

    def turn_completed(self, call_id: str, turn: TurnCompleted) -> None:
        self.told.append(turn)
        self.book.take(turn)
        self.differed |= self.book.is_out_of_step
        self._tell()

    def carrier_status(self, call_id: str, update: CarrierUpdate) -> None:
        self.statuses.append(update)

    def answered_by(self, call_id: str, verdict: AnsweredBy) -> None:
        self.verdicts.append(verdict)

    def recording_status(self, call_id: str, update: RecordingUpdate) -> None:
        self.recordings.append(update)

    def media_lost(self, call_id: str, lost: MediaLost) -> None:
        self.lost.append(lost)
        if lost.heard is not None:
            self.book.hear(lost.heard, lost.epoch)
        self._tell()

    async def flush(self, call_id: str, *, within_s: float) -> bool:
        return True

    async def close(self, *, within_s: float = 5.0) -> None:
        return

    def _tell(self) -> None:
        async def notify() -> None:
            async with self.changed:
                self.changed.notify_all()

        task = asyncio.ensure_future(notify())
        task.add_done_callback(lambda _: None)

    async def until_turns(self, count: int) -> list[TurnRecord]:
        """Until so many turns have begun to be heard."""
        async with asyncio.timeout(15), self.changed:
            await self.changed.wait_for(lambda: len(self.turns) >= count)
        return self.turns

    async def until_lost(self) -> MediaLost:
        async with asyncio.timeout(15), self.changed:
            await self.changed.wait_for(lambda: bool(self.lost))
        return self.lost[-1]


class FakeRecognition:
    """Says the next prepared words at each `finalize`."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._queue: asyncio.Queue[Transcript | VendorUnavailable | None] = asyncio.Queue()
        self.heard = bytearray()

    def interim(self, text: str) -> None:
        """Words that are not finished."""
        self._queue.put_nowait(Transcript(text=text, is_final=False))

    def final(self, text: str) -> None:
        """Words that are finished."""
        self._queue.put_nowait(Transcript(text=text, is_final=True))

    def break_off(self) -> None:
        """The stream is gone."""
        self._queue.put_nowait(VendorUnavailable("fake", "broke off"))

    def send(self, mulaw: bytes) -> None:
        self.heard += mulaw

    async def finalize(self) -> None:
        text = self._words.pop(0) if self._words else ""
        self._queue.put_nowait(Transcript(text=text, is_final=True, from_finalize=True))

    async def __aiter__(self) -> AsyncIterator[Transcript]:
        while (transcript := await self._queue.get()) is not None:
            if isinstance(transcript, VendorUnavailable):
                raise transcript
            yield transcript

    async def close(self) -> None:
        self._queue.put_nowait(None)


class FakeRecogniser:
    """Its words are shared by all its streams."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.streams: list[FakeRecognition] = []
        self.refusals = 0

    async def open(self, *, key_terms: Sequence[str] = ()) -> FakeRecognition:
        if self.refusals:
            self.refusals -= 1
            raise VendorUnavailable("fake", "refused")
        self.streams.append(FakeRecognition(self.words))
        return self.streams[-1]


class FakeSpeech:
    """Twenty milliseconds of sound a word, at once."""

    def __init__(self, voice: FakeVoice) -> None:
        self._voice = voice
        self._queue: asyncio.Queue[SpokenAudio | SegmentDone | VendorUnavailable | None] = (
            asyncio.Queue()
        )

    async def say(self, segment: int, text: str) -> None:
        if self._voice.refusals:
            self._voice.refusals -= 1
            raise VendorUnavailable("fake", "refused")
        if self._voice.breaks:
            self._voice.breaks -= 1
            self._queue.put_nowait(VendorUnavailable("fake", "broke off"))
            return
        self._voice.said.append(text)
        mulaw = bytes([LOUD]) * 160 * self._voice.slowness * len(text.split())
        self._queue.put_nowait(SpokenAudio(segment=segment, mulaw=mulaw))
        self._queue.put_nowait(SegmentDone(segment=segment))

    async def finish(self) -> None:
        self._queue.put_nowait(None)

    async def cancel(self) -> None:
        self._voice.cancelled += 1
        if self._voice.cancel_fails:
            raise asyncio.QueueFull
        self._queue.put_nowait(None)

    async def __aiter__(self) -> AsyncGenerator[SpokenAudio | SegmentDone, None]:
        while (item := await self._queue.get()) is not None:
            if isinstance(item, VendorUnavailable):
                raise item
            yield item


class FakeVoice:
    def __init__(self) -> None:
        self.breaks = 0
        """So many sentences are taken and never spoken: the stream breaks off."""
        self.said: list[str] = []
        self.cancelled = 0
        self.refusals = 0
        self.slowness = 1
        self.latency_s = 0.0
        self.cancel_fails = False

    async def begin(self) -> FakeSpeech:
        await asyncio.sleep(self.latency_s)
        return FakeSpeech(self)

    async def close(self) -> None:
        return


class FakeLines:
    """Lines that are ready, by their words; none unless a test puts them here."""

    def __init__(self) -> None:
        self.spoken: dict[str, ReadyAudio] = {}

    def speak(self, *texts: str) -> None:
        """A hundred milliseconds of sound a word."""
        for text in texts:
            self.spoken[text] = ReadyAudio(mulaw=bytes([LOUD]) * 800 * len(text.split()))

    def ready(self, text: str) -> ReadyAudio | None:
        return self.spoken.get(text)

    async def close(self) -> None:
        return


class FakeEmbedding:
    """Texts are near each other by the words that they share."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.fails = False

    async def embed(self, text: str) -> Vector:
        await self.may.wait()
        if self.fails:
            raise RuntimeError("no model")
        vector = np.zeros(384, dtype=np.float32)
        for word in text.split():
            vector[crc32(word.encode()) % 384] += 1
        return vector / max(1e-6, float(np.linalg.norm(vector)))


class FakeEar:
    """Any byte but silence is speech, and is told a loop's step later; anything else is told by `finds`."""

    def __init__(self, tell: Callable[[EarEvent], None]) -> None:
        self.finds = tell
        self.counts = EarCounts()
        self.known_words: list[tuple[str, bool]] = []
        self.asked: list[tuple[Expectation, str]] = []
        self.agent_spoke: list[bool] = []
        self.is_closed = False
        self.is_deaf = False
        """Finds nothing by itself."""
        self.now_ms = 0
        """Stream time, as the frames tell it."""
        self._speaking = False

    def hear(self, mulaw: bytes, at_ms: int) -> None:
        self.now_ms = at_ms + len(mulaw) // 8
        speaking = any(byte != 0xFF for byte in mulaw)
        if speaking == self._speaking or self.is_deaf:
            return
        self._speaking = speaking
        change = VoiceChange(speaking=speaking, at_ms=at_ms)
        asyncio.get_running_loop().call_soon(self._tell, change)

    def sound(self, speaking: bool, *, ago_ms: int = 0) -> None:
        """The caller began or ceased to make sound, so long ago."""
        self.finds(VoiceChange(speaking=speaking, at_ms=max(0, self.now_ms - ago_ms)))

    def believes(self, p: float) -> None:
        """That the turn ends here."""
        self.finds(EndEstimate(p=p))

    def _tell(self, event: EarEvent) -> None:
        if not self.is_closed:
            self.finds(event)

    def words(self, text: str, *, is_final: bool) -> None:
        self.known_words.append((text, is_final))

    def expect(self, expectation: Expectation, question: str) -> None:
        self.asked.append((expectation, question))

    def habits(self, pauses_ms: Sequence[int]) -> None:
        return

    def agent_speaks(self, is_speaking: bool) -> None:
        self.agent_spoke.append(is_speaking)

    def close(self) -> None:
        self.is_closed = True


class FakeEars:
    def __init__(self) -> None:
        self.opened: list[FakeEar] = []
        self.counts = EarCounts()
        self.is_closed = False

    @property
    def last(self) -> FakeEar:
        return self.opened[-1]

    def open(self, tell: Callable[[EarEvent], None]) -> FakeEar:
        self.opened.append(FakeEar(tell))
        return self.last

    def close(self) -> None:
        self.is_closed = True


class FakeRecorder:
    """Keeps each stream's tape: ("took", event, now), ("timer", None, now), ("commands", commands, None)."""

    def __init__(self) -> None:
        self.tapes: list[FakeTape] = []

    def open(self, call_id: str, epoch: int, policy: TurnPolicy) -> FakeTape:
        self.tapes.append(FakeTape(policy))
        return self.tapes[-1]


class FakeTape:
    def __init__(self, policy: TurnPolicy) -> None:
        self.policy = policy
        self.events: list[tuple[Event | None, Ms]] = []
        """None: the timer."""
        self.answers: list[list[Command]] = []
        self.is_closed = False

    def took(self, event: Event, now: Ms) -> None:
        self.events.append((event, now))

    def timer(self, now: Ms) -> None:
        self.events.append((None, now))

    def commands(self, commands: Sequence[Command]) -> None:
        self.answers.append(list(commands))

    def close(self) -> None:
        self.is_closed = True


class FakeDialogue:
    """Gives prepared replies in turn: (move, slots, sentences), or an error to raise."""

    def __init__(self) -> None:
        self.replies: list[tuple[str, dict[str, str], list[str]] | NoUsableReply] = []
        self.requests: list[ReplyRequest] = []
        self.closed_early = 0
        self.holds = asyncio.Event()
        self.holds.set()

    async def warm(self) -> None:
        return

    async def prepare(self, request: ReplyRequest) -> PreparedReply:
        return PreparedReply(request=request)

    async def reply(
        self,
        request: ReplyRequest,
        trace: ReplyTrace | None = None,
        prepared: PreparedReply | None = None,
    ) -> AsyncGenerator[ReplyPart, None]:
        self.requests.append(replace(request))
        try:
            await self.holds.wait()
            answer = self.replies.pop(0)
            if isinstance(answer, NoUsableReply):
                raise answer
            move, slots, sentences = answer
            if trace is not None:
                trace.tokens_written += 10 + sum(len(sentence.split()) for sentence in sentences)
            yield MoveChosen(move=move, slots=slots)
            for sentence in sentences:
                yield WordsWritten(text=sentence)
        except (GeneratorExit, asyncio.CancelledError):
            self.closed_early += 1
            raise
