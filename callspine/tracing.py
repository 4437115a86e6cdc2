"""Traces over OTLP, when `CALLSPINE_OTLP_ENDPOINT` says where to: one trace a call, through gateway, workflow and activities."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from importlib.util import find_spec
from threading import Thread
from typing import TYPE_CHECKING

from opentelemetry.context import Context

from callspine.settings import PREFIX, Settings, SettingsError, base_url
from callspine.tracing_ids import CallTrace, trace_of
from callspine.tracing_turns import TracedStreams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

    from callspine.tracing_workflows import CallTracing
    from media_gateway.metrics.ports import Observers

CLOSE_WITHIN_S = 2.0
"""For the last spans of a process that stops: a collector that hangs must not keep it."""
_EXPORT_WITHIN_S = 5.0
_given: ContextVar[CallTrace | None] = ContextVar("given", default=None)


class Tracing:
    """A process's traces. Make it with `open_tracing`, end it with `close`."""

    def __init__(
        self, process: str, instance: str, exporter: SpanExporter, *, share: float
    ) -> None:
        self._provider = _provider(process, instance, exporter)
        self._tracer = self._provider.get_tracer("callspine")
        self._trace_of = partial(trace_of, share=share)

    @property
    def interceptors(self) -> Sequence[CallTracing]:
        """For the Temporal client; its workers trace, too."""
        from callspine.tracing_workflows import CallTracing  # needs the SDK, as the rest of it

        return [CallTracing(self._tracer, self._trace_of, self._root)]

    @property
    def observers(self) -> Observers:
        """For the gateway's streams."""
        return TracedStreams(self._tracer, self._trace_of)

    def close(self) -> None:
        """Send what is left. Blocks, `CLOSE_WITHIN_S` at most."""
        # The SDK's own time limit for this is not kept: measured, an exporter that hangs is waited for.
        last = Thread(target=self._provider.force_flush, daemon=True, name="last spans")
        last.start()
        last.join(CLOSE_WITHIN_S)

    def _root(self, call_id: str, start_ns: int, end_ns: int) -> None:
        """The call's own span, made when its workflow is over."""
        found = self._trace_of(call_id)
        if not found.is_sampled:
            return
        with _given_ids(found):
            span = self._tracer.start_span(
                "call", Context(), start_time=start_ns, attributes={"callspine.call_id": call_id}
            )
        span.end(end_ns)


def open_tracing(settings: Settings, process: str, instance: str = "") -> Tracing | None:
    """None while no endpoint is set. Raises SettingsError when the extra `otel` is not installed."""
    if settings.otlp_endpoint is None:
        return None
    if find_spec("opentelemetry.exporter") is None or find_spec("opentelemetry.sdk") is None:
        raise SettingsError(
            f"{PREFIX}OTLP_ENDPOINT is set, and traces need more packages: "
            "pip install 'callspine[otel]', or take the variable out"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(
        endpoint=f"{base_url(settings.otlp_endpoint)}/v1/traces", timeout=_EXPORT_WITHIN_S
    )
    return Tracing(process, instance, exporter, share=settings.trace_share)


@contextmanager
def _given_ids(ids: CallTrace) -> Iterator[None]:
    token = _given.set(ids)
    try:
        yield
    finally:
        _given.reset(token)


def _provider(process: str, instance: str, exporter: SpanExporter) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    from callspine.tracing_export import WithoutWords

    class GivenOrRandom(RandomIdGenerator):
        """The root's ids are known before it is made; all others are random."""

        def generate_trace_id(self) -> int:
            ids = _given.get()
            return super().generate_trace_id() if ids is None else ids.trace_id

        def generate_span_id(self) -> int:
            ids = _given.get()
            return super().generate_span_id() if ids is None else ids.root_span_id

    resource = Resource.create(
        {"service.name": f"callspine-{process}", "service.instance.id": instance or process}
    )
    provider = TracerProvider(
        resource=resource, id_generator=GivenOrRandom(), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(WithoutWords(exporter)))
    return provider
