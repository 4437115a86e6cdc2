"""The gateway's turn policy: settings, and a file that goes before them."""

from __future__ import annotations

from pathlib import Path

import pytest

from callspine.gateway import turn_policy
from callspine.settings import Settings, SettingsError


def test_a_policy_file_goes_before_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("held_pause_ms: 650\nsilence_ms: 5000\n", encoding="utf-8")
    settings = Settings(_env_file=None, silence_ms=7000, filler_after_ms=900, turn_policy=file)
    policy = turn_policy(settings)
    assert (policy.held_pause_ms, policy.silence_ms, policy.filler_after_ms) == (650, 5000, 900)


def test_a_policy_file_with_an_unknown_field_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("patience: 3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="patience"):
        turn_policy(Settings(_env_file=None, turn_policy=file))
