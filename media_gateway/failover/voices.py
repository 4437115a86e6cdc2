"""The voices that may speak, those that are preferred first, and which of them a call speaks with.

A call stays with the voice that it has begun with, until that one fails, and then with the next one: a customer who
hears the agent change its voice should hear it once. New calls begin with the first one that is well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from media_gateway.failover.ledger import Pace
from media_gateway.failover.provider import Provider
from media_gateway.speech.ports import LineAudio, ReadyAudio, SpokenAudio, TextToSpeech

PROBE_TEXT = "Hello."


@dataclass(slots=True, kw_only=True)
class Voice:
    """One vendor's, with the authored lines that were spoken in it."""

    provider: Provider[TextToSpeech]
    lines: LineAudio
    pace: Pace = field(default_factory=Pace)

    @property
    def name(self) -> str:
        """The vendor's."""
        return self.provider.name

    @property
    def port(self) -> TextToSpeech:
        """The vendor's."""
        return self.provider.port


class CallVoices:
    """One call's choice among them."""

    def __init__(self, voices: Sequence[Voice]) -> None:
        self._voices = voices
        self._present: Voice | None = None

    def in_order(self) -> list[Voice]:
        """Whom to ask: the call's own, then the others, the well ones first. Those that are not well are a last resort."""
        own = [self._present] if self._present is not None else []
        ranked = own + [voice for voice in self._voices if voice is not self._present]
        return sorted(ranked, key=lambda voice: not voice.provider.is_well)

    def speaks(self, voice: Voice) -> None:
        """The caller hears this one."""
        self._present = voice

    def ready(self, text: str) -> ReadyAudio | None:
        """A line in the voice that would speak now. When none of them is well, in any: a strange voice is not silence."""
        order = self.in_order()
        for voice in order[:1] if order[0].provider.is_well else order:
            if (audio := voice.lines.ready(text)) is not None:
                self._present = voice
                return audio
        return None


async def probe_voice(port: TextToSpeech) -> None:
    """One word, until its first sound. Raises VendorUnavailable."""
    speech = await port.begin()
    try:
        await speech.say(0, PROBE_TEXT)
        await speech.finish()
        async for item in speech:
            if isinstance(item, SpokenAudio) and item.mulaw:
                return
    finally:
        await speech.cancel()
