"""Recorded calls, replayed by today's workflow: a change that would break calls in flight fails here."""

from __future__ import annotations

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from tests.durable.record import CALLS, HISTORIES
from workflows import activity_calls
from workflows.call import CallWorkflow

FILES = sorted(HISTORIES.glob("*.json"))


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("call/recorded", path.read_text(encoding="utf-8"))


def test_every_kind_of_call_was_recorded() -> None:
    assert {path.stem.split(".", 1)[1].rsplit(".", 1)[-1] for path in FILES} >= set(CALLS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_recorded_call_replays(path: Path) -> None:
    await Replayer(workflows=[CallWorkflow]).replay_workflow(history(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_changed_workflow_does_not(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The witness that the test above can fail: a timer more, before the script is loaded."""
    load_script = activity_calls.load_script

    async def later(*args: object) -> object:
        await workflow.sleep(1)
        return await load_script(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(activity_calls, "load_script", later)
    # Outside the sandbox, which imports the workflow's own modules as they are on disk.
    replayer = Replayer(workflows=[CallWorkflow], workflow_runner=UnsandboxedWorkflowRunner())
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(history(path))
