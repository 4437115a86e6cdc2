"""The CRM on SQLite, and the activities around it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.clients.crm_store import CrmStore
from activities.clients.script_archive import ScriptArchive
from activities.crm import CrmActivities
from callspine.worker import open_store
from workflows.contracts.activities import (
    DoNotCall,
    LookUpCallee,
    WriteOutcome,
)

PHONE = "+12125550142"
ROW = WriteOutcome(
    call_id="c1",
    call_sid="CA1",
    phone=PHONE,
    direction="outbound",
    script_id="solar_consult",
    script_hash="abc",
    outcome="appointment",
    stage="booked",
    slots={"monthly_bill_usd": 180.5, "is_homeowner": True, "roof_type": "metal"},
    objections={"too_expensive": 1},
    turns=10,
    appointment_at="2026-11-26T15:00",
    call_back_when="",
    summary="a call",
    next_step="visit",
    duration_s=81,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CrmStore]:
    opened = open_store(f"sqlite:///{tmp_path}/new/crm.db")
    yield opened
    opened.close()


def test_a_calls_row_keeps_its_types_and_a_repeated_write_changes_nothing(store: CrmStore) -> None:
    activities = CrmActivities(store)
    activities.write_outcome(ROW)
    activities.write_outcome(ROW)
    row = store.call("c1")
    assert row is not None
    assert row.slots == ROW.slots
    assert row.objections == {"too_expensive": 1}
    assert (row.recording_sid, row.recording_url) == (None, None)
    assert (row.appointment_at, row.call_back_when) == ("2026-11-26T15:00", None)
    activities.write_outcome(replace(ROW, summary="read again"))
    row = store.call("c1")
    assert row is not None
    assert row.summary == "read again"
    assert store.call("c2") is None


def test_the_first_opt_out_stands(store: CrmStore) -> None:
    activities = CrmActivities(store)
    assert not store.is_do_not_call(PHONE)
    activities.record_do_not_call(DoNotCall(call_id="c1", phone=PHONE, source="call"))
    activities.record_do_not_call(DoNotCall(call_id="c2", phone=PHONE, source="call"))
    assert store.is_do_not_call(PHONE)
    assert not store.is_do_not_call("+12125550143")


def test_two_processes_share_a_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/crm.db"
    first, second = CrmStore(url), CrmStore(url)
    first.add_do_not_call(phone=PHONE, call_id="c1", source="call")
    assert second.is_do_not_call(PHONE)
    first.close()
    second.close()


def test_a_store_waits_for_a_process_that_has_the_fresh_file(tmp_path: Path) -> None:
    file = tmp_path / "crm.db"
    with closing(sqlite3.connect(file)) as other, ThreadPoolExecutor(1) as thread:
        other.execute("BEGIN IMMEDIATE")  # here SQLite does not wait by itself
        opening = thread.submit(CrmStore, f"sqlite:///{file}")
        with pytest.raises(TimeoutError):
            opening.result(timeout=0.3)
        other.rollback()
        store = opening.result()
    store.add_do_not_call(phone=PHONE, call_id="c1", source="call")
    store.close()


def test_processes_that_open_a_fresh_database_at_once_agree(tmp_path: Path) -> None:
    def open_both(_: int) -> None:
        store = CrmStore(url)
        ScriptArchive(store.engine)
        store.close()

    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            url = f"sqlite:///{tmp_path}/{number}.db"
            list(threads.map(open_both, range(8)))


def test_a_callee_is_looked_up(store: CrmStore) -> None:
    store.add_contact(phone=PHONE, first_name="Ada", company="Acme")
    look_up = ActivityEnvironment().run
    activities = CrmActivities(store)
    known = look_up(
        activities.look_up_callee, LookUpCallee(phone=PHONE, time_zone="America/New_York")
    )
    assert known.facts == {"first_name": "Ada"}
    far = LookUpCallee(phone="+16845550100", time_zone="Pacific/Kiritimati")
    near = LookUpCallee(phone="+16845550100", time_zone="Pacific/Pago_Pago")
    stranger = look_up(activities.look_up_callee, far)
    assert stranger.facts == {}
    # These two zones are 25 hours apart: it is never the same day there.
    assert stranger.today > look_up(activities.look_up_callee, near).today
    utc = look_up(activities.look_up_callee, LookUpCallee(phone=PHONE, time_zone="Mars/Olympus"))
    assert len(utc.today) == 10


def test_workers_that_start_together_on_an_empty_database_all_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/fresh.db"
    with ThreadPoolExecutor(8) as threads:
        stores = list(threads.map(CrmStore, [url] * 8))
    stores[0].add_contact(phone="+12125550142", first_name="Dana", company="")
    for store in stores:
        store.close()


def test_a_recorded_calls_row_says_where_the_recording_is(store: CrmStore) -> None:
    url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1"
    CrmActivities(store).write_outcome(replace(ROW, recording_sid="RE1", recording_url=url))
    row = store.call("c1")
    assert row is not None
    assert (row.recording_sid, row.recording_url) == ("RE1", url)


def test_a_database_of_an_older_release_gets_the_new_columns_and_keeps_its_rows(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.db"
    first = CrmStore(f"sqlite:///{path}")
    first.write_call(ROW)
    first.close()
    with closing(sqlite3.connect(path)) as old:
        old.execute("ALTER TABLE calls DROP COLUMN recording_sid")
        old.execute("ALTER TABLE calls DROP COLUMN recording_url")
        old.commit()
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(CrmStore, [f"sqlite:///{path}"] * 4))
    row = stores[0].call("c1")
    assert row is not None
    assert (row.summary, row.recording_sid) == (ROW.summary, None)
    for store in stores:
        store.close()
