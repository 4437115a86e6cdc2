"""The carrier sends every webhook twice and its callbacks late and out of order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from chaos import judgement
from chaos.batch import Handle, Scene
from chaos.fault import Control, Failures, Verdict, all_calls, common, enough_calls
from chaos.questions import Questions
from chaos.seen import Batch
from rehearsal.carrier.call import UNRULY_WEBHOOKS
from workflows.call import CallWorkflow

LOOK_EVERY_S = 0.5


class UnrulyWebhooks:
    """Implements Fault."""

    name = "unruly-webhooks"
    must = "one workflow, one call, and a status that never goes back"
    webhooks_fault = UNRULY_WEBHOOKS

    async def strike(self, scene: Scene) -> None:
        """The carrier does it; here every call's status is watched to its end."""
        async with asyncio.TaskGroup() as watching:
            async with asyncio.timeout(60):
                await scene.answered.wait()
            for call_id, handle in scene.handles.items():
                scene.statuses[call_id] = []
                watching.create_task(_watch(handle, scene.statuses[call_id]))

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Calls count."""
        return enough_calls(batches, samples)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """Counted at the server, at the carrier and in what the workflows said."""
        failures = Failures()
        calls = all_calls(batches)
        row = common(calls, control, questions, failures)
        extra = sum(batch.workflows_started - len(batch.calls) for batch in batches)
        placed = [call for call in calls if call.carrier_calls != 1]
        back = sum(judgement.regressions(call.statuses) for call in calls)
        unwatched = sum(not call.statuses for call in calls)
        failures.unless(extra == 0, f"{extra} workflows too many")
        failures.unless(
            not placed, f"{len(placed)} workflows with another number of calls than one"
        )
        failures.unless(back == 0, f"a status went back {back} times")
        failures.unless(unwatched == 0, f"{unwatched} calls whose status was not seen")
        row |= {
            "extra workflows": extra,
            "extra calls": sum(call.carrier_calls - 1 for call in calls),
            "statuses gone back": back,
        }
        return Verdict(rows=({"fault": self.name, **row},), failures=tuple(failures.found))


async def _watch(handle: Handle, statuses: list[str]) -> None:
    """Each status once, in the order in which the workflow said it."""
    async with asyncio.timeout(150):
        while True:
            try:
                snapshot = await handle.query(CallWorkflow.snapshot)
            except (RPCError, WorkflowQueryFailedError):
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            if not statuses or statuses[-1] != snapshot.carrier_status:
                statuses.append(snapshot.carrier_status)
            if snapshot.is_over:
                return
            await asyncio.sleep(LOOK_EVERY_S)
