"""The Temporal server is killed in mid-call and comes back a minute later, with what its file holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from chaos.batch import Scene
from chaos.fault import Control, Verdict, enough_calls, unnoticed
from chaos.questions import Questions
from chaos.seen import Batch

AWAY_S = 60.0


class TemporalAway:
    """Implements Fault."""

    name = "temporal-away"
    must = "the caller notices nothing; every turn lands afterwards, in order, once"
    webhooks_fault = ""

    async def strike(self, scene: Scene) -> None:
        """Once a batch."""
        await scene.moment(1, 15)
        at_s = time.monotonic()
        await scene.rig.temporal.kill()
        await asyncio.sleep(AWAY_S)
        await scene.rig.temporal.start()
        scene.struck("kill Temporal", at_s, time.monotonic())

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Calls count."""
        return enough_calls(batches, samples)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """Nobody noticed."""
        return unnoticed(self.name, batches, control, questions)
