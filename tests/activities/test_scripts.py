"""Which text a call runs: today's file, or the one it was pinned to."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy.exc import SQLAlchemyError
from temporalio.exceptions import ApplicationError

from activities.clients.crm_store import CrmStore
from activities.clients.script_archive import ScriptArchive
from activities.scripts import ScriptActivities
from tests.core.scripts import SAMPLE, SMALL
from workflows.contracts.activities import SCRIPT_REFUSED, LoadedScript, LoadScript
from workflows.script.parse import content_hash

CHANGED = SMALL.replace("Bye.", "Farewell.")
BROKEN = SMALL.replace("to: end", "to: nowhere")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[ScriptArchive]:
    store = CrmStore(f"sqlite:///{tmp_path}/crm.db")
    yield ScriptArchive(store.engine)
    store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "scripts"
    path.mkdir()
    (path / "small.yaml").write_text(SMALL)
    return path


def load(
    folder: Path, archive: ScriptArchive, name: str = "small", script_hash: str = ""
) -> LoadedScript:
    wanted = LoadScript(script_id=name, script_hash=script_hash)
    return ScriptActivities(folder, archive).load_script(wanted)


def refusal(
    folder: Path, archive: ScriptArchive, name: str = "small", script_hash: str = ""
) -> str:
    with pytest.raises(ApplicationError) as refused:
        load(folder, archive, name, script_hash)
    assert refused.value.type == SCRIPT_REFUSED
    assert refused.value.non_retryable
    return str(refused.value.message)


def test_a_script_is_loaded_by_its_name(archive: ScriptArchive) -> None:
    loaded = load(Path("sales_scripts"), archive, "solar_consult", SAMPLE.content_hash)
    assert loaded.content_hash == SAMPLE.content_hash


@pytest.mark.parametrize("name", ["../secret", "a/b", "", "a b", "x" * 101])
def test_a_name_cannot_lead_out_of_the_folder(
    tmp_path: Path, folder: Path, archive: ScriptArchive, name: str
) -> None:
    (tmp_path / "secret.yaml").write_text(SMALL)
    assert "not a script's name" in refusal(folder, archive, name)


def test_a_script_that_cannot_be_used_is_refused_with_the_reason(
    folder: Path, archive: ScriptArchive
) -> None:
    assert "none.yaml cannot be read" in refusal(folder, archive, "none")
    (folder / "odd.yaml").write_bytes(b"\xff\xfe")
    assert "odd.yaml cannot be read" in refusal(folder, archive, "odd")
    (folder / "bad.yaml").write_text(BROKEN)
    assert "bad.yaml:" in refusal(folder, archive, "bad")


@pytest.mark.parametrize("after", [CHANGED, BROKEN, None], ids=["changed", "broken", "gone"])
def test_a_call_gets_the_script_it_was_pinned_to_whatever_becomes_of_the_file(
    folder: Path, archive: ScriptArchive, after: str | None
) -> None:
    first = load(folder, archive)
    path = folder / "small.yaml"
    path.unlink() if after is None else path.write_text(after)

    again = load(folder, archive, script_hash=first.content_hash)

    assert again == first
    assert again.yaml == SMALL


def test_a_call_without_a_pin_gets_the_file_as_it_is(folder: Path, archive: ScriptArchive) -> None:
    load(folder, archive)
    (folder / "small.yaml").write_text(CHANGED)
    assert load(folder, archive).yaml == CHANGED


def test_an_unknown_pin_is_refused_with_both_hashes_and_the_remedy(
    folder: Path, archive: ScriptArchive
) -> None:
    reason = refusal(folder, archive, script_hash="sha256:123")
    assert "sha256:123" in reason
    assert content_hash(SMALL) in reason
    assert str(folder / "small.yaml") in reason
    assert "Put the file with that content back" in reason


def test_a_pin_of_another_script_is_unknown(folder: Path, archive: ScriptArchive) -> None:
    first = load(folder, archive)
    (folder / "other.yaml").write_text(CHANGED)
    assert "never loaded" in refusal(folder, archive, "other", first.content_hash)


def test_what_a_worker_found_at_its_start_is_kept(folder: Path, archive: ScriptArchive) -> None:
    (folder / "bad.yaml").write_text(BROKEN)
    ScriptActivities(folder, archive).archive_folder()
    (folder / "small.yaml").write_text(CHANGED)
    assert load(folder, archive, script_hash=content_hash(SMALL)).yaml == SMALL
    assert archive.get(script_id="bad", script_hash=content_hash(BROKEN)) is None


def test_an_archived_script_that_is_no_longer_sound_is_refused(
    folder: Path, archive: ScriptArchive
) -> None:
    archive.add(script_id="small", script_hash=content_hash(BROKEN), yaml=BROKEN)
    assert "nowhere" in refusal(folder, archive, script_hash=content_hash(BROKEN))


def test_the_first_entry_stands_however_many_come_at_once(archive: ScriptArchive) -> None:
    def add(_: int) -> None:
        archive.add(script_id="small", script_hash="h", yaml=SMALL)

    add(0)
    first = archive.get(script_id="small", script_hash="h")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(20)))
        list(
            threads.map(
                lambda i: archive.add(script_id="new", script_hash="n", yaml=SMALL), range(20)
            )
        )
    last = archive.get(script_id="small", script_hash="h")
    assert first is not None
    assert last is not None
    assert last.first_seen_at == first.first_seen_at


class Away(ScriptArchive):
    """A database that does not answer."""

    def __init__(self) -> None:
        pass

    def add(self, **_: str) -> None:
        raise SQLAlchemyError("away")

    def get(self, **_: str) -> None:
        raise SQLAlchemyError("away")


def test_a_database_that_is_away_costs_no_call_whose_file_is_there(folder: Path) -> None:
    assert load(folder, Away(), script_hash=content_hash(SMALL)).yaml == SMALL
    # A pinned one may be there later: tried again, not refused.
    with pytest.raises(SQLAlchemyError):
        load(folder, Away(), script_hash="sha256:123")
