"""A gateway as a process that is told to stop: it ends by itself, with everything closed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from bench.no_link import NoLink
from callspine import gateway as gateway_root
from callspine.settings import Settings
from media_gateway.sessions import Sessions
from tests.durable import stubborn_gateway
from tests.durable.dev_server import GatewayProcess, dev_server, until

STUBBORN = stubborn_gateway.__name__
ENDING = ("draining", "drained", "gateway_stopped")
SCRIPT = Path("sales_scripts/solar_consult.yaml")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Client]:
    async with dev_server(tmp_path) as client:
        yield client


def events(process: GatewayProcess) -> list[str]:
    return [json.loads(line)["event"] for line in process.said.splitlines() if line[:1] == "{"]


async def test_a_gateway_that_is_told_to_stop_closes_everything_and_ends_well(
    server: Client, tmp_path: Path
) -> None:
    async with GatewayProcess(server, tmp_path, "callspine", "gateway") as gateway:
        assert gateway.outbox.is_file()
        status, seconds = await gateway.terminate(within_s=10)
    assert status == 0, gateway.said
    assert seconds < 6, "of the 25 that a drain may take"
    # A vendor that is not there may be told of in between.
    ending = [event for event in events(gateway) if event in ENDING]
    assert ending == list(ENDING), gateway.said
    assert events(gateway)[-1] == ENDING[-1]
    left = {part.name for part in gateway.outbox.parent.iterdir()}
    assert left == {"gateway-1.db", "gateway-1.db.lock"}


async def test_a_second_signal_during_a_drain_stops_at_once(server: Client, tmp_path: Path) -> None:
    async with GatewayProcess(server, tmp_path, STUBBORN, "patient") as gateway:
        gateway.tell_to_stop()
        await until(lambda: "draining" in events(gateway))
        status, seconds = await gateway.terminate(within_s=10)
    assert status == 0, gateway.said
    assert seconds < 6, "of the 25 that the drain may take"
    assert "drained" not in events(gateway)
    assert events(gateway)[-1] == "gateway_stopped"


async def test_a_drain_that_fails_still_ends_the_gateway(server: Client, tmp_path: Path) -> None:
    async with GatewayProcess(
        server, tmp_path, STUBBORN, "broken", CALLSPINE_DRAIN_NOTICE_S="0"
    ) as gateway:
        status, seconds = await gateway.terminate(within_s=10)
    assert status == 0, gateway.said
    assert seconds < 6, "of the 25 that a drain may take"
    assert "drain_failed" in events(gateway)
    assert events(gateway)[-1] == "gateway_stopped"


async def test_the_calls_that_are_served_are_those_that_directives_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An empty registry is one, too: a directive must not look for its call in another."""
    given: list[object] = []

    class Composed(Exception):
        pass

    async def compose(*parts: object) -> None:
        given.extend(parts)
        raise Composed

    monkeypatch.setattr(gateway_root, "compose", compose)
    sessions = Sessions()
    with pytest.raises(Composed):
        await gateway_root.serve_with(Settings(_env_file=None), NoLink(SCRIPT), sessions)
    assert any(part is sessions for part in given)
