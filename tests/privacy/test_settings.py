"""Privacy's settings and commands as a user meets them: wrong keys are named, never printed."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from callspine.privacy.keys import parse_keys
from callspine.system import codec_endpoint
from tests.command_line.test_command_line import NOTHING_THERE, callspine
from tests.privacy.histories import ENCRYPTED, settings

SECRET = base64.b64encode(bytes(range(32))).decode()
SHORT = base64.b64encode(bytes(range(16))).decode()


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        (SECRET, "entry 1 is not id:base64key"),
        (f"{SECRET}:k1", "the id of entry 1 must be"),
        (f"k1:{SHORT}", "the key of entry 1 has 16 bytes, and must have 32"),
        (f"k1:{SECRET}!", "the key of entry 1 is not base64"),
        (f"k1:{SECRET},k1:{SECRET}", "entries 1 and 2 have the same id"),
    ],
)
def test_keys_that_cannot_work_are_refused_at_start(keys: str, reason: str) -> None:
    status, out, err = callspine("codec", "serve", CALLSPINE_CODEC_KEYS=keys)
    assert status == 2
    assert f"CALLSPINE_CODEC_KEYS: Value error, {reason}" in err
    for secret in (SECRET[:10], SHORT[:10]):
        assert secret not in out + err


@pytest.mark.parametrize("command", ["worker", "gateway", "up", "demo"])
def test_no_process_starts_with_keys_that_cannot_work(command: str) -> None:
    status, _, err = callspine(command, **NOTHING_THERE, CALLSPINE_CODEC_KEYS=SECRET)
    assert status == 2
    assert "CALLSPINE_CODEC_KEYS" in err
    assert SECRET[:10] not in err


def test_a_new_key_is_printed_alone() -> None:
    status, out, _ = callspine("codec", "new-key", "--id", "k7")
    assert status == 0
    [key] = parse_keys(out.strip())
    assert key.key_id == "k7"
    status, out, _ = callspine("codec", "new-key")
    assert status == 0
    assert parse_keys(out.strip())


def test_a_new_keys_id_must_be_one() -> None:
    status, out, err = callspine("codec", "new-key", "--id", "k 7")
    assert (status, out) == (2, "")
    assert "--id 'k 7'" in err


def test_a_codec_server_that_others_reach_does_not_start_without_a_token() -> None:
    status, _, err = callspine("codec", "serve", CALLSPINE_CODEC_HOST="0.0.0.0")
    assert status == 2
    assert "set CALLSPINE_CODEC_TOKEN" in err


def test_a_wrong_place_for_transcripts_is_named() -> None:
    status, _, err = callspine("worker", CALLSPINE_TRANSCRIPTS="attic")
    assert status == 2
    assert "CALLSPINE_TRANSCRIPTS: Input should be 'history' or 'store'" in err


def test_forgetting_needs_temporal_to_know_that_the_call_is_over() -> None:
    status, _, err = callspine("call", "forget", "c1", **NOTHING_THERE)
    assert status == 2
    assert "no Temporal at 127.0.0.1:9" in err


def test_the_codec_server_is_started_when_temporals_ui_needs_it(tmp_path: Path) -> None:
    assert codec_endpoint(settings()) == ""
    assert codec_endpoint(settings(**ENCRYPTED)) == "http://127.0.0.1:8043"
    assert codec_endpoint(settings(transcripts="store")) == "http://127.0.0.1:8043"
    variables = {
        "CALLSPINE_CODEC_KEYS": ENCRYPTED["codec_keys"],
        "CALLSPINE_CODEC_HOST": "0.0.0.0",
        "CALLSPINE_VAR_DIR": str(tmp_path / "var"),
    }
    status, _, err = callspine("up", **variables)
    assert status == 2
    assert "set CALLSPINE_CODEC_TOKEN" in err
    assert not (tmp_path / "var").exists()
