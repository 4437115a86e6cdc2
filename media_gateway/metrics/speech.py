"""What is read of the speech vendors when Prometheus asks: who is asked, what streams went through, how sockets are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from media_gateway.speech.deepgram_listen.counts import ListenCounts

_EVENTS = (
    "opened", "refused", "reconnects", "given_up", "silent_sockets", "malformed", "late", "complaints",
)  # fmt: skip


class Vendor(Protocol):
    """One that may be away; see `failover.provider`."""

    name: str

    @property
    def is_well(self) -> bool:
        """Calls ask it."""


class Pool(Protocol):
    """A voice's sockets."""

    @property
    def pool(self) -> Mapping[str, int]:
        """How many there are of what, now."""


class SpeechState(Collector):
    """On the event loop: what it reads changes there."""

    def __init__(
        self,
        vendors: Sequence[Vendor],
        counts: Mapping[str, ListenCounts],
        pools: Mapping[str, Pool],
    ) -> None:
        """`counts` of recognisers and `pools` of voices, each by the vendor's name."""
        self._vendors = vendors
        self._counts = counts
        self._pools = pools

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        well = GaugeMetricFamily(
            "callspine_vendor_well", "0 while calls ask the next one instead", labels=["vendor"]
        )
        for vendor in self._vendors:
            well.add_metric([vendor.name], float(vendor.is_well))
        yield well
        yield from self._recognisers()
        pool = GaugeMetricFamily(
            "callspine_voice_pool",
            "Sockets to a voice, and replies on them",
            labels=["vendor", "kind"],
        )
        for name, voice in self._pools.items():
            for kind, count in voice.pool.items():
                pool.add_metric([name, kind], count)
        yield pool

    def _recognisers(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "callspine_recogniser_events",
            "What streams to a recogniser went through",
            labels=["vendor", "kind"],
        )
        back = CounterMetricFamily(
            "callspine_recogniser_reconnect_seconds",
            "From losing a stream to having it back",
            labels=["vendor"],
        )
        audio = CounterMetricFamily(
            "callspine_recogniser_audio_seconds",
            "Audio that was sent again behind a break, or dropped",
            labels=["vendor", "kind"],
        )
        for name, counts in self._counts.items():
            for kind in _EVENTS:
                events.add_metric([name, kind], getattr(counts, kind))
            back.add_metric([name], counts.reconnect_ms / 1000)
            audio.add_metric([name, "sent_again"], counts.audio_sent_again_ms / 1000)
            audio.add_metric([name, "dropped"], counts.audio_dropped_ms / 1000)
        yield from (events, back, audio)
