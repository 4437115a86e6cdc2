"""The gateway's metrics in Prometheus' form, one registry a process. Labels are few and fixed: no call, number or word."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from media_gateway.metrics.kinds import kind_of
from media_gateway.metrics.ports import StreamObserver, TurnSeen
from workflows.contracts.payloads import TurnKind

_VENDOR_S = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0)
_TURN_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)
_LOOP_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""A frame is 20 ms; audio is 200 ms ahead at least."""
_REFUSALS = frozenset({"timeout", "http", "malformed", "move", "guard", "voice", "aborted"})


class GatewayMetrics:
    """Implements VendorMeter and Observers. On the event loop only."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self._first_byte = Histogram(
            "callspine_vendor_first_byte_seconds",
            "From asking a vendor to the first of its answer",
            ["vendor"],
            buckets=_VENDOR_S,
            registry=registry,
        )
        self._connect = Histogram(
            "callspine_vendor_connect_seconds",
            "Opening a connection to a vendor",
            ["vendor"],
            buckets=_VENDOR_S,
            registry=registry,
        )
        self._errors = Counter(
            "callspine_vendor_errors",
            "Vendors' failures, by kind",
            ["vendor", "kind"],
            registry=registry,
        )
        self._reconnects = Counter(
            "callspine_vendor_reconnects",
            "Connections that broke and were opened again",
            ["vendor"],
            registry=registry,
        )
        self._tokens = Counter(
            "callspine_model_tokens",
            "What models read and wrote, their own counts where they tell them; of losers and dropped answers, too",
            ["vendor", "kind"],
            registry=registry,
        )
        self._gap = Histogram(
            "callspine_turn_gap_seconds",
            "From the caller's last sound to the answer's first audio at his ear; openers and fillers come before it",
            ["ahead"],
            buckets=_TURN_S,
            registry=registry,
        )
        self._end = Histogram(
            "callspine_turn_end_seconds",
            "From the caller's last sound to knowing that his turn is over",
            buckets=_TURN_S,
            registry=registry,
        )
        self._turns = Counter(
            "callspine_turns", "Agent turns that were told", ["kind"], registry=registry
        )
        self._refusals = Counter(
            "callspine_turn_refusals",
            "Turns whose model's answer was not used, by reason",
            ["reason"],
            registry=registry,
        )
        self._commands = Counter(
            "callspine_turn_commands",
            "What the turn machine commanded; PauseReply is a barge-in",
            ["command"],
            registry=registry,
        )
        self._streams = Counter(
            "callspine_streams", "Media streams, by how they began", ["began"], registry=registry
        )
        self._lost = Counter(
            "callspine_streams_lost", "Media streams whose line broke", registry=registry
        )
        self._lag = Histogram(
            "callspine_event_loop_lag_seconds",
            "How late the event loop runs what is due",
            buckets=_LOOP_S,
            registry=registry,
        )
        self._tick = Histogram(
            "callspine_ear_tick_seconds",
            "One run of all ears that are due",
            buckets=_LOOP_S,
            registry=registry,
        )

    # --- VendorMeter -------------------------------------------------------------------------

    def first_byte(self, vendor: str, seconds: float) -> None:
        """See VendorMeter."""
        self._first_byte.labels(vendor).observe(seconds)

    def connected(self, vendor: str, seconds: float) -> None:
        """See VendorMeter."""
        self._connect.labels(vendor).observe(seconds)

    def failed(self, vendor: str, reason: str) -> None:
        """See VendorMeter."""
        self._errors.labels(vendor, kind_of(reason)).inc()

    def reconnected(self, vendor: str) -> None:
        """See VendorMeter."""
        self._reconnects.labels(vendor).inc()

    def spent(self, vendor: str, *, prompt_tokens: int, tokens_written: int) -> None:
        """See VendorMeter."""
        self._tokens.labels(vendor, "prompt").inc(prompt_tokens)
        self._tokens.labels(vendor, "written").inc(tokens_written)

    # --- Observers and StreamObserver: all streams are one to a metric ---------------------------

    def open(
        self, call_id: str, *, epoch: int, started_s: float, is_resumed: bool
    ) -> StreamObserver:
        """See Observers."""
        del call_id, epoch, started_s
        self._streams.labels("resumed" if is_resumed else "new").inc()
        return self

    def commanded(self, command: str) -> None:
        """See StreamObserver."""
        self._commands.labels(command).inc()

    def turn_over(self, turn: TurnSeen) -> None:
        """See StreamObserver."""
        self._turns.labels(turn.kind.value).inc()
        if turn.refusal:
            reason = turn.refusal if turn.refusal in _REFUSALS else "other"
            self._refusals.labels(reason).inc()
        times = turn.timings
        if turn.kind is not TurnKind.REPLY:
            return
        if times.end_of_turn is not None:
            self._end.observe(times.end_of_turn / 1000)
        if times.first_audio_played is not None:
            is_ahead = times.begun_ahead is not None
            gap = self._gap.labels("yes" if is_ahead else "no")
            gap.observe(times.first_audio_played / 1000)

    def closed(self, *, turns: int, is_lost: bool) -> None:
        """See StreamObserver."""
        del turns
        if is_lost:
            self._lost.inc()

    # --- the process -------------------------------------------------------------------------

    def loop_was_late(self, seconds: float) -> None:
        """By so much, this time."""
        self._lag.observe(seconds)

    def ears_took(self, seconds: float) -> None:
        """One tick."""
        self._tick.observe(seconds)
