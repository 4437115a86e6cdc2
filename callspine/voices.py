"""Which voices a gateway speaks with, as the settings name them, each with the authored lines that were spoken in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from callspine.settings import Settings, base_url
from callspine.vendors import KeptWarm, voices
from media_gateway.failover.patience import FailoverPolicy
from media_gateway.failover.provider import Provider
from media_gateway.failover.text_to_speech import FailoverTextToSpeech
from media_gateway.failover.voices import Voice, probe_voice
from media_gateway.metrics.ports import VendorMeter
from media_gateway.metrics.vendors import MeasuredVoice
from media_gateway.speech.line_audio import LineAudioCache
from media_gateway.speech.line_shelf import LineShelf
from media_gateway.speech.ports import TextToSpeech


@dataclass(frozen=True, kw_only=True)
class Voices:
    """One gateway's."""

    voice: FailoverTextToSpeech
    """Closes all of them."""
    lines: tuple[LineAudioCache, ...]
    vendors: tuple[Provider[TextToSpeech], ...]
    pools: Mapping[str, KeptWarm]
    """By the vendor's name."""

    def want(self, texts: Iterable[str]) -> None:
        """Have these lines spoken by every voice: one that takes over needs its own."""
        wanted = list(texts)
        for lines in self.lines:
            lines.want(wanted)


def open_voices(settings: Settings, calls: Callable[[], int], meter: VendorMeter) -> Voices:
    """On the running loop: sockets are opened in the background. `calls`: how many there are now."""
    opened, caches = [], []
    ports = voices(settings, meter)
    for name, port in ports.items():
        port.keep_warm()
        shelf = LineShelf(settings.line_audio_dir, voice=_sound_of(settings, name))
        # Lines that are spoken in advance are not measured: they would pass for turns that were fast or slow.
        cache = LineAudioCache(port, shelf, calls=calls)
        measured = MeasuredVoice(port, name, meter)
        opened.append(Voice(provider=Provider(name, measured, probe_voice), lines=cache))
        caches.append(cache)
    policy = FailoverPolicy(
        first_audio_s=settings.voice_late_after_ms / 1000,
        give_up_s=settings.voice_give_up_after_ms / 1000,
    )
    return Voices(
        voice=FailoverTextToSpeech(opened, policy),
        lines=tuple(caches),
        vendors=tuple(voice.provider for voice in opened),
        pools=ports,
    )


def _sound_of(settings: Settings, name: str) -> str:
    """All that makes a voice sound as it does: lines spoken by another one are not its."""
    if name == "aura":
        return f"aura {base_url(settings.deepgram_base_url)} {settings.aura_model}"
    address = base_url(settings.cartesia_base_url)
    return f"cartesia {address} {settings.cartesia_model} {settings.cartesia_voice_id}"
