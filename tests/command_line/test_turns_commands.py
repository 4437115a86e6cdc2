"""`callspine turns` as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from callspine.main import app
from callspine.settings import SettingsError
from media_gateway.flight.encoding import encode_header, encode_step
from media_gateway.flight.rules import rules_fingerprint
from media_gateway.turns.types import DtmfHeard, FinalWords, ReplyStarted
from tests.core.flights import Call, header, written
from tests.core.turn_driver import POLICY

PNG = b"\x89PNG\r\n\x1a\n"


def _call() -> Call:
    """He pauses in mid-turn, is answered in it, goes on; then he is done, and presses a key."""
    call = Call().says(1500, 2000, "my house [red]is mine[/]\x1b[2J").until(2700)
    call.driver.at(2900, ReplyStarted(reply_id=2, interruptible=True))
    call.says(3100, 4000, "and my wife owns it").until(4700).answer(3, 5200, 7200)
    call.driver.at(8000, DtmfHeard(digit="7"))
    return call.until(9000)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "call-1.epoch1.jsonl"
    path.write_bytes(written(_call().machine.steps))
    return path


def turns(*arguments: str | Path, status: int = 0) -> Result:
    done = CliRunner().invoke(app, ["turns", *map(str, arguments)], env={"COLUMNS": "200"})
    assert done.exit_code == status, done.output
    return done


def refused(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["turns", *map(str, arguments)])
    assert isinstance(done.exception, SettingsError), done.output
    return str(done.exception)


def _policy(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "patient.yaml"
    path.write_text(text)
    return path


def test_a_flight_is_shown_with_times_and_without_a_word(file: Path) -> None:
    out = turns("show", file).output
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "2050 SpeechStopped at=2000" in rows
    assert "2100 FinalWords text=(4 words)" in rows
    assert any(row.startswith("→ BeginReply reply_id=2 caller_words=(4 words)") for row in rows)
    assert "8000 DtmfHeard digit=(1 word)" in rows
    assert "call call-1, epoch 1" in rows[0]
    assert "house" not in out
    assert '"7"' not in out


def test_words_are_shown_on_demand_and_cannot_steer_the_terminal(file: Path) -> None:
    out = turns("show", file, "--words").output
    assert '"my house [red]is mine[/]·[2J"' in out
    assert 'digit="7"' in out
    assert "\x1b[2J" not in out


def test_an_unchanged_machine_does_it_again(file: Path) -> None:
    steps = _call().machine.steps
    commands = sum(len(step.commands or ()) for step in steps)
    out = turns("replay", file).output
    assert f"equal: {len(steps)} steps, {commands} commands at the same times" in out


def test_a_difference_ends_with_one_and_shows_time_expected_and_got(
    file: Path, tmp_path: Path
) -> None:
    steps = [
        replace(step, event=FinalWords(text="no")) if isinstance(step.event, FinalWords) else step
        for step in _call().machine.steps
    ]
    file.write_bytes(written(steps))
    out = turns("replay", file, status=1).output
    assert "2700 ms, timer" in out
    assert "expected: BeginReply reply_id=2 caller_words=(4 words)" in out
    assert "got:      BeginReply reply_id=2 caller_words=(1 word)" in out
    assert "The machine's rules have changed since it was recorded" in out
    assert '"no"' in turns("replay", file, "--words", status=1).output

    same = header(rules=rules_fingerprint())
    file.write_bytes(encode_header(same) + b"".join(map(encode_step, steps)))
    out = turns("replay", file, status=1).output
    assert "rules have changed" not in out
    assert "it has no end" in out


def test_another_policy_is_compared_and_drawn(file: Path, tmp_path: Path) -> None:
    policy = _policy(tmp_path, "end_pause_ms: 1200\n")
    out = turns("replay", file, "--policy", policy).output
    assert "policy: end_pause_ms 700 → 1200" in out
    assert "no cut-in any more" in out
    assert "cut-ins: 0 new, 1 spared" in out
    assert "off by 0 ms at most, and 0 fall in another pause" in out
    assert "Assumed: that he would have said the same" in " ".join(out.split())
    picture = tmp_path / "call-1.epoch1.patient.png"
    assert str(picture) in out
    assert picture.read_bytes().startswith(PNG)


def test_a_picture_can_be_had_without_a_policy_and_of_a_part(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    turns("replay", file, "--picture", path, "--from-s", "1", "--to-s", "4.5")
    assert path.read_bytes().startswith(PNG)
    assert "is not before" in refused(
        "replay", file, "--picture", path, "--from-s", "9", "--to-s", "4"
    )
    assert "cannot be written" in refused("replay", file, "--picture", tmp_path / "no" / "x.png")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("end_pause: 3", "a policy has no end_pause; it has "),
        ("end_pause_ms: soon", "end_pause_ms is 'soon': it must be a whole number"),
        ("end_pause_ms: -1", "between 0 and"),
        ("end_pause_ms: true", "a whole number"),
        ("commit_p: 1.5", "a probability is between 0 and 1"),
        ("commit_p: .nan", "between 0 and"),
        ("end_pause_ms: 2000", "unfinished_pause_ms (1500) must be at least end_pause_ms (2000)"),
        ("", "write one `field: value` a line"),
        ("- a", "write one `field: value` a line"),
        ("a: [", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        ("2024-13-45", "is not YAML"),
    ],
)
def test_a_policy_of_no_use_is_refused_with_the_reason(
    file: Path, tmp_path: Path, text: str, reason: str
) -> None:
    assert reason in refused("replay", file, "--policy", _policy(tmp_path, text))
    assert not list(tmp_path.glob("*.png"))


def test_a_policy_file_that_is_not_there_is_named(file: Path, tmp_path: Path) -> None:
    assert "cannot be read" in refused("replay", file, "--policy", tmp_path / "none.yaml")


def test_a_damaged_file_is_named_with_its_line_and_used_on_demand(file: Path) -> None:
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join(lines[:5]) + b'\n[2700,"tim')
    assert (
        f"{file}:6: it breaks off in the middle of the line. --partial uses the 4 steps"
        in refused("replay", file)
    )
    out = turns("replay", file, "--partial").output
    assert "read up to line 6" in out
    assert "equal: 4 steps" in out
    assert "SpeechStarted" in turns("show", file, "--partial").output


def test_what_is_no_flight_is_refused_as_a_user_sees_it(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("hello\n")
    done = subprocess.run(
        [sys.executable, "-m", "callspine", "turns", "replay", str(path)],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "not a flight file" in done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot be read: No such file" in refused("show", tmp_path / "none")


def test_a_flight_of_a_line_and_nothing_else_can_be_shown_and_drawn(
    file: Path, tmp_path: Path
) -> None:
    file.write_bytes(encode_header(header(POLICY)))
    assert "equal: 0 steps" in turns("replay", file, "--picture", tmp_path / "x.png").output
    turns("show", file)
    policy = _policy(tmp_path, "end_pause_ms: 500")
    assert "answers in both runs: 0" in turns("replay", file, "--policy", policy).output


def test_a_long_call_is_drawn_within_what_a_viewer_opens(tmp_path: Path) -> None:
    call = Call().until(1000)
    call.driver.at(3_600_000, DtmfHeard(digit="7"))
    path = tmp_path / "long.jsonl"
    path.write_bytes(written(call.machine.steps))
    turns("replay", path, "--picture", tmp_path / "x.png")
    width = int.from_bytes((tmp_path / "x.png").read_bytes()[16:20], "big")
    assert width <= 16_000
