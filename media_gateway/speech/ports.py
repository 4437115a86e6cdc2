"""What the gateway asks of speech vendors. Audio is 8 kHz G.711 mu-law, mono, 8 bytes a millisecond."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A piece of what the caller said."""

    text: str
    is_final: bool
    """The span will not change; the next transcript is of a new span."""
    end_of_turn: bool = False
    """The vendor believes that the caller's turn is over."""
    from_finalize: bool = False
    """It answers our own `finalize`."""
    until_ms: int | None = None
    """Of a final: where its span ends, in ms of all audio that was sent to the recognition. None: the vendor tells no times."""
    eager_end_of_turn: bool = False
    """The vendor believes, less firmly, that the turn is over with these words; the next one that is not final says if it
    still does. The text is empty where all of them are final."""


class Recognition(Protocol):
    """One live stream to a recogniser. Iterate for transcripts; iteration ends when the stream does."""

    def send(self, mulaw: bytes) -> None:
        """Queue audio without waiting. Drops the oldest and counts it when the queue is full."""

    async def finalize(self) -> None:
        """Ask for the words of everything sent so far. The answer may be empty, and may never come."""

    def __aiter__(self) -> AsyncIterator[Transcript]: ...

    async def close(self) -> None:
        """End the stream within a second, whatever the vendor does. Idempotent."""


class SpeechToText(Protocol):
    """A recogniser."""

    async def open(self, *, key_terms: Sequence[str] = ()) -> Recognition:
        """Connect. Raises `media_gateway.errors.VendorUnavailable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WordTime:
    """When a word is spoken, in milliseconds from the first audio of its segment."""

    word: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenAudio:
    """Audio of one segment, in order."""

    segment: int
    mulaw: bytes
    """Any number of bytes, maybe none when only word times came."""
    words: tuple[WordTime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDone:
    """All audio of a segment was delivered."""

    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTakenBack:
    """Another voice goes on in the middle of a segment: the audio from here on is void, and what follows takes its place."""

    segment: int
    at_ms: int
    """From the segment's first audio: the beginning of the first word that the next voice says."""


SpeechItem = SpokenAudio | SegmentDone | AudioTakenBack


class Speech(Protocol):
    """One agent turn being spoken. The caller's segment numbers rise, with gaps; they are spoken in that order."""

    async def say(self, segment: int, text: str) -> None:
        """Speak a whole sentence or clause. Raises VendorUnavailable."""

    async def finish(self) -> None:
        """No more segments follow."""

    def __aiter__(self) -> AsyncGenerator[SpeechItem, None]:
        """Audio as it comes. Ends after the last segment, or raises VendorUnavailable."""

    async def cancel(self) -> None:
        """Stop at once; nothing more is delivered. Idempotent."""


class TextToSpeech(Protocol):
    """A voice."""

    async def begin(self) -> Speech:
        """Start an agent turn. Raises VendorUnavailable."""

    async def close(self) -> None:
        """Release sockets. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAudio:
    """A whole line, spoken before it is needed."""

    mulaw: bytes
    words: tuple[WordTime, ...] = ()
    """Empty where the voice tells no times."""

    @property
    def duration_ms(self) -> int:
        """Of all of it."""
        return len(self.mulaw) // 8


class LineAudio(Protocol):
    """Authored lines that were spoken before."""

    def ready(self, text: str) -> ReadyAudio | None:
        """The whole line's audio, the words exactly as they would be spoken; None: say it live. Never waits, never raises."""

    async def close(self) -> None:
        """Make no more of them. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceChange:
    """The caller began or ceased to speak."""

    speaking: bool
    at_ms: int
    """Stream time of the sound's beginning or end, dated back from the frame that decided it."""
    at_s: float | None = None
    """The same on the event loop's clock, from when the line's audio comes: a stream's times may drift, jump or stand."""
    is_faint: bool = False
    """Speech clearly below this caller's own level; see `media_gateway.turns.types.SpeechStarted`."""
