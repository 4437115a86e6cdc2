"""The gateway's part of a call's trace: a span a media stream, and below it one a turn with its steps.

A turn's spans are made from its stamps when it is over, so that tracing is never on the spoken path.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from callspine.tracing_ids import CallTrace
from media_gateway.metrics.ports import StreamObserver, TurnSeen
from workflows.contracts.payloads import TurnTimings


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of a turn, in ms from the caller's last sound."""

    name: str
    start: int
    end: int


def steps_of(times: TurnTimings) -> Iterator[Step]:
    """The steps that the stamps tell of, each from what it waited for to what came of it."""
    written = times.first_words if times.first_words is not None else times.first_token
    for name, start, end in (
        ("end of turn", 0, times.end_of_turn),
        ("model", times.request_sent, written),
        ("voice", times.first_words, times.first_audio),
        ("held", times.first_audio, times.first_audio_sent),
        ("first audio", times.first_audio_sent, times.first_audio_played),
    ):
        if start is not None and end is not None and start <= end:
            yield Step(name=name, start=start, end=end)


class TracedStreams:
    """Implements Observers."""

    def __init__(self, tracer: trace.Tracer, trace_of: Callable[[str], CallTrace]) -> None:
        self._tracer = tracer
        self._trace_of = trace_of

    def open(
        self, call_id: str, *, epoch: int, started_s: float, is_resumed: bool
    ) -> StreamObserver:
        """See Observers."""
        since_start_s = asyncio.get_running_loop().time() - started_s
        started_ns = time.time_ns() - int(since_start_s * 1e9)
        parent = TraceContextTextMapPropagator().extract(
            {"traceparent": self._trace_of(call_id).traceparent}
        )
        span = self._tracer.start_span(
            "media stream",
            parent,
            start_time=started_ns,
            attributes={
                "callspine.call_id": call_id,
                "callspine.epoch": epoch,
                "callspine.resumed": is_resumed,
            },
        )
        return _TracedStream(self._tracer, span, parent, started_ns)


class _TracedStream:
    def __init__(
        self, tracer: trace.Tracer, span: trace.Span, parent: Context, started_ns: int
    ) -> None:
        self._tracer = tracer
        self._span = span
        self._context = trace.set_span_in_context(span, parent)
        self._started_ns = started_ns

    def commanded(self, command: str) -> None:
        """On the spoken path: nothing."""

    def turn_over(self, turn: TurnSeen) -> None:
        times = turn.timings
        steps = list(steps_of(times))
        begins = min([0, *(step.start for step in steps)])
        span = self._tracer.start_span(
            f"turn {turn.kind.value}",
            self._context,
            start_time=self._ns(times, begins),
            attributes={
                "callspine.seq": turn.seq,
                "callspine.stage": turn.stage,
                "callspine.move": turn.move,
                "callspine.refusal": turn.refusal,
                "callspine.ahead": times.begun_ahead is not None,
                "callspine.opener": turn.has_opener,
                "callspine.prompt_tokens": turn.prompt_tokens,
                "callspine.tokens": turn.tokens_written,
            },
        )
        below = trace.set_span_in_context(span, self._context)
        for step in steps:
            child = self._tracer.start_span(
                step.name, below, start_time=self._ns(times, step.start)
            )
            child.end(self._ns(times, step.end))
        span.end(self._started_ns + turn.over_at_ms * 1_000_000)

    def closed(self, *, turns: int, is_lost: bool) -> None:
        self._span.set_attributes({"callspine.turns": turns, "callspine.lost": is_lost})
        self._span.end()

    def _ns(self, times: TurnTimings, at: int) -> int:
        return self._started_ns + (times.speech_end_at_ms + at) * 1_000_000
