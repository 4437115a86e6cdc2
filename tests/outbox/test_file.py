"""What the outbox does about files: a crash, corruption, strangers, a second process, a disk that refuses."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.typing import EventDict

from media_gateway.errors import OutboxInUse, OutboxRefused
from media_gateway.outbox.file import OutboxFile
from media_gateway.outbox.letter import Letter
from media_gateway.outbox.outbox import Outbox
from media_gateway.outbox.table import APPLICATION_ID, full_row
from tests.outbox.post import CALLS, Post, until


def child(path: Path) -> subprocess.Popen[str]:
    """A process that puts letters into this file until it is killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.outbox.post", str(path)], stdout=subprocess.PIPE, text=True
    )


def until_written(process: subprocess.Popen[str], number: int) -> int:
    """Read the child's lines until it has that many letters on disk; returns how many it has."""
    assert process.stdout is not None
    while (written := int(process.stdout.readline())) < number:
        pass
    return written


@pytest.mark.parametrize("at_least", [10, 130, 450])
async def test_a_killed_process_loses_nothing_that_was_written(path: Path, at_least: int) -> None:
    with child(path) as process:
        written = until_written(process, at_least)
        process.kill()
    post = Post()
    outbox = await Outbox.open(path, post)
    count = outbox.depth
    assert count >= written
    for call_id in CALLS:
        assert await outbox.flush(call_id, within_s=20)
    await outbox.close(within_s=1)
    for number, call_id in enumerate(CALLS):
        theirs = [n for n in range(1, count + 1) if n % 3 == number]
        assert post.of(call_id) == [f"message {n}" for n in theirs], "in order, without a gap"


async def test_a_second_process_on_one_file_is_refused_until_the_first_is_dead(path: Path) -> None:
    with child(path) as process:
        until_written(process, 10)
        with pytest.raises(OutboxInUse, match="another process"):
            await Outbox.open(path, Post())
        process.kill()
    outbox = await Outbox.open(path, Post())
    with pytest.raises(OutboxInUse):
        await Outbox.open(path, Post())
    await outbox.close(within_s=5)


async def leave_letters(path: Path, count: int) -> None:
    outbox = await Outbox.open(path, Post(away={"a"}))
    for number in range(count):
        outbox.put("a", "turn_completed", f"message {number} " + "x" * 500)
    await outbox.close(within_s=0)


def set_aside(path: Path) -> Path:
    (aside,) = [file for file in path.parent.iterdir() if ".corrupt-" in file.name]
    return aside


async def assert_a_new_one_works(path: Path) -> None:
    post = Post()
    outbox = await Outbox.open(path, post)
    assert outbox.depth == 0
    outbox.put("a", "turn_completed", "new")
    assert await outbox.flush("a", within_s=10)
    assert await outbox.close(within_s=1) == 0
    assert post.of("a") == ["new"]


@pytest.mark.parametrize("content", [b"", b"this is no database at all", b"SQLite", bytes(8192)])
async def test_what_is_no_database_is_set_aside_as_it_is(
    path: Path, content: bytes, logs: list[EventDict]
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    await assert_a_new_one_works(path)
    aside = set_aside(path)
    assert aside.read_bytes() == content
    (line,) = [line for line in logs if line["event"] == "outbox_corrupted"]
    assert line["log_level"] == "critical"
    assert (line["file"], line["set_aside_as"]) == (str(path), str(aside))
    assert str(aside) in line["remedy"]


async def test_a_damaged_database_is_set_aside_with_what_can_still_be_read(
    path: Path, logs: list[EventDict]
) -> None:
    await leave_letters(path, 100)
    damaged = bytearray(path.read_bytes())
    damaged[4096 * 5 : 4096 * 7] = os.urandom(4096 * 2)
    path.write_bytes(damaged)
    await assert_a_new_one_works(path)
    assert set_aside(path).read_bytes() == damaged
    assert "outbox_corrupted" in [line["event"] for line in logs]


@pytest.mark.parametrize(
    ("was", "is_now"), [(b"message 1", b"massage 1"), (b"aturn_c", b"\xffturn_c")]
)
async def test_a_single_changed_byte_is_noticed(
    path: Path, logs: list[EventDict], was: bytes, is_now: bytes
) -> None:
    await leave_letters(path, 3)
    assert was in path.read_bytes()
    damaged = path.read_bytes().replace(was, is_now)
    path.write_bytes(damaged)
    await assert_a_new_one_works(path)
    assert set_aside(path).read_bytes() == damaged
    (line,) = [line for line in logs if line["event"] == "outbox_corrupted"]
    assert line["reason"].endswith("is not what was written")


async def test_damage_where_no_letter_lies_is_noticed_before_one_is_written_there(
    path: Path, logs: list[EventDict]
) -> None:
    await leave_letters(path, 100)
    outbox = await Outbox.open(path, Post())
    assert await outbox.flush("a", within_s=10)
    await outbox.close(within_s=1)
    damaged = bytearray(path.read_bytes())
    damaged[36:40] = (3).to_bytes(4, "big")  # the header's count of free pages
    path.write_bytes(damaged)
    await assert_a_new_one_works(path)
    assert set_aside(path).read_bytes() == damaged


def a_letter(number: int) -> Letter:
    body = b"spoken words " * 40 + str(number).encode()
    return Letter(number=number, call_id="a", kind="k", request_id="r", at_s=1.0, body=body)


def test_letters_that_are_missing_from_a_file_in_good_order_are_noticed(
    path: Path, logs: list[EventDict]
) -> None:
    file = OutboxFile.open(path)
    file.write([a_letter(number) for number in range(1, 10)], [])
    file.write([a_letter(9)], [1, 2])
    file.close()
    file = OutboxFile.open(path)
    assert [letter.number for letter in file.letters] == list(range(3, 10))
    file.close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        (trigger,) = connection.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'letter_went'"
        ).fetchone()
        connection.execute("DROP TRIGGER letter_went")
        connection.execute("DELETE FROM letter WHERE number = 5")
        connection.execute(trigger)
    file = OutboxFile.open(path)
    assert file.letters == []
    file.close()
    assert [line["reason"] for line in logs] == ["letters are missing"]


KEPT = list(range(10, 61))


@pytest.fixture(scope="module")
def half_written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """File and journal as a process leaves them that dies in the middle of a large transaction; committed were KEPT."""
    path = tmp_path_factory.mktemp("half") / "gateway-1.db"
    file = OutboxFile.open(path)
    file.write([a_letter(number) for number in range(1, 61)], range(1, 10))
    file.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA cache_size = 3")  # pages go to the file before the commit
        connection.execute("DELETE FROM letter WHERE number BETWEEN 10 AND 40")
        rows = [full_row(a_letter(number)) for number in range(61, 75)]
        connection.executemany("INSERT INTO letter VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return path.read_bytes(), Path(f"{path}-journal").read_bytes()


def open_half_written(path: Path, database: bytes, journal: bytes | None) -> list[int]:
    """The letters' numbers."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(database)
    if journal is not None:
        Path(f"{path}-journal").write_bytes(journal)
    file = OutboxFile.open(path)
    file.close()
    return [letter.number for letter in file.letters]


def test_what_a_dead_process_left_half_written_is_taken_back(
    path: Path, half_written: tuple[bytes, bytes], logs: list[EventDict]
) -> None:
    assert open_half_written(path, *half_written) == KEPT
    assert logs == []
    assert {file.name for file in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}


def test_a_process_that_died_before_its_journal_was_complete_costs_nothing(
    path: Path, logs: list[EventDict]
) -> None:
    file = OutboxFile.open(path)
    file.write([a_letter(number) for number in KEPT], [])
    file.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM letter")
        database, journal = path.read_bytes(), Path(f"{path}-journal").read_bytes()
    assert journal[:12] == bytes(12)
    assert open_half_written(path, database, journal) == KEPT
    assert logs == []


def test_a_damaged_journal_costs_no_letter_or_is_told_and_set_aside_as_it_was(
    path: Path, half_written: tuple[bytes, bytes], logs: list[EventDict]
) -> None:
    database, journal = half_written
    damaged = [journal[:length] for length in range(0, len(journal), 1501)]
    for at in [*range(28), *range(28, len(journal), 487)]:
        damaged.append(journal[:at] + bytes([journal[at] ^ 0xFF]) + journal[at + 1 :])
    told = 0
    for each in damaged:
        logs.clear()
        numbers = open_half_written(path, database, each)
        if not logs:
            assert numbers == KEPT
            continue
        told += 1
        (line,) = logs
        assert (line["event"], numbers) == ("outbox_corrupted", [])
        aside = Path(line["set_aside_as"])
        assert aside.read_bytes() == database
        assert Path(f"{aside}-journal").read_bytes() == each
    assert told > len(damaged) / 3


@pytest.mark.parametrize("journal", [None, b""])
def test_a_half_written_file_without_its_journal_is_noticed(
    path: Path,
    half_written: tuple[bytes, bytes],
    journal: bytes | None,
    logs: list[EventDict],
) -> None:
    assert open_half_written(path, half_written[0], journal) == []
    assert [line["event"] for line in logs] == ["outbox_corrupted"]


async def test_what_is_no_journal_is_told_of_though_no_letter_is_missing(path: Path) -> None:
    await leave_letters(path, 3)
    database, journal = path.read_bytes(), b"this is no journal at all"
    assert open_half_written(path, database, journal) == []
    kept = {part.read_bytes() for part in path.parent.iterdir() if ".corrupt-" in part.name}
    assert kept == {database, journal}


def test_an_outbox_whose_file_is_gone_but_not_its_journal_is_noticed(
    path: Path, half_written: tuple[bytes, bytes], logs: list[EventDict]
) -> None:
    path.parent.mkdir()
    Path(f"{path}-journal").write_bytes(half_written[1])
    OutboxFile.open(path).close()
    (line,) = logs
    assert Path(f"{line['set_aside_as']}-journal").read_bytes() == half_written[1]


async def test_a_header_under_which_no_letter_could_be_written_is_noticed_at_the_start(
    path: Path,
) -> None:
    await leave_letters(path, 3)
    damaged = bytearray(path.read_bytes())
    damaged[18] = 3
    path.write_bytes(damaged)
    await assert_a_new_one_works(path)
    assert set_aside(path).read_bytes() == damaged


async def test_a_truncated_database_is_set_aside(path: Path) -> None:
    await leave_letters(path, 100)
    path.write_bytes(path.read_bytes()[:10_000])
    await assert_a_new_one_works(path)
    assert set_aside(path).stat().st_size == 10_000


async def test_two_corruptions_in_one_second_keep_both_files(path: Path) -> None:
    path.parent.mkdir()
    for content in ("one", "two"):
        path.write_text(content)
        file = OutboxFile.open(path)
        file.close()
    kept = {file.read_text() for file in path.parent.iterdir() if ".corrupt-" in file.name}
    assert kept == {"one", "two"}


async def test_another_programs_database_is_refused_and_not_touched(path: Path) -> None:
    path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(path)) as theirs, theirs:
        theirs.execute("CREATE TABLE letter (words TEXT)")
    before = path.read_bytes()
    with pytest.raises(OutboxRefused, match="another program"):
        await Outbox.open(path, Post())
    assert path.read_bytes() == before
    assert not [file for file in path.parent.iterdir() if ".corrupt-" in file.name]


async def test_a_newer_callspines_outbox_is_refused_and_not_touched(path: Path) -> None:
    await leave_letters(path, 3)
    with contextlib.closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(OutboxRefused, match="newer Callspine"):
        await Outbox.open(path, Post())
    assert path.read_bytes() == before


async def test_a_folder_that_cannot_be_made_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutboxRefused, match=str(tmp_path / "file" / "gateway-1.db")):
        await Outbox.open(tmp_path / "file" / "gateway-1.db", Post())


def test_the_main_file_names_its_owner_from_the_first_write_on(path: Path) -> None:
    file = OutboxFile.open(path)
    assert int.from_bytes(path.read_bytes()[68:72], "big") == APPLICATION_ID
    file.close()


def test_only_its_own_user_may_read_it(path: Path) -> None:
    file = OutboxFile.open(path)
    file.write([Letter(number=1, call_id="a", kind="k", request_id="r", at_s=1.0, body=b"x")], [])
    parts = [path, Path(f"{path}-journal")]
    assert [stat.S_IMODE(part.stat().st_mode) for part in parts] == [0o600, 0o600]
    file.close()


def test_delivered_words_do_not_stay_in_the_file(path: Path) -> None:
    file = OutboxFile.open(path)
    for number in range(1, 50):
        body = b"spoken words" * 20
        file.write(
            [Letter(number=number, call_id="a", kind="k", request_id="r", at_s=1.0, body=body)], []
        )
    file.write([], range(1, 50))
    file.close()
    assert b"spoken words" not in path.read_bytes()


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may be written behind its first bytes: what a write meets then is what a full disk says."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_refuses_is_told_of_and_costs_no_message(
    path: Path, logs: list[EventDict]
) -> None:
    post = Post(away={"a"})
    outbox = await Outbox.open(path, post)
    outbox.put("a", "turn_completed", "before")
    assert await outbox.written()
    with full_disk():
        outbox.put("a", "turn_completed", "during")
        assert not await outbox.written()
        trouble = [line for line in logs if line["event"] == "outbox_disk_trouble"]
        assert [line["log_level"] for line in trouble] == ["critical"]
        post.away.clear()
        assert await outbox.flush("a", within_s=10)
        assert post.of("a") == ["before", "during"], "delivered from memory"
        post.away.add("a")
        outbox.put("a", "turn_completed", "after")
    await until(lambda: "outbox_disk_well" in [line["event"] for line in logs])
    assert await outbox.close(within_s=0) == 1
    reopened = await Outbox.open(path, post := Post())
    assert await reopened.flush("a", within_s=10)
    assert post.of("a") == ["after"]
    await reopened.close(within_s=1)
