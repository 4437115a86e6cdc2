"""The command line as a user runs it: in a process of its own, wrong input and all."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from callspine.follow import Printed, print_turns
from callspine.scripts import usable_scripts
from callspine.settings import load_settings
from callspine.system import STAND_INS, stand_in_environment
from callspine.versions import build_id_of_this_code
from tests.core.scripts import SMALL
from workflows.contracts.payloads import TurnKind, TurnRecord

NOTHING_THERE = {"CALLSPINE_TEMPORAL_ADDRESS": "127.0.0.1:9"}


def callspine(*arguments: str, **variables: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CALLSPINE_")}
    done = subprocess.run(
        [sys.executable, "-m", "callspine", *arguments],
        env={**clean, **variables, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, " ".join(done.stderr.split())


def test_the_sample_is_good_and_can_be_drawn() -> None:
    status, out, _ = callspine("script", "check", "sales_scripts/solar_consult.yaml")
    assert status == 0
    assert "good. 12 stages, 7 slots, 5 objections" in out
    status, out, _ = callspine("script", "graph", "sales_scripts/solar_consult.yaml")
    assert status == 0
    assert out.startswith("flowchart")
    assert "homeowner" in out


def test_a_bad_script_is_refused_with_file_line_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(SMALL.replace("        to: end\n", "        to: nowhere\n"))
    status, out, err = callspine("script", "check", str(path))
    assert (status, out) == (2, "")
    assert f"{path}:25" in err
    assert "nowhere" in err


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "cannot be read: No such file"), (b"\xff\xfe", "is not UTF-8"), (b"a: [", "refused")],
)
def test_what_is_no_script_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    status, _, err = callspine("script", "check", str(path))
    assert status == 2
    assert str(path) in err
    assert reason in err


def test_a_gateway_starts_on_the_good_scripts_beside_bad_ones(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(SMALL)
    (tmp_path / "no_such_day.yaml").write_text("script: x\nversion: 2024-13-45\n")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    assert list(usable_scripts(tmp_path)) == [tmp_path / "good.yaml"]


def test_a_missing_knowledge_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL.replace("first: ask", "first: ask\nknowledge: passages"))
    status, _, err = callspine("script", "check", str(path))
    assert status == 2
    assert "passages" in err


@pytest.mark.parametrize(
    ("command", "variables"),
    [
        (
            "gateway",
            [
                "TWILIO_AUTH_TOKEN",
                "STREAM_TOKEN_SECRET",
                "DEEPGRAM_API_KEY",
                "CARTESIA_API_KEY",
                "CARTESIA_VOICE_ID",
                "LLM_API_KEY",
            ],
        ),
        ("worker", ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM", "LLM_API_KEY"]),
    ],
)
def test_every_missing_key_is_named_before_anything_starts(
    command: str, variables: list[str]
) -> None:
    status, _, err = callspine(command, **NOTHING_THERE)
    assert status == 2
    for variable in variables:
        assert f"CALLSPINE_{variable} is not set" in err


def test_an_unknown_script_for_calls_that_come_in_is_named_with_those_that_exist(
    tmp_path: Path,
) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    status, _, err = callspine(
        "up",
        CALLSPINE_INBOUND_SCRIPT="nope",
        CALLSPINE_SCRIPTS_DIR=str(tmp_path),
        CALLSPINE_VAR_DIR=str(tmp_path / "var"),
    )
    assert status == 2
    assert f"CALLSPINE_INBOUND_SCRIPT is 'nope': no such script in the folder {tmp_path}" in err
    assert "it has small" in err
    assert not (tmp_path / "var").exists()


def test_a_real_vendor_without_its_key(tmp_path: Path) -> None:
    status, _, err = callspine(
        "up",
        CALLSPINE_STAND_INS="carrier,tts,llm",
        CALLSPINE_VAR_DIR=str(tmp_path / "var"),
    )
    assert status == 2
    assert "CALLSPINE_DEEPGRAM_API_KEY is not set" in err
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("variable", ["PORT", "TEMPORAL_PORT", "VENDORS_PORT", "CARRIER_PORT"])
def test_a_busy_port_is_named_with_what_to_set(tmp_path: Path, variable: str) -> None:
    ports = ("PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT", "VENDORS_PORT", "CARRIER_PORT")
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = str(busy.getsockname()[1])
        chosen = {f"CALLSPINE_{name}": "0" for name in ports} | {f"CALLSPINE_{variable}": port}
        status, _, err = callspine("up", **chosen, CALLSPINE_VAR_DIR=str(tmp_path / "var"))
    assert status == 2
    assert f"port {port} on 127.0.0.1 is not free" in err
    assert f"CALLSPINE_{variable}" in err
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"CALLSPINE_PORT": "many"}, "CALLSPINE_PORT: "),
        ({"CALLSPINE_PUBLIC_URL": "my house"}, "CALLSPINE_PUBLIC_URL: "),
        ({"CALLSPINE_END_PAUSE_MS": "5"}, "CALLSPINE_END_PAUSE_MS: "),
        ({"CALLSPINE_UNFINISHED_PAUSE_MS": "300"}, "must be at least CALLSPINE_END_PAUSE_MS"),
        ({"CALLSPINE_STAND_INS": "carrier,psychic"}, "psychic"),
        ({"CALLSPINE_WORKER_BUILD_ID": "my build"}, "CALLSPINE_WORKER_BUILD_ID: "),
        ({"CALLSPINE_RECONCILE_EVERY_S": "-1"}, "CALLSPINE_RECONCILE_EVERY_S: "),
    ],
)
def test_a_wrong_setting_is_named(variables: dict[str, str], reason: str) -> None:
    status, _, err = callspine("up", **variables)
    assert status == 2
    assert reason in err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("call", "start", "--to", "call me"), "is not a telephone number"),
        (("call", "start", "--to", "+1"), "telephone number"),
        (("call", "start", "--to", "+12125550142", "--script", "nope"), "no script 'nope'"),
        (("call", "start", "--to", "+12125550142", "--script", "../x"), "is not a script's name"),
        (("call", "start", "--to", "+12125550142"), "no Temporal at 127.0.0.1:9"),
        (("call", "show", "c1"), "no Temporal at 127.0.0.1:9"),
        (("call", "list"), "no Temporal at 127.0.0.1:9"),
        (("worker", "versions"), "no Temporal at 127.0.0.1:9"),
        (("worker", "promote", "b1"), "no Temporal at 127.0.0.1:9"),
        (("demo", "--fault", "earthquake"), "no fault 'earthquake'"),
    ],
)
def test_wrong_input_is_one_clear_message(arguments: tuple[str, ...], reason: str) -> None:
    status, _, err = callspine(*arguments, **NOTHING_THERE)
    assert status == 2
    assert reason in err


def test_a_callers_words_are_no_markup() -> None:
    turn = TurnRecord(
        seq=1,
        kind=TurnKind.REPLY,
        stage="roof",
        caller_words="it is [/bold] metal",
        saying="[red]Good.",
        move="roof_known",
    )
    console = Console(file=io.StringIO(), width=200)
    printed = Printed()
    print_turns([turn], printed, console)
    print_turns([turn], printed, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("it is [/bold] metal") == 1
    assert text.count("[red]Good.") == 1
    over = replace(turn, heard_words="[red]Go", interrupted=True, is_over=True)
    print_turns([over], printed, console)
    assert "interrupted, heard: [red]Go" in console.file.getvalue()  # type: ignore[attr-defined]


def test_stand_ins_do_not_override_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CALLSPINE_")]:
        monkeypatch.delenv(name)
    chosen = stand_in_environment(load_settings(), STAND_INS)
    assert chosen["CALLSPINE_DATABASE_URL"].startswith("sqlite:///")
    assert chosen["CALLSPINE_OUTBOX_DIR"] == "var/outbox"
    assert chosen["CALLSPINE_STREAM_TOKEN_SECRET"]
    assert chosen["CALLSPINE_WORKER_BUILD_ID"] == build_id_of_this_code()
    monkeypatch.setenv("CALLSPINE_DATABASE_URL", "postgresql+psycopg://h/crm")
    monkeypatch.setenv("CALLSPINE_STREAM_TOKEN_SECRET", "mine")
    monkeypatch.setenv("CALLSPINE_OUTBOX_DIR", "/srv/outbox")
    monkeypatch.setenv("CALLSPINE_WORKER_BUILD_ID", "my-build")
    chosen = stand_in_environment(load_settings(), STAND_INS)
    assert "CALLSPINE_DATABASE_URL" not in chosen
    assert "CALLSPINE_STREAM_TOKEN_SECRET" not in chosen
    assert "CALLSPINE_OUTBOX_DIR" not in chosen
    assert "CALLSPINE_WORKER_BUILD_ID" not in chosen
