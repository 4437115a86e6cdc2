"""Every gateway and every worker is killed at once, and started again a little later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chaos import judgement
from chaos.batch import Scene
from chaos.fault import Control, Failures, Verdict, all_calls, common, enough_calls
from chaos.faults.gateway_killed import break_row
from chaos.questions import Questions
from chaos.rig import GATEWAYS, WORKERS
from chaos.seen import Batch

MOST_DOWN_S = 3.0
"""Until they are started: with the start itself, within what a carrier waits for a webhook."""


class AllKilled:
    """Implements Fault."""

    name = "all-killed"
    must = "each call goes on when they are back, or is ended properly by its timer"
    webhooks_fault = ""

    async def strike(self, scene: Scene) -> None:
        """Once a batch."""
        await scene.moment(1, 35)
        scene.struck("kill all", await scene.rig.kill(*GATEWAYS, *WORKERS))
        await asyncio.sleep(scene.chance.uniform(0, MOST_DOWN_S))
        await scene.rig.start(*GATEWAYS, *WORKERS)

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Calls count."""
        return enough_calls(batches, samples)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """A call may be lost here, but never in the air."""
        ignored, failures = Failures(), Failures()
        calls = all_calls(batches)
        row = common(calls, control, questions, ignored)
        samples = [
            broken
            for batch in batches
            for call in batch.calls
            for broken in judgement.breaks(call, batch.strikes, questions)
        ]
        broken_row, _ = break_row(samples, questions)
        in_the_air = [call for call in calls if not judgement.ended_properly(call)]
        failures.found += [text for text in ignored.found if "calls lost" not in text]
        failures.unless(not in_the_air, f"{len(in_the_air)} calls never ended properly")
        resumed = [b for b in samples if b.audible_after_ms is not None]
        back = sum(judgement.keeps_stage(b, questions) for b in resumed)
        failures.unless(back == len(resumed), f"{len(resumed) - back} calls went on elsewhere")
        notes = tuple(text for text in ignored.found if "calls lost" in text)
        row |= {"ended properly": len(calls) - len(in_the_air)} | broken_row
        return Verdict(
            rows=({"fault": self.name, **row},), failures=tuple(failures.found), notes=notes
        )
