"""The writer: nothing waits for the disk, nothing is lost in silence, nobody else can read it."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from media_gateway.flight.files import create, flights_of
from media_gateway.flight.reading import Flight, read_flight
from media_gateway.flight.recorder import FlightRecorder
from media_gateway.flight.rules import rules_fingerprint
from media_gateway.turns.recording import CallRecorder
from media_gateway.turns.types import (
    BeginReply,
    EndOfTurnEstimated,
    FinalWords,
    Ms,
    TurnPolicy,
)

POLICY = TurnPolicy()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[FlightRecorder]:
    opened = FlightRecorder(tmp_path / "flights")
    yield opened
    opened.close()


def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    give_up_at_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.01)


def say(call: CallRecorder, now: int, words: str = "yes") -> None:
    call.took(FinalWords(text=words), Ms(now))
    call.commands([BeginReply(reply_id=2, caller_words=words)])


def only(folder: Path) -> Flight:
    (path,) = folder.iterdir()
    return read_flight(path.read_bytes())


def test_a_stream_becomes_a_file_that_only_its_owner_can_read(
    recorder: FlightRecorder, tmp_path: Path
) -> None:
    call = recorder.open("call-1", 2, POLICY)
    say(call, 5)
    call.timer(Ms(9))
    call.commands([])
    call.close()
    call.close()
    recorder.close()

    (path,) = (tmp_path / "flights").iterdir()
    assert path.name == "call-1.epoch2.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    flight = read_flight(path.read_bytes())
    assert flight.is_closed
    assert (flight.header.call_id, flight.header.epoch) == ("call-1", 2)
    assert flight.header.policy == POLICY
    assert flight.header.rules == rules_fingerprint()
    assert [(step.now, type(step.event)) for step in flight.steps] == [
        (5, FinalWords),
        (9, type(None)),
    ]
    assert flight.steps[0].commands == (BeginReply(reply_id=2, caller_words="yes"),)


def test_an_answer_that_never_came_is_kept_as_such(
    recorder: FlightRecorder, tmp_path: Path
) -> None:
    call = recorder.open("call-1", 1, POLICY)
    call.took(FinalWords(text="a"), Ms(1))  # the machine raises
    say(call, 2)
    call.took(FinalWords(text="b"), Ms(3))
    call.close()
    say(call, 4)  # after its end: nothing
    recorder.close()
    steps = only(tmp_path / "flights").steps
    assert [step.commands is None for step in steps] == [True, False, True]


def test_what_is_recorded_is_on_disk_before_the_stream_is_over(
    recorder: FlightRecorder, tmp_path: Path
) -> None:
    call = recorder.open("call-1", 1, POLICY)
    say(call, 5)
    until(
        lambda: any(
            p.read_bytes().count(b"\n") == 2 for p in flights_of(tmp_path / "flights", "call-1")
        )
    )
    flight = only(tmp_path / "flights")
    assert flight.damage is None
    assert not flight.is_closed


_KILLED = """
import sys, time
from pathlib import Path
from media_gateway.flight.recorder import FlightRecorder
from media_gateway.turns.types import FinalWords, Ms, TurnPolicy
call = FlightRecorder(Path(sys.argv[1])).open("call-1", 1, TurnPolicy())
for now in range(100_000):
    call.took(FinalWords(text="yes we own the house"), Ms(now))
    call.commands([])
    time.sleep(0.001)
"""


def test_a_killed_process_leaves_a_file_that_can_be_read(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path)]) as process:
        until(lambda: any(p.stat().st_size > 20_000 for p in flights_of(tmp_path, "call-1")), 60)
        process.send_signal(signal.SIGKILL)
    flight = only(tmp_path)
    assert flight.damage is None
    assert not flight.is_closed
    assert [step.now for step in flight.steps] == list(range(len(flight.steps)))
    assert len(flight.steps) > 100


def test_a_disk_that_hangs_holds_up_nobody_and_what_is_lost_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def hanging(*arguments: Any) -> Any:
        assert goes_on.wait(30)
        return create(*arguments)

    monkeypatch.setattr("media_gateway.flight.writing.create", hanging)
    recorder = FlightRecorder(tmp_path, most_waiting=3)
    call = recorder.open("call-1", 1, POLICY)
    with capture_logs() as logs:
        for now in range(10):
            say(call, now)
        goes_on.set()
        until(lambda: any(p.read_bytes().count(b"\n") == 4 for p in flights_of(tmp_path, "call-1")))
        say(call, 20)
        call.close()
        recorder.close()
    flight = only(tmp_path)
    assert len(flight.steps) == 3
    assert flight.damage is not None
    assert "7 steps are missing" in flight.damage.reason
    told = [(line["event"], line.get("dropped")) for line in logs]
    assert told == [("flight_drops", None), ("flight_incomplete", 7)]


def test_a_full_disk_ends_the_file_after_a_whole_line_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = FlightRecorder(tmp_path)
    call = recorder.open("call-1", 1, POLICY)
    say(call, 1)
    until(lambda: any(p.read_bytes().count(b"\n") == 2 for p in flights_of(tmp_path, "call-1")))
    write, said = os.write, [False]

    def full(descriptor: int, content: Any) -> int:
        if said[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        said[0] = True
        return write(descriptor, bytes(content)[:5])

    with capture_logs() as logs:
        monkeypatch.setattr(os, "write", full)
        say(call, 2)
        call.close()
        recorder.close()
    assert [(line["event"], line["reason"]) for line in logs] == [
        ("flight_not_written", "No space left on device")
    ]
    flight = only(tmp_path)
    assert flight.damage is None
    assert [step.now for step in flight.steps] == [1]


def test_a_number_that_is_not_pythons_is_a_bug_that_is_said(
    recorder: FlightRecorder, tmp_path: Path
) -> None:
    call = recorder.open("call-1", 1, POLICY)
    with capture_logs() as logs:
        p: Any = np.float32(0.7)
        call.took(EndOfTurnEstimated(p=p), Ms(1))
        call.commands([])
        call.close()
        recorder.close()
    assert [line["event"] for line in logs] == ["step_not_encoded"]
    flight = only(tmp_path / "flights")
    assert flight.damage is not None
    assert "1 steps are missing" in flight.damage.reason


def test_no_stream_overwrites_another_and_no_id_leaves_the_folder(
    recorder: FlightRecorder, tmp_path: Path
) -> None:
    ids = ["call-1", "call-1", "../../etc/x", "call-1.epoch1", "..", "a b*"]
    for call_id in ids:
        recorder.open(call_id, 1, POLICY).close()
    recorder.close()
    folder = tmp_path / "flights"
    assert len(list(folder.iterdir())) == len(ids)
    assert [path.name for path in flights_of(folder, "call-1")] == [
        "call-1.epoch1-2.jsonl",
        "call-1.epoch1.jsonl",
    ]
    for call_id in ids[2:]:
        (path,) = flights_of(folder, call_id)
        assert read_flight(path.read_bytes()).header.call_id == call_id
    assert flights_of(tmp_path / "nowhere", "call-1") == []


def test_a_folder_of_no_use_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        FlightRecorder(tmp_path / "file")


def test_a_recorder_without_streams_sleeps(recorder: FlightRecorder) -> None:
    thread = next(t for t in threading.enumerate() if t.name == "flight recorder")
    call = recorder.open("call-1", 1, POLICY)
    call.close()
    recorder.close()
    assert not thread.is_alive()
    late = recorder.open("call-2", 1, POLICY)
    with capture_logs() as logs:
        say(late, 1)  # a recorder that is closed takes nothing, and nobody waits for it
    assert [line["event"] for line in logs] == ["flight_drops"]


@pytest.mark.parametrize(
    ("file", "added", "is_new"),
    [
        ("words.py", b"\nMORE = 1\n", True),
        ("machine.py", b"\nMORE = 1\n", True),
        ("machine.py", b"\n# A comment decides nothing.\n", False),
        ("playout.py", b"\nMORE = 1\n", False),
    ],
)
def test_the_fingerprint_is_of_all_that_the_machine_decides_by(
    file: str, added: bytes, is_new: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: read(path) + (added if path.name == file else b"")
    )
    assert (rules_fingerprint.__wrapped__() != rules_fingerprint()) is is_new
