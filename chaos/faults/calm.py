"""No fault: the control. Every call must reach its outcome, and its gaps are what the others' are compared with."""

from __future__ import annotations

from collections.abc import Sequence

from chaos import judgement
from chaos.batch import Scene
from chaos.fault import Control, Failures, Verdict, all_calls, common, enough_calls, spread
from chaos.questions import Questions
from chaos.seen import Batch

LATE_TICK_MS = 150.0
"""A line's clock later than this says that the machine is too small for the batch: what it shows is not the system."""


class Calm:
    """Implements Fault."""

    name = "calm"
    must = "every call reaches its outcome"
    webhooks_fault = ""

    async def strike(self, scene: Scene) -> None:
        """Nothing."""

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Calls count."""
        return enough_calls(batches, samples)

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """All of them, every word recorded once."""
        failures = Failures()
        calls = all_calls(batches)
        row = common(calls, control, questions, failures)
        words = sum(judgement.words_lost(c) + judgement.words_doubled(c) for c in calls)
        failures.unless(not words, f"{words} words lost or doubled")
        gaps = [gap.ms for call in calls for gap in judgement.gaps_of(call)]
        latest_ms = max(call.latest_tick_ms for call in calls)
        failures.unless(
            latest_ms <= LATE_TICK_MS,
            f"the line's clock was {latest_ms:.0f} ms late: run smaller batches (--batch)",
        )
        row |= {f"turn {name} ms": value for name, value in spread(gaps).items()}
        row |= {
            "latest tick ms": round(latest_ms),
            "stalled ms": sum(line.stalled_ms for call in calls for line in call.lines),
            "CPU %": round(100 * max(batch.cpu_share for batch in batches)),
        }
        return Verdict(rows=({"fault": self.name, **row},), failures=tuple(failures.found))


def control_of(batches: Sequence[Batch]) -> Control:
    """What the calm calls are to the others."""
    calls = all_calls(batches)
    usual = judgement.usual_gaps(calls)
    reached = [call for call in calls if judgement.is_reached(call)]
    return Control(
        usual_ms=usual,
        growth_ms=tuple(
            ms for call in calls for ms in judgement.growth_ms(call, usual, struck=False)
        ),
        slots=reached[0].slots if reached else {},
    )
