"""A forgotten call leaves no record of its turn-taking behind; nobody else's is touched."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client

from callspine.connect import data_converter
from callspine.gateway import open_recorder
from callspine.privacy import forget
from callspine.settings import Settings, SettingsError
from media_gateway.flight.recorder import FlightRecorder
from media_gateway.turns.recording import NoRecorder
from media_gateway.turns.types import TurnPolicy
from tests.durable.house import House, start
from tests.privacy.histories import client_with, settings
from tests.replay.record import CALLS


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    """Three flights lie there: two of the call `recorded`, and one of another."""
    found = settings(
        transcripts="store",
        database_url=f"sqlite:///{tmp_path}/words.db",
        flight_dir=str(tmp_path / "flights"),
    )
    recorder = open_recorder(found)
    assert isinstance(recorder, FlightRecorder)
    for call_id, epoch in (("recorded", 1), ("recorded", 2), ("recorded-2", 1)):
        recorder.open(call_id, epoch, TurnPolicy()).close()
    recorder.close()
    return found


def left(chosen: Settings) -> list[str]:
    assert chosen.flight_dir is not None
    return sorted(path.name for path in chosen.flight_dir.iterdir())


def knows(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    async def connected(_: Settings) -> Client:
        return client

    monkeypatch.setattr(forget, "connect", connected)


async def test_a_forgotten_calls_flights_go_with_its_words(
    client: Client, house: House, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeing = client_with(client, data_converter(chosen))
    async with house.open(seeing):
        await (await CALLS["appointment"](seeing, house)).result()
    knows(monkeypatch, seeing)

    told = await forget.forget_call(chosen, "recorded")

    assert "payloads deleted. 2 flight files deleted from" in told
    assert left(chosen) == ["recorded-2.epoch1.jsonl"]
    assert "flight" not in await forget.forget_call(chosen, "recorded")


async def test_a_call_of_which_only_flights_are_left_is_forgotten(
    client: Client, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows(monkeypatch, client)
    told = await forget.forget_call(chosen, "recorded-2")
    assert "1 flight file deleted" in told
    assert left(chosen) == ["recorded.epoch1.jsonl", "recorded.epoch2.jsonl"]
    with pytest.raises(SettingsError, match="temporal workflow delete"):
        await forget.forget_call(chosen, "recorded-2")


async def test_a_running_calls_flights_stay(
    client: Client, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await start(client, call_id="recorded")
    knows(monkeypatch, client)
    with pytest.raises(SettingsError, match="still running"):
        await forget.forget_call(chosen, "recorded")
    assert len(left(chosen)) == 3
    await handle.terminate()


async def test_words_that_temporal_still_holds_are_not_passed_over(
    client: Client, chosen: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = await start(client, call_id="recorded")
    await handle.terminate()
    knows(monkeypatch, client)
    with pytest.raises(SettingsError, match=r"2 flight files deleted.*temporal workflow delete"):
        await forget.forget_call(chosen, "recorded")
    assert left(chosen) == ["recorded-2.epoch1.jsonl"]


def test_nothing_is_recorded_unless_a_folder_is_named(tmp_path: Path) -> None:
    assert isinstance(open_recorder(settings()), NoRecorder)
    assert isinstance(open_recorder(settings(flight_dir="")), NoRecorder)
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"CALLSPINE_FLIGHT_DIR is .*file: "):
        open_recorder(settings(flight_dir=str(tmp_path / "file")))
