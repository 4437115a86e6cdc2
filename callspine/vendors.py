"""The vendors that the settings name, each behind its port, by the name that metrics and `callspine doctor` call it.

Of recognisers and voices the first is the one that calls use; of models all are, in this order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspine.llm_settings import ONLY, llm_clients
from callspine.router_settings import FAST, OFF, STRONG
from callspine.settings import Settings, base_url

if TYPE_CHECKING:
    import httpx

    from media_gateway.llm.client import LlmClient
    from media_gateway.metrics.ports import VendorMeter
    from media_gateway.ports import Dialogue
    from media_gateway.speech.ports import SpeechToText, TextToSpeech

MODEL = ONLY
"""All models together, in metrics: the trouble of one of several is `llm:NAME`'s, too."""


def recognisers(settings: Settings) -> dict[str, SpeechToText]:
    """Speech to text."""
    from media_gateway.speech.deepgram_stt import DeepgramSpeechToText

    return {
        "deepgram": DeepgramSpeechToText(
            base_url=base_url(settings.deepgram_base_url),
            api_key=settings.deepgram_api_key.get_secret_value(),
            model=settings.deepgram_model,
        )
    }


def voices(settings: Settings, meter: VendorMeter | None = None) -> dict[str, TextToSpeech]:
    """Text to speech. `meter` is told of sockets that are shared by turns."""
    from media_gateway.speech.cartesia_tts import CartesiaTextToSpeech

    return {
        "cartesia": CartesiaTextToSpeech(
            base_url=base_url(settings.cartesia_base_url),
            api_key=settings.cartesia_api_key.get_secret_value(),
            voice_id=settings.cartesia_voice_id,
            model=settings.cartesia_model,
            meter=meter,
        )
    }


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
