"""Deepgram live transcription behind the SpeechToText port: Nova (`/v1/listen`) and Flux (`/v2/listen`), by the model's name.

Our own socket with the SDK's message types: see `deepgram_listen.socket`. Never run against the real service; proven on a
simulator that speaks the documented protocols, faults included (`tests/simulators/deepgram.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from media_gateway.errors import VendorUnavailable
from media_gateway.metrics.ports import NoMeter, VendorMeter
from media_gateway.speech.deepgram_listen.counts import ListenCounts
from media_gateway.speech.deepgram_listen.flux import FluxReading
from media_gateway.speech.deepgram_listen.nova import NovaReading
from media_gateway.speech.deepgram_listen.options import ListenOptions
from media_gateway.speech.deepgram_listen.socket import VENDOR, dial
from media_gateway.speech.deepgram_listen.stream import RECONNECT_WITHIN_S, DeepgramRecognition

OPEN_WITHIN_S = 2.0


class DeepgramSpeechToText:
    """Implements SpeechToText."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = "wss://api.deepgram.com",
        options: ListenOptions | None = None,
        silent_after_s: float = 2.0,
        reconnect_within_s: float = RECONNECT_WITHIN_S,
        name: str = VENDOR,
        meter: VendorMeter | None = None,
    ) -> None:
        """`silent_after_s`: so much speech without an answer, and a socket is taken for dead.

        `reconnect_within_s`: a stream that is lost is tried for so long; little where another recogniser waits to be asked.
        `meter` is told, under this name, of streams that came back by themselves.
        """
        self._api_key = api_key
        self._base_url = base_url
        self._options = options or ListenOptions()
        self._silent_after_s = silent_after_s
        self._reconnect_within_s = reconnect_within_s
        self._name = name
        self._meter = meter or NoMeter()
        self.counts = ListenCounts()

    async def open(self, *, key_terms: Sequence[str] = ()) -> DeepgramRecognition:
        """Connect, without a second try. Raises VendorUnavailable."""
        url = self._base_url + self._options.target(key_terms)
        try:
            socket = await dial(url, api_key=self._api_key, within_s=OPEN_WITHIN_S)
        except VendorUnavailable:
            self.counts.refused += 1
            raise
        self.counts.opened += 1
        return DeepgramRecognition(
            socket,
            lambda within_s: dial(url, api_key=self._api_key, within_s=within_s),
            FluxReading() if self._options.is_flux else NovaReading(),
            is_flux=self._options.is_flux,
            silent_after_s=self._silent_after_s,
            reconnect_within_s=self._reconnect_within_s,
            reconnected=lambda: self._meter.reconnected(self._name),
            counts=self.counts,
        )
