"""`/metrics` of a gateway that carried a call: what it tells, to whom, and that no call's own text is in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from media_gateway.app import create_app
from media_gateway.ears.counts import EarCounts
from media_gateway.metrics.collected import GatewayState
from media_gateway.metrics.loop_lag import LoopLag
from media_gateway.metrics.page import metrics_router
from media_gateway.metrics.ports import Several
from media_gateway.metrics.prometheus import GatewayMetrics
from tests.gateway.conftest import Gateway, gateway, mouth, recorder  # noqa: F401  fixtures
from tests.servers import serving

TOKEN = "a token of the tests"


@pytest.fixture
async def measured(gateway: Gateway) -> AsyncIterator[Gateway]:  # noqa: F811
    """The gateway with metrics, on an address of its own."""
    assert gateway.parts is not None
    parts, metrics = gateway.parts, GatewayMetrics()
    ears = EarCounts(frames=7, late=2)
    metrics.registry.register(GatewayState(parts.sessions, parts.link, lambda: ears))

    def make_app(url: str) -> FastAPI:
        gateway.url = url
        gateway.parts = replace(
            parts,
            signature=type(parts.signature)("an auth token of the tests", url),
            observers=Several(metrics),
            pages=[metrics_router(metrics.registry, TOKEN)],
        )
        return create_app(gateway.parts)

    async with serving(make_app):
        yield gateway


async def values(made: Gateway) -> dict[str, float]:
    """By name, with the labels' values behind it."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{made.url}/metrics")
    assert answer.status_code == 200
    return {
        "/".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_a_call_shows_in_the_metrics_while_it_lasts_and_afterwards(measured: Gateway) -> None:
    measured.dialogue.replies.append(("permission_given", {}, ["Thank you."]))
    line = await measured.stream()
    await line.agent_done()
    measured.recogniser.words.append("yes sure")
    line.speak(300)
    await measured.link.until_turns(2)
    await line.agent_done()
    live = await values(measured)
    assert live["callspine_calls"] == 1
    assert live["callspine_streams_total/new"] == 1
    assert live["callspine_turns_total/opening"] == 1
    assert live["callspine_media_frames_late_total"] == 2
    assert "callspine_process" not in live
    await line.hang_up()
    async with asyncio.timeout(5):
        while (over := await values(measured))["callspine_calls"]:
            await asyncio.sleep(0.02)
    assert over["callspine_turns_total/reply"] == 1
    assert over["callspine_turn_gap_seconds_count/no"] == 1
    assert 0 < over["callspine_turn_gap_seconds_sum/no"] < 5
    assert over["callspine_turn_end_seconds_count"] == 1
    assert over["callspine_turn_commands_total/BeginReply"] >= 1
    for counter in ("callspine_barge_ins_total/resumed", "callspine_ahead_total/begun"):
        assert over[counter] >= live[counter], "a counter never goes back"


async def test_no_label_holds_an_id_a_number_or_a_word(measured: Gateway) -> None:
    line = await measured.stream("call-of-nobody")
    await line.agent_done()
    await line.hang_up()
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"{measured.url}/metrics")).text
    for secret in ("call-of-nobody", "CA1", "MZ1", "+1", "gateway-test"):
        assert secret not in text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"X-Forwarded-For": "203.0.113.7"}, 401),
        ({"X-Forwarded-For": "203.0.113.7", "Authorization": f"Bearer {TOKEN}"}, 200),
        ({"X-Forwarded-For": "203.0.113.7", "Authorization": "Bearer another"}, 401),
        ({"Forwarded": "for=203.0.113.7"}, 401),
    ],
)
async def test_who_comes_through_a_proxy_needs_the_token(
    measured: Gateway, headers: dict[str, str], status: int
) -> None:
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{measured.url}/metrics", headers=headers)
    assert answer.status_code == status
    assert ("callspine_calls" in answer.text) == (status == 200)


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.9", 403)])
async def test_without_a_token_only_this_machine_may_ask(host: str, status: int) -> None:
    app = FastAPI()
    app.include_router(metrics_router(GatewayMetrics().registry, ""))
    transport = httpx.ASGITransport(app, client=(host, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as http:
        # An empty token is none: nobody brings it.
        answer = await http.get("/metrics", headers={"Authorization": "Bearer "})
    assert answer.status_code == status


async def test_a_loop_that_is_held_up_is_told_of() -> None:
    late: list[float] = []
    lag = LoopLag(late.append, every_s=0.01)
    lag.start()
    blocked = asyncio.get_running_loop().time() + 0.08
    while asyncio.get_running_loop().time() < blocked:
        pass  # what must never happen on a loop
    async with asyncio.timeout(5):
        while not late:
            await asyncio.sleep(0.005)
    lag.stop()
    assert late[0] >= 0.05
    told = len(late)
    await asyncio.sleep(0)
    assert len(late) == told
