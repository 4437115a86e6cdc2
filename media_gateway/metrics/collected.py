"""What is read when Prometheus asks: counts that the gateway's parts keep anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Protocol

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from media_gateway.ears.counts import EarCounts
from media_gateway.sessions import Sessions

_BARGE_INS = {"resumed": "pauses_resumed", "yielded": "pauses_yielded"}
_AHEAD = {"begun": "ahead_begun", "committed": "ahead_committed", "dropped": "ahead_dropped"}


class Owed(Protocol):
    """What the workflows have not acknowledged; see `WorkflowLink`."""

    @property
    def depth(self) -> int:
        """Messages."""

    @property
    def oldest_age_s(self) -> float:
        """Seconds."""


class GatewayState(Collector):
    """Calls, outbox, ears, and what became of turns. On the event loop: what it reads changes there."""

    def __init__(self, sessions: Sessions, owed: Owed, ears: Callable[[], EarCounts]) -> None:
        self._sessions = sessions
        self._owed = owed
        self._ears = ears

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        yield GaugeMetricFamily(
            "callspine_calls", "Calls that are carried now", len(self._sessions)
        )
        yield GaugeMetricFamily(
            "callspine_draining",
            "1 once the gateway is to stop",
            float(self._sessions.is_leaving),
        )
        yield GaugeMetricFamily(
            "callspine_outbox_depth",
            "Messages that Temporal has not acknowledged",
            self._owed.depth,
        )
        yield GaugeMetricFamily(
            "callspine_outbox_oldest_seconds", "Age of the oldest of them", self._owed.oldest_age_s
        )
        totals = self._sessions.totals_so_far()
        yield _by("callspine_barge_ins", "Sounds over a reply", "result", totals.counts, _BARGE_INS)
        yield _by("callspine_ahead", "Answers begun ahead", "step", totals.counts, _AHEAD)
        yield CounterMetricFamily(
            "callspine_ahead_wasted_tokens",
            "That the model wrote of answers begun ahead and dropped",
            totals.wasted_tokens,
        )
        ears = asdict(self._ears())
        yield CounterMetricFamily(
            "callspine_media_frames", "Audio messages that came", ears.pop("frames")
        )
        yield CounterMetricFamily(
            "callspine_media_frames_late", "Of these, late ones", ears.pop("late")
        )
        bad = CounterMetricFamily(
            "callspine_ear_input", "What an ear heard that it should not have", labels=["kind"]
        )
        for kind, count in ears.items():
            bad.add_metric([kind], count)
        yield bad


def _by(
    name: str, help_: str, label: str, counts: object, fields: dict[str, str]
) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_, labels=[label])
    for value, field in fields.items():
        family.add_metric([value], getattr(counts, field))
    return family
