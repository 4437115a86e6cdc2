"""`callspine doctor` as it is run: its exit status, and the system that `callspine up` left word of."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from callspine.running import settings_of_what_runs, told_while_running
from callspine.settings import Settings
from tests.command_line.test_command_line import NOTHING_THERE, callspine


def test_with_nothing_there_it_says_so_and_ends_with_1(tmp_path: Path) -> None:
    there = NOTHING_THERE | {"CALLSPINE_VAR_DIR": str(tmp_path), "CALLSPINE_PORT": "18999"}
    status, out, err = callspine("doctor", **there)
    assert status == 1
    assert err == ""
    assert "nobody answers at 127.0.0.1:9" in out
    assert "Calls cannot be held like this." in out
    status, out, _ = callspine("doctor", "--json", **there)
    assert status == 1
    assert json.loads(out)["healthy"] is False


def test_what_up_chose_is_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = Settings(_env_file=None, var_dir=tmp_path)
    chosen = {"CALLSPINE_TWILIO_AUTH_TOKEN": "one-off", "CALLSPINE_PORT": "8999"}
    with told_while_running(tmp_path, chosen):
        file = tmp_path / "up.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, "there are secrets in it"
        found = settings_of_what_runs(given)
        assert found.twilio_auth_token.get_secret_value() == "one-off"
        assert found.port == 8999
        killed = json.loads(file.read_text()) | {"pid": 2**22 + 1}
        file.write_text(json.dumps(killed))
        assert settings_of_what_runs(given) is given, "one that was killed runs no more"
    assert not file.exists()
    assert settings_of_what_runs(given) is given
    assert "CALLSPINE_TWILIO_AUTH_TOKEN" not in os.environ
