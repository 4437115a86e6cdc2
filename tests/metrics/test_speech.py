"""What of the speech vendors stands on the page: whom calls ask, what streams went through, how sockets are used."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from media_gateway.errors import VendorUnavailable
from media_gateway.failover.provider import Provider
from media_gateway.failover.speech_to_text import probe_recogniser
from media_gateway.metrics.prometheus import GatewayMetrics
from media_gateway.metrics.speech import SpeechState
from media_gateway.speech.aura_tts import AuraTextToSpeech
from media_gateway.speech.cartesia_tts import CartesiaTextToSpeech
from media_gateway.speech.deepgram_stt import DeepgramSpeechToText
from media_gateway.speech.ports import Speech, SpeechToText
from tests.simulators.aura import aura
from tests.simulators.cartesia import cartesia
from tests.simulators.deepgram import KEY, Connection, deepgram
from tests.simulators.spoken import silence, spoken
from tests.simulators.steps import Connect
from tests.vendors.listening_in import listening


async def test_a_recogniser_that_broke_off_and_came_back_is_on_the_page() -> None:
    metrics = GatewayMetrics()
    async with deepgram(Connection(break_at_ms=500), Connection()) as there:
        stt = DeepgramSpeechToText(api_key=KEY, base_url=there.url, name="other", meter=metrics)
        vendor = Provider[SpeechToText]("other", stt, probe_recogniser)
        metrics.registry.register(SpeechState([vendor], {"other": stt.counts}, {}))
        async with listening(stt) as listened:
            await listened.speak(spoken([2, 3, 4, 5, 6]) + silence(800))
            await listened.until(lambda: listened.finals)
    value = metrics.registry.get_sample_value
    labels = {"vendor": "other", "kind": "reconnects"}
    assert value("callspine_recogniser_events_total", labels) == 1
    assert value("callspine_vendor_reconnects_total", {"vendor": "other"}) == 1
    assert value("callspine_recogniser_reconnect_seconds_total", {"vendor": "other"})
    labels = {"vendor": "other", "kind": "sent_again"}
    assert value("callspine_recogniser_audio_seconds_total", labels)
    assert value("callspine_vendor_well", {"vendor": "other"}) == 1
    vendor.failed(VendorUnavailable("other", "HTTP 401", is_lasting=True))
    assert value("callspine_vendor_well", {"vendor": "other"}) == 0
    await vendor.close()


async def test_a_voices_sockets_are_on_the_page() -> None:
    metrics, registry = GatewayMetrics(), CollectorRegistry()
    async with aura(Connect()) as one, cartesia(Connect()) as two:
        first = AuraTextToSpeech(api_key="k", base_url=one.url, meter=metrics)
        second = CartesiaTextToSpeech(api_key="k", voice_id="v", base_url=two.url, meter=metrics)
        registry.register(SpeechState([], {}, {"aura": first, "cartesia": second}))

        def pool(vendor: str, kind: str) -> float | None:
            labels = {"vendor": vendor, "kind": kind}
            return registry.get_sample_value("callspine_voice_pool", labels)

        speeches: list[Speech] = [await first.begin(), await second.begin()]
        assert (pool("aura", "free"), pool("aura", "speaking")) == (0, 1)
        assert (pool("cartesia", "open"), pool("cartesia", "speaking")) == (1, 1)
        for speech in speeches:
            await speech.cancel()
        assert (pool("aura", "free"), pool("aura", "speaking")) == (1, 0)
        await first.close()
        await second.close()
    connects = "callspine_vendor_connect_seconds_count"
    assert metrics.registry.get_sample_value(connects, {"vendor": "aura"}) == 1
