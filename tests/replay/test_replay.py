"""Recorded calls, replayed by today's workflow: a change that would break calls in flight fails here.

When it does: put the change inside `workflow.patched`, or let calls in flight end on the build that they began on.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.durable.conftest import skipping_time
from tests.durable.house import House, start
from tests.replay import record
from tests.replay.changed import ONE_MORE, Careless, Patched, one_more
from workflows.call import CallWorkflow

FILES = sorted(record.HISTORIES.glob("*.json"))
RELEASE = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def history(text: str) -> WorkflowHistory:
    return WorkflowHistory.from_json("call/recorded", text)


async def replay(kind: type, text: str) -> None:
    await Replayer(workflows=[kind]).replay_workflow(history(text))


recorded = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.mark.parametrize("kind", record.CALLS)
def test_this_release_has_recorded_every_kind_of_call(kind: str) -> None:
    remedy = f"run `python -m tests.replay.record {RELEASE}`"
    assert record.file_of(RELEASE, kind) in FILES, remedy


def test_this_releases_histories_hold_every_message_that_a_call_takes() -> None:
    """A handler that no history calls could be changed without anybody's noticing."""
    definition = workflow._Definition.must_from_class(CallWorkflow)
    wanted = {name for name in (*definition.signals, *definition.updates) if name}
    held = set()
    for path in FILES:
        if path.name.startswith(f"{RELEASE}."):
            for event in json.loads(path.read_text(encoding="utf-8"))["events"]:
                signal = event.get("workflowExecutionSignaledEventAttributes", {})
                update = event.get("workflowExecutionUpdateAcceptedEventAttributes", {})
                held.add(signal.get("signalName"))
                held.add(update.get("acceptedRequest", {}).get("input", {}).get("name"))
    assert wanted - held == set(), "give tests/replay/record.py a call that is told these"


@recorded
async def test_a_recorded_call_replays(path: Path) -> None:
    await replay(CallWorkflow, path.read_text(encoding="utf-8"))


@recorded
async def test_a_careless_change_of_the_workflow_is_caught(path: Path) -> None:
    """The witness that the test above can fail."""
    with pytest.raises(NondeterminismError):
        await replay(Careless, path.read_text(encoding="utf-8"))


@recorded
async def test_the_same_change_as_a_patch_breaks_no_recorded_call(path: Path) -> None:
    await replay(Patched, path.read_text(encoding="utf-8"))


async def test_calls_that_begin_under_the_patch_take_the_change() -> None:
    """Else the test above would pass for a change that never takes place."""
    house = House(dial="lost")
    async with skipping_time() as env, house.open(env.client, call=Patched, more=[one_more]):
        handle = await start(env.client, call_id="recorded")
        await handle.result()
        text = (await handle.fetch_history()).to_json()
    assert ONE_MORE in text
    await replay(Patched, text)
    with pytest.raises(NondeterminismError):
        await replay(CallWorkflow, text)


async def test_a_recorded_release_is_not_recorded_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def must_not(*_: object) -> str:
        raise AssertionError("a call was recorded")

    monkeypatch.setattr(record, "_history", must_not)
    with pytest.raises(SystemExit, match="--again"):
        await record.record(RELEASE)
