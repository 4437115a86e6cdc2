"""`kill -9` of a worker in mid-call: with a second one beside it, and with none for 20 s."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from chaos.batch import Scene
from chaos.fault import Control, Verdict, enough_calls, unnoticed
from chaos.questions import Questions
from chaos.rig import WORKERS
from chaos.seen import Batch

RESTART_AFTER_S = 5.0
AWAY_S = 20.0


class WorkerKilled:
    """One of two, twice a batch, either of them. Implements Fault."""

    name = "worker-killed"
    must = "no turn's gap grows by more than 50 ms (median); every turn recorded once"
    webhooks_fault = ""

    async def strike(self, scene: Scene) -> None:
        """First one, later the other."""
        for name in scene.chance.sample(WORKERS, len(WORKERS)):
            await scene.moment(1, 14)
            at_s = await scene.rig.kill(name)
            await asyncio.sleep(RESTART_AFTER_S)
            await scene.rig.start(name)
            scene.struck(f"kill {name}", at_s, time.monotonic())

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Calls count."""
        return enough_calls(batches, samples)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """Nobody noticed."""
        return unnoticed(self.name, batches, control, questions)


class WorkersAway:
    """All of them, for 20 s. Implements Fault."""

    name = "workers-away"
    must = "no turn's gap grows by more than 50 ms (median); every turn recorded once"
    webhooks_fault = ""

    async def strike(self, scene: Scene) -> None:
        """Once a batch, before the first call ends."""
        await scene.moment(1, 20)
        at_s = await scene.rig.kill(*WORKERS)
        await asyncio.sleep(AWAY_S)
        await scene.rig.start(*WORKERS)
        scene.struck("kill all workers", at_s, time.monotonic())

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Calls count."""
        return enough_calls(batches, samples)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """Nobody noticed."""
        return unnoticed(self.name, batches, control, questions)
