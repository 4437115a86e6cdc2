"""Tomorrow's workflow, with one activity more: once as a careless change, once as a change that knows of calls in flight."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from workflows.call import CallWorkflow
    from workflows.contracts.payloads import ACTIVITIES_TASK_QUEUE, CallInput, CallResult

ONE_MORE = "one_more"
PATCH = "one-more-activity"


@activity.defn(name=ONE_MORE)
async def one_more() -> None:
    """What the change wants done."""


async def _one_more() -> None:
    await workflow.execute_activity(
        ONE_MORE,
        task_queue=ACTIVITIES_TASK_QUEUE,
        schedule_to_close_timeout=timedelta(seconds=10),
    )


@workflow.defn(name="CallWorkflow")
class Careless(CallWorkflow):
    """Changes what calls in flight have done already."""

    @workflow.init
    def __init__(self, call: CallInput) -> None:
        super().__init__(call)

    @workflow.run
    async def run(self, call: CallInput) -> CallResult:
        await _one_more()
        return await super().run(call)


@workflow.defn(name="CallWorkflow")
class Patched(CallWorkflow):
    """Changes only calls that begin from now on."""

    @workflow.init
    def __init__(self, call: CallInput) -> None:
        super().__init__(call)

    @workflow.run
    async def run(self, call: CallInput) -> CallResult:
        if workflow.patched(PATCH):
            await _one_more()
        return await super().run(call)
