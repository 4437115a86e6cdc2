"""Whole calls that are recorded: judged by what the carrier did, and when."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from activities.clients.crm_store import CrmStore
from callspine.system import System
from tests.calls.test_whole_calls import call, system, witness

SCRIPTS = Path(__file__).parent / "scripts"
AGREES = "Yes, you may record it."
REFUSES = "No, please do not record."
OBJECTS = "Please stop recording this call."
OWNS = "Yes, we own the house."
DECLINES = "No, we do not want a visit."


@asynccontextmanager
async def talking(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str
) -> AsyncIterator[System]:
    caller = folder / "caller.yaml"
    steps = "\n".join(f'  - say: ["{line}"]' for line in words)
    caller.write_text(f"name: Pat\nreply_after_ms: 1000\nsteps:\n{steps}\n", encoding="utf-8")
    settings = {
        "CALLSPINE_SCRIPTS_DIR": str(SCRIPTS),
        "CALLSPINE_INBOUND_SCRIPT": "recorded",
    }
    async with system(str(caller), folder, monkeypatch, settings) as running:
        yield running


def moments(running: System, call_sid: str, kind: str) -> list[dict[str, Any]]:
    return [seen for seen in witness(running, call_sid) if seen["kind"] == kind]


@pytest.mark.timeout(240)
async def test_a_caller_who_agrees_is_recorded_until_he_objects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with talking(tmp_path, monkeypatch, AGREES, OWNS, OBJECTS, DECLINES) as running:
        result = await call(running, "recorded")
        store = CrmStore(running.settings.database_url)
        row = store.call(result.call_id)
        store.close()
        said = moments(running, result.call_sid, "caller_says")
        (begun,) = moments(running, result.call_sid, "recording_started")
        (stopped,) = moments(running, result.call_sid, "recording_changed")
        (done,) = moments(running, result.call_sid, "recording_completed")
        path = running.record_dir / result.call_sid / f"{begun['sid']}.wav"
        with wave.open(str(path)) as file:
            channels, recorded_ms = file.getnchannels(), file.getnframes() / 8
    assert result.outcome.value == "not_interested"
    assert [one["words"] for one in said] == [AGREES, OWNS, OBJECTS, DECLINES]
    assert said[0]["t_ms"] < begun["t_ms"] < said[1]["t_ms"], "after the yes, at once"
    assert said[2]["t_ms"] < stopped["t_ms"] < said[3]["t_ms"], "until the no, at once"
    assert stopped["status"] == "stopped"
    assert channels == 2
    assert recorded_ms == pytest.approx(done["duration_ms"], abs=1)
    assert recorded_ms <= stopped["t_ms"] - begun["t_ms"] + 100
    recording = result.recording
    assert recording is not None
    assert (recording.recording_sid, recording.status) == (begun["sid"], "completed")
    assert recording.withdrawn
    assert recording.url.endswith(f"/Recordings/{begun['sid']}")
    assert row is not None
    assert (row.recording_sid, row.recording_url) == (recording.recording_sid, recording.url)
    assert any("not recorded from here on" in turn.heard_words for turn in result.turns)


@pytest.mark.timeout(240)
async def test_a_caller_who_refuses_is_not_recorded_and_the_call_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with talking(tmp_path, monkeypatch, REFUSES, OWNS, DECLINES) as running:
        result = await call(running, "recorded")
        assert moments(running, result.call_sid, "recording_started") == []
    assert result.outcome.value == "not_interested"
    assert result.recording is None
