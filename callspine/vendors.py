"""The vendors that the settings name, each behind its port, by the name that metrics and `callspine doctor` call it.

Those of a kind stand in for each other, in this order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from callspine.llm_settings import ONLY, llm_clients
from callspine.router_settings import FAST, OFF, STRONG
from callspine.settings import Settings, base_url
from media_gateway.speech.ports import TextToSpeech

if TYPE_CHECKING:
    import httpx

    from media_gateway.llm.client import LlmClient
    from media_gateway.metrics.ports import VendorMeter
    from media_gateway.ports import Dialogue
    from media_gateway.speech.deepgram_stt import DeepgramSpeechToText

MODEL = ONLY
"""All models together, in metrics: the trouble of one of several is `llm:NAME`'s, too."""


RECONNECT_WITH_FALLBACK_S = 0.25
"""A lost stream is tried for at its own address, if there is another one: a handshake, and no more. A call's next words wait."""


def recognisers(
    settings: Settings, meter: VendorMeter | None = None
) -> dict[str, DeepgramSpeechToText]:
    """Speech to text, the preferred one first. `meter` is told of streams that come back by themselves."""
    from media_gateway.speech.deepgram_listen.options import ListenOptions
    from media_gateway.speech.deepgram_listen.stream import RECONNECT_WITHIN_S
    from media_gateway.speech.deepgram_stt import DeepgramSpeechToText

    options = ListenOptions(
        model=settings.deepgram_model,
        eot_threshold=settings.deepgram_eot_threshold,
        eager_eot_threshold=settings.deepgram_eager_eot_threshold,
    )
    urls = {"deepgram": settings.deepgram_base_url}
    if settings.deepgram_fallback_url is not None:
        urls["deepgram fallback"] = settings.deepgram_fallback_url
    is_alone = len(urls) == 1
    return {
        name: DeepgramSpeechToText(
            base_url=base_url(url),
            api_key=settings.deepgram_api_key.get_secret_value(),
            options=options,
            silent_after_s=settings.deepgram_silent_after_s,
            reconnect_within_s=RECONNECT_WITHIN_S if is_alone else RECONNECT_WITH_FALLBACK_S,
            name=name,
            meter=meter,
        )
        for name, url in urls.items()
    }


class KeptWarm(TextToSpeech, Protocol):
    """A voice whose sockets can be open before they are needed."""

    @property
    def pool(self) -> Mapping[str, int]:
        """How many there are of what, now."""

    def keep_warm(self) -> None:
        """Open them in the background, on the running loop. Idempotent."""


def voices(settings: Settings, meter: VendorMeter | None = None) -> dict[str, KeptWarm]:
    """Text to speech, the preferred one first. `meter` is told of sockets, which outlive a turn."""
    from media_gateway.speech.aura_tts import AuraTextToSpeech
    from media_gateway.speech.cartesia_tts import CartesiaTextToSpeech

    # A little more than a call waits: who speaks for a call decides first; this is for lines that nobody waits for.
    audio_within_s = settings.voice_give_up_after_ms / 1000 + 0.3

    def cartesia() -> KeptWarm:
        return CartesiaTextToSpeech(
            base_url=base_url(settings.cartesia_base_url),
            api_key=settings.cartesia_api_key.get_secret_value(),
            voice_id=settings.cartesia_voice_id,
            model=settings.cartesia_model,
            sockets=settings.cartesia_sockets,
            most_contexts=settings.cartesia_contexts,
            audio_within_s=audio_within_s,
            meter=meter,
        )

    def aura() -> KeptWarm:
        return AuraTextToSpeech(
            base_url=base_url(settings.deepgram_base_url),
            api_key=settings.deepgram_api_key.get_secret_value(),
            model=settings.aura_model,
            warm=settings.aura_warm_sockets,
            most=settings.aura_sockets,
            audio_within_s=audio_within_s,
            meter=meter,
        )

    made = {"cartesia": cartesia, "aura": aura}
    return {name: made[name]() for name in settings.voices}


def models(settings: Settings, http: httpx.AsyncClient) -> dict[str, Dialogue]:
    """Language models, each alone."""
    return {client.name: _dialogue(settings, http, (client,)) for client in llm_clients(settings)}


def dialogue_of(settings: Settings, http: httpx.AsyncClient) -> Dialogue:
    """What calls use: all models, which stand in for each other."""
    return _dialogue(settings, http, llm_clients(settings))


def _dialogue(
    settings: Settings, http: httpx.AsyncClient, clients: tuple[LlmClient, ...]
) -> Dialogue:
    from media_gateway.dialogue import BamlDialogue

    is_routed = settings.router != OFF and len(clients) > 1
    return BamlDialogue(
        clients,
        http=http,
        first_token_timeout_s=settings.llm_first_token_timeout_s,
        idle_timeout_s=settings.llm_idle_timeout_s,
        hedge_after_s=settings.llm_hedge_after_ms / 1000,
        prepares=(FAST, STRONG) if is_routed else (),
    )
