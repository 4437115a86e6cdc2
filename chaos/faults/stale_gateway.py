"""A gateway is frozen and cut off until another has its calls; then it wakes, knows nothing of that, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from chaos import judgement
from chaos.batch import Scene
from chaos.fault import Control, Failures, Verdict, all_calls, common, enough_calls
from chaos.faults.gateway_killed import break_row
from chaos.questions import Questions
from chaos.seen import Batch

MOVED_WITHIN_S = 10.0
STALE_FOR_S = 20.0
"""Long enough for its silence lines: turns that it opens by itself."""


class StaleGateway:
    """Implements Fault."""

    name = "stale-gateway"
    must = "none of the turns of the gateway that lost the call is accepted"
    webhooks_fault = ""

    async def strike(self, scene: Scene) -> None:
        """Once a batch: frozen, noticed by the balancer, its clients cut off; awake once they are elsewhere."""
        rig = scene.rig
        await scene.moment(1, 20)
        name = rig.busiest_gateway()
        port = rig.gateway_ports[name]
        at_s = asyncio.get_running_loop().time()
        rig.freeze(name)
        while rig.balancer.is_healthy(port):
            await asyncio.sleep(0.05)
        cut = rig.balancer.partition(port)
        scene.struck(f"freeze {name}", at_s, asyncio.get_running_loop().time())
        (other,) = (p for p in rig.gateway_ports.values() if p != port)
        try:
            async with asyncio.timeout(MOVED_WITHIN_S):
                while rig.balancer.connections(other) < cut:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass  # what did not move is judged on the wire
        await asyncio.sleep(scene.chance.uniform(0, 2))
        rig.thaw(name)
        await asyncio.sleep(STALE_FOR_S)
        rig.balancer.heal_partitions()

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Calls count."""
        return enough_calls(batches, samples)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """Whatever the stale one said came to nothing."""
        failures = Failures()
        calls = all_calls(batches)
        row = common(calls, control, questions, failures)
        sent = sum(judgement.stale_sent(call) for call in calls)
        failures.unless(sent > 0, "the stale gateway sent nothing: the fault did not happen")
        samples = [
            broken
            for batch in batches
            for call in batch.calls
            # The stream ends when the balancer gives the gateway up.
            for broken in judgement.breaks(call, [s.at_end() for s in batch.strikes], questions)
        ]
        broken_row, _ = break_row(samples, questions)
        row |= broken_row | {
            "stale turns sent": sent,
            "stale accepted": sum(judgement.stale_accepted(call) for call in calls),
        }
        return Verdict(rows=({"fault": self.name, **row},), failures=tuple(failures.found))
