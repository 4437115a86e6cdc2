"""The vendors that the settings name, each behind its port, by the name that metrics and `callspine doctor` call it.

The first of a kind is the one that calls use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callspine.settings import Settings, base_url

if TYPE_CHECKING:
    import httpx

    from media_gateway.metrics.ports import VendorMeter
    from media_gateway.ports import Dialogue
    from media_gateway.speech.ports import SpeechToText, TextToSpeech


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
    """Language models."""
    from media_gateway.dialogue import BamlDialogue

    return {
        "llm": BamlDialogue(
            base_url=base_url(settings.llm_base_url),
            api_key=settings.llm_api_key.get_secret_value(),
            model=settings.llm_model,
            http=http,
            first_token_timeout_s=settings.llm_first_token_timeout_s,
            idle_timeout_s=settings.llm_idle_timeout_s,
        )
    }
