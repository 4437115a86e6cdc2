"""A worker's `/metrics`: what its activities take and fail of, and what Temporal's SDK counts, on one page."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client

from callspine.metrics import WorkerMetrics, require_safe_metrics_host, served, worker_metrics
from callspine.settings import Settings, SettingsError
from tests.durable.conftest import skipping_time
from tests.durable.house import House, start
from tests.servers import free_port


async def test_failures_and_times_of_activities_and_the_sdks_own() -> None:
    settings = Settings(_env_file=None, worker_metrics_port=free_port(), metrics_token="a token")
    metrics = worker_metrics(settings)
    assert metrics is not None
    house = House(dial="refused", write_failures=1)
    url = f"http://127.0.0.1:{settings.worker_metrics_port}/metrics"
    async with skipping_time() as environment, served(metrics, settings):
        client = await Client.connect(
            environment.client.service_client.config.target_host,
            interceptors=[metrics],
            runtime=metrics.runtime,
        )
        async with house.open(client):
            await (await start(client)).result()
        async with httpx.AsyncClient(trust_env=False) as http:
            page = await http.get(url)
            stranger = await http.get(url, headers={"X-Forwarded-For": "203.0.113.7"})
    assert stranger.status_code == 401
    found = {
        "/".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }
    assert found["callspine_activity_errors_total/place_call/CallNotPlaced"] == 1
    assert found["callspine_activity_errors_total/write_outcome/ApplicationError"] == 1
    assert found["callspine_activity_seconds_count/write_outcome"] == 2
    assert any(name.startswith("temporal_activity") for name in found)
    assert "CALLSPINE" not in page.text
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(url)


async def test_a_worker_whose_sdk_cannot_be_asked_still_shows_its_own() -> None:
    metrics = WorkerMetrics()
    metrics._sdk_port = 9
    assert (await metrics.of_the_sdk()).startswith(b"#")


def test_none_unless_a_port_is_set() -> None:
    assert worker_metrics(Settings(_env_file=None)) is None


@pytest.mark.parametrize(
    ("host", "token", "is_safe"),
    [
        ("127.0.0.1", "", True),
        ("localhost", "", True),
        ("0.0.0.0", "", False),
        ("worker-7.internal", "", False),
        ("0.0.0.0", "a token", True),
    ],
)
def test_a_network_needs_a_token(host: str, token: str, is_safe: bool) -> None:
    settings = Settings(_env_file=None, worker_metrics_host=host, metrics_token=token)
    if is_safe:
        require_safe_metrics_host(settings)
    else:
        with pytest.raises(SettingsError, match="CALLSPINE_METRICS_TOKEN"):
            require_safe_metrics_host(settings)
