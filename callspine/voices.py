"""Which voices a gateway speaks with, as the settings name them, each with the authored lines that were spoken in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from callspine.settings import Settings, base_url
from media_gateway.failover.patience import FailoverPolicy
from media_gateway.failover.provider import Provider
from media_gateway.failover.text_to_speech import FailoverTextToSpeech
from media_gateway.failover.voices import Voice, probe_voice
from media_gateway.speech.aura_tts import AuraTextToSpeech
from media_gateway.speech.cartesia_tts import CartesiaTextToSpeech
from media_gateway.speech.line_audio import LineAudioCache
from media_gateway.speech.line_shelf import LineShelf
from media_gateway.speech.ports import TextToSpeech


@dataclass(frozen=True, kw_only=True)
class Voices:
    """One gateway's."""

    voice: FailoverTextToSpeech
    """Closes all of them."""
    lines: tuple[LineAudioCache, ...]

    def want(self, texts: Iterable[str]) -> None:
        """Have these lines spoken by every voice: one that takes over needs its own."""
        wanted = list(texts)
        for lines in self.lines:
            lines.want(wanted)


def open_voices(settings: Settings, calls: Callable[[], int]) -> Voices:
    """On the running loop: sockets are opened in the background. `calls`: how many there are now."""
    voices, caches = [], []
    for name in settings.voices:
        port = _aura(settings) if name == "aura" else _cartesia(settings)
        shelf = LineShelf(settings.line_audio_dir, voice=_sound_of(settings, name))
        cache = LineAudioCache(port, shelf, calls=calls)
        voices.append(Voice(provider=Provider(name, port, probe_voice), lines=cache))
        caches.append(cache)
    policy = FailoverPolicy(
        first_audio_s=settings.voice_late_after_ms / 1000,
        give_up_s=settings.voice_give_up_after_ms / 1000,
    )
    return Voices(voice=FailoverTextToSpeech(voices, policy), lines=tuple(caches))


def _cartesia(settings: Settings) -> TextToSpeech:
    voice = CartesiaTextToSpeech(
        base_url=base_url(settings.cartesia_base_url),
        api_key=settings.cartesia_api_key.get_secret_value(),
        voice_id=settings.cartesia_voice_id,
        model=settings.cartesia_model,
        sockets=settings.cartesia_sockets,
        most_contexts=settings.cartesia_contexts,
        audio_within_s=_audio_within_s(settings),
    )
    voice.keep_warm()
    return voice


def _aura(settings: Settings) -> TextToSpeech:
    voice = AuraTextToSpeech(
        base_url=base_url(settings.deepgram_base_url),
        api_key=settings.deepgram_api_key.get_secret_value(),
        model=settings.aura_model,
        warm=settings.aura_warm_sockets,
        most=settings.aura_sockets,
        audio_within_s=_audio_within_s(settings),
    )
    voice.keep_warm()
    return voice


def _audio_within_s(settings: Settings) -> float:
    """A little more than a call waits: who speaks for a call decides first; this is for lines that nobody waits for."""
    return settings.voice_give_up_after_ms / 1000 + 0.3


def _sound_of(settings: Settings, name: str) -> str:
    """All that makes a voice sound as it does: lines spoken by another one are not its."""
    if name == "aura":
        return f"aura {base_url(settings.deepgram_base_url)} {settings.aura_model}"
    address = base_url(settings.cartesia_base_url)
    return f"cartesia {address} {settings.cartesia_model} {settings.cartesia_voice_id}"
