"""SIGTERM to the gateway that carries the calls: it hands them over at a turn's boundary, and is gone within its bound."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from chaos import judgement
from chaos.batch import Scene
from chaos.fault import Control, Failures, Verdict, all_calls, common, enough_calls, spread
from chaos.questions import Questions
from chaos.seen import Batch

BOUND_S = 30.0
"""What an orchestrator allows by default before it kills."""
KILLED = -1.0
PAUSE_S = 4.0


class Sigterm:
    """Implements Fault."""

    name = "sigterm"
    must = "no word lost, no line cut, no call lost; the process gone within 30 s"
    webhooks_fault = ""

    async def strike(self, scene: Scene) -> None:
        """Twice a batch, as a rolling deployment does."""
        for _ in range(2):
            await scene.moment(1, 8)
            name = scene.rig.busiest_gateway()
            at_s = time.monotonic()
            gone_s = await scene.rig.terminate(name, BOUND_S)
            scene.struck(f"SIGTERM {name}", at_s, time.monotonic())
            scene.note("gone after s", KILLED if gone_s is None else gone_s)
            await scene.rig.start(name)
            await asyncio.sleep(PAUSE_S)

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Calls count."""
        return enough_calls(batches, samples)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """On the wire, and by the process's own end."""
        failures = Failures()
        calls = all_calls(batches)
        row = common(calls, control, questions, failures)
        lost = sum(judgement.words_lost(call) for call in calls)
        cut = [line for b in batches for c in b.calls for line in judgement.cut_lines(c, b.strikes)]
        gone_s = [s for batch in batches for s in batch.notes.get("gone after s", [])]
        failures.unless(not lost, f"{lost} words of callers are in no recorded turn")
        failures.unless(not cut, f"{len(cut)} lines of the agent were cut: {cut[:3]}")
        failures.unless(KILLED not in gone_s, f"a gateway was not gone after {BOUND_S:.0f} s")
        row |= {"words lost": lost, "lines cut": len(cut)}
        row |= {
            f"gone {name} ms": value for name, value in spread([s * 1000 for s in gone_s]).items()
        }
        return Verdict(rows=({"fault": self.name, **row},), failures=tuple(failures.found))
