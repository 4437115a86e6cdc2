"""Metrics as this process serves them: a gateway's on its own port, a worker's on `CALLSPINE_WORKER_METRICS_PORT`."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import perf_counter
from typing import Any

import httpx
import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from temporalio import activity, client, worker
from temporalio.exceptions import ApplicationError
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from callspine.ports import refuse_busy_port
from callspine.settings import PREFIX, Settings, SettingsError
from media_gateway.metrics.page import metrics_router

log = structlog.get_logger(__name__)

_LOOPBACK = "127.0.0.1"
ASK_WITHIN_S = 2.0
_ACTIVITY_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class WorkerMetrics(client.Interceptor, worker.Interceptor):
    """A worker's: what its activities take and fail of, and beside it what Temporal's SDK counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
        self._seconds = Histogram(
            "callspine_activity_seconds",
            "One try of an activity",
            ["activity"],
            buckets=_ACTIVITY_S,
            registry=registry,
        )
        self._errors = Counter(
            "callspine_activity_errors",
            "Tries that failed, by our name for the failure or the exception's",
            ["activity", "kind"],
            registry=registry,
        )
        self._sdk_port = _free_port()
        self.runtime = Runtime(
            telemetry=TelemetryConfig(
                metrics=PrometheusConfig(bind_address=f"{_LOOPBACK}:{self._sdk_port}")
            )
        )
        """For the client: the SDK serves its own metrics on a port of loopback, from where they are fetched."""

    def intercept_activity(
        self,
        next: worker.ActivityInboundInterceptor,
    ) -> worker.ActivityInboundInterceptor:
        """See worker.Interceptor."""
        return _Measured(next, self)

    @contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """Around one try of this activity."""
        began_s = perf_counter()
        try:
            yield
        except Exception as error:
            kind = error.type if isinstance(error, ApplicationError) else None
            self._errors.labels(name, kind or type(error).__name__).inc()
            raise
        finally:
            self._seconds.labels(name).observe(perf_counter() - began_s)

    async def of_the_sdk(self) -> bytes:
        """In Prometheus' text form; a comment when they cannot be had."""
        try:
            async with httpx.AsyncClient(timeout=ASK_WITHIN_S, trust_env=False) as http:
                answer = await http.get(f"http://{_LOOPBACK}:{self._sdk_port}/metrics")
                return answer.raise_for_status().content
        except httpx.HTTPError as error:
            log.warning("sdk_metrics_not_read", error=type(error).__name__)
            return b"# the SDK's own metrics could not be read\n"


class _Measured(worker.ActivityInboundInterceptor):
    def __init__(self, next: worker.ActivityInboundInterceptor, metrics: WorkerMetrics) -> None:
        super().__init__(next)
        self._metrics = metrics

    async def execute_activity(self, input: worker.ExecuteActivityInput) -> Any:
        with self._metrics.measured(activity.info().activity_type):
            return await super().execute_activity(input)


def require_safe_metrics_host(settings: Settings) -> None:
    """Refuse to serve a worker's metrics to a network without a token. Raises SettingsError."""
    host = settings.worker_metrics_host
    try:
        is_here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here and not settings.metrics_token.get_secret_value():
        raise SettingsError(
            f"{PREFIX}WORKER_METRICS_HOST is {host}, which others can reach: "
            f"set {PREFIX}METRICS_TOKEN, or take the variable out"
        )


def worker_metrics(settings: Settings) -> WorkerMetrics | None:
    """None when the settings want none. Raises SettingsError for a port or host of no use."""
    if not settings.worker_metrics_port:
        return None
    require_safe_metrics_host(settings)
    refuse_busy_port(
        settings.worker_metrics_host,
        settings.worker_metrics_port,
        f"{PREFIX}WORKER_METRICS_PORT",
    )
    return WorkerMetrics()


@asynccontextmanager
async def served(metrics: WorkerMetrics | None, settings: Settings) -> AsyncIterator[None]:
    """Serve them meanwhile; nothing to do for None."""
    if metrics is None:
        yield
        return
    app = FastAPI(title="Callspine worker", docs_url=None, redoc_url=None, openapi_url=None)
    token = settings.metrics_token.get_secret_value()
    app.include_router(metrics_router(metrics.registry, token, metrics.of_the_sdk))
    server = _Beside(
        uvicorn.Config(
            app,
            host=settings.worker_metrics_host,
            port=settings.worker_metrics_port,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve(), name="metrics")
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)


class _Beside(uvicorn.Server):
    """Leaves the process's signals to the worker."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])
