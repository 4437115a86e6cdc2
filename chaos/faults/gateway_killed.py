"""`kill -9` of the gateway that carries the calls, three times a batch: each call is struck wherever it is just then."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from bench.report import quantile
from chaos import judgement
from chaos.batch import Scene
from chaos.fault import Control, Failures, Verdict, all_calls, common, spread
from chaos.judgement import Break, Phase
from chaos.questions import Questions
from chaos.seen import Batch, CallSeen, Strike

MOST_SILENCE_MS = 3000.0
"""From the crash to the agent's next sound, for 95 of 100."""
RESTART_AFTER_S = 6.0
"""So that the dead gateway's start does not take the machine from the one that takes over."""
MOST_BATCHES = 4
WINDOWS_S = ((1.0, 12.0), (3.0, 12.0), (3.0, 12.0))
"""Each kill's moment, from the end of the one before."""


class GatewayKilled:
    """Implements Fault."""

    name = "gateway-killed"
    must = (
        "same stage, every slot, nothing asked twice, no call lost; audible again within 3 s (p95)"
    )
    webhooks_fault = ""

    async def strike(self, scene: Scene) -> None:
        """The gateway with most connections, each time."""
        for window in WINDOWS_S:
            await scene.moment(*window)
            name = scene.rig.busiest_gateway()
            scene.struck(f"kill {name}", await scene.rig.kill(name))
            await asyncio.sleep(RESTART_AFTER_S)
            await scene.rig.start(name)

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """As many in each phase of a turn; the rarest decides."""
        found = [judgement.phase_at(c, c.since_answer_ms(s.at_s)) for c, s in _struck(batches)]
        return len(batches) >= MOST_BATCHES or all(found.count(p) >= samples for p in Phase)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """By phase, then over all."""
        failures = Failures()
        calls = all_calls(batches)
        found = [
            broken
            for batch in batches
            for call in batch.calls
            for broken in judgement.breaks(call, batch.strikes, questions)
        ]
        whole = common(calls, control, questions, failures)
        by_id = {call.call_id: call for call in calls}
        rows = []
        for phase in Phase:
            samples = [broken for broken in found if broken.phase is phase]
            row, silent = break_row(samples, questions)
            lost = {b.call_id for b in samples if not judgement.is_reached(by_id[b.call_id])}
            failures.unless(
                row["stage kept"] == row["samples"],
                f"{phase}: {row['stage kept']} of {row['samples']} went on where the caller was",
            )
            if silent:
                p95 = quantile(silent, 0.95)
                failures.unless(
                    p95 <= MOST_SILENCE_MS,
                    f"{phase}: audible again after {p95:.0f} ms (p95)",
                )
            rows.append({"fault": f"{self.name}: {phase}", **row, "in lost calls": len(lost)})
        notes = ", ".join(f"{name} {value}" for name, value in whole.items())
        return Verdict(rows=tuple(rows), failures=tuple(failures.found), notes=(notes,))


def break_row(
    samples: Sequence[Break], questions: Questions
) -> tuple[dict[str, str | int | float], list[float]]:
    """The columns of calls whose stream was broken, and how long each was silent."""
    silent = [b.audible_after_ms for b in samples if b.audible_after_ms is not None]
    row: dict[str, str | int | float] = {
        "samples": len(samples),
        "stage kept": sum(judgement.keeps_stage(broken, questions) for broken in samples),
        "never audible": sum(b.audible_after_ms is None and not b.was_over for b in samples),
    }
    row |= {f"audible {name} ms": value for name, value in spread(silent).items()}
    asked = [b.asked_after_ms for b in samples if b.asked_after_ms is not None]
    row |= {f"asked {name} ms": value for name, value in spread(asked).items()}
    return row, silent


def _struck(batches: Sequence[Batch]) -> Iterator[tuple[CallSeen, Strike]]:
    """Each call with each strike that fell into it."""
    for batch in batches:
        for call in batch.calls:
            for strike in batch.strikes:
                if (
                    call.answered_at_s is not None
                    and 0 < call.since_answer_ms(strike.at_s) < call.ended_ms
                ):
                    yield call, strike
