"""What a gateway is made of: every vendor, store and rule that the composition root put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter

from media_gateway.ears.ports import Ears
from media_gateway.failover.text_to_speech import FailoverTextToSpeech
from media_gateway.metrics.ports import Observers, Several
from media_gateway.opener_prefetch import OpenerVectors
from media_gateway.ports import Dialogue, Knowledge, WorkflowLink
from media_gateway.routing.ahead import Choice
from media_gateway.sessions import Sessions
from media_gateway.signature import CarrierSignature
from media_gateway.speech.no_lines import NoLines
from media_gateway.speech.ports import LineAudio, SpeechToText, TextToSpeech
from media_gateway.stream_token import StreamTokens
from media_gateway.turns.recording import NoRecorder, Recorder
from media_gateway.turns.types import TurnPolicy


@dataclass(frozen=True, kw_only=True)
class GatewayParts:
    """One gateway process. All of it is shared by all its calls."""

    gateway_id: str
    public_url: str
    """No trailing slash."""
    inbound_script: str
    inbound_script_hash: Callable[[], str]
    """Blocking: the content hash of that script as it is now; empty when it cannot be read."""
    longest_message_bytes: int
    most_resumes: int
    """Of calls that come in: how often a lost stream is taken up again."""
    signature: CarrierSignature
    tokens: StreamTokens
    link: WorkflowLink
    recogniser: SpeechToText
    voice: TextToSpeech
    ears: Ears
    dialogue: Dialogue
    knowledge: Mapping[str, Knowledge] = field(default_factory=dict)
    """By script id."""
    lines: LineAudio = field(default_factory=NoLines)
    openers: OpenerVectors | None = None
    """None: no reply begins before its own words are there."""
    route: Choice | None = None
    """None: every turn is the first client's."""
    recorder: Recorder = field(default_factory=NoRecorder)
    observers: Observers = field(default_factory=Several)
    """Told of every stream: metrics, traces."""
    pages: Sequence[APIRouter] = ()
    """What is served besides, `/metrics` for one."""
    policy: TurnPolicy = field(default_factory=TurnPolicy)
    sessions: Sessions = field(default_factory=Sessions)

    def mouth(self) -> tuple[TextToSpeech, LineAudio]:
        """What one call speaks with: a voice, and lines that were spoken in the same one."""
        if isinstance(self.voice, FailoverTextToSpeech):
            voice = self.voice.for_call()
            return voice, voice
        return self.voice, self.lines
