"""What a fault is: how it strikes, how often is enough, and what must hold on the wire afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.report import Row, quantile
from chaos import judgement
from chaos.batch import Scene
from chaos.questions import Questions
from chaos.seen import Batch, CallSeen
from workflows.script.model import SlotValue


@dataclass(frozen=True, kw_only=True)
class Control:
    """Calls that nothing was done to, of the same run."""

    usual_ms: Mapping[str, float]
    """The median gap behind each of the caller's sentences."""
    growth_ms: tuple[float, ...]
    """How far calm turns themselves lie from that."""
    slots: Mapping[str, SlotValue]
    """What every call must end with."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was seen, and what of it should not be."""

    rows: tuple[Row, ...]
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Fault(Protocol):
    """One way to break the system under live calls."""

    name: str
    """On the command line."""
    must: str
    """What must hold."""
    webhooks_fault: str
    """The carrier's own fault, if it is part of this one."""

    async def strike(self, scene: Scene) -> None:
        """Do it, at random moments of the batch, and put right what does not heal by itself."""

    def is_enough(self, batches: Sequence[Batch], samples: int) -> bool:
        """Whether there are this many samples."""

    def verdict(self, batches: Sequence[Batch], control: Control, questions: Questions) -> Verdict:
        """Judge all batches."""


@dataclass
class Failures:
    """Collects what should not be."""

    found: list[str] = field(default_factory=list)

    def unless(self, holds: bool, text: str) -> None:
        """Write the text down when it does not hold."""
        if not holds:
            self.found.append(text)


def enough_calls(batches: Sequence[Batch], samples: int) -> bool:
    """As many calls as samples are wanted."""
    return sum(len(batch.calls) for batch in batches) >= samples


def all_calls(batches: Sequence[Batch]) -> list[CallSeen]:
    """Of every batch."""
    return [call for batch in batches for call in batch.calls]


def common(
    calls: Sequence[CallSeen], control: Control | None, questions: Questions, failures: Failures
) -> dict[str, str | int | float]:
    """The columns that every fault has, and the failures in them."""
    lost = [call for call in calls if not judgement.is_reached(call)]
    twice = [words for call in calls for words in judgement.asked_twice(call, questions)]
    gaps = [call for call in calls if judgement.has_gaps(call)]
    stale = sum(judgement.stale_accepted(call) for call in calls)
    changed = [
        call for call in calls if call not in lost and control and call.slots != control.slots
    ]
    failures.unless(not lost, f"{len(lost)} of {len(calls)} calls lost: {why_lost(lost)}")
    failures.unless(
        not twice, f"{len(twice)} questions asked again after their answer was recorded"
    )
    failures.unless(not gaps, f"{len(gaps)} calls whose turns have gaps or doubles")
    failures.unless(not stale, f"{stale} turns of a stream without the call were accepted")
    failures.unless(not changed, f"{len(changed)} calls ended with other slots than calm ones")
    return {
        "calls": len(calls),
        "lost": len(lost),
        "slots differ": len(changed),
        "asked twice": len(twice),
        "turn gaps": len(gaps),
    }


def why_lost(calls: Sequence[CallSeen]) -> str:
    """How lost calls ended, the most frequent first."""
    reasons: dict[str, int] = {}
    for call in calls:
        status = call.workflow_status.lower()
        reason = f"{call.outcome or status}" + (f" ({call.troubles[-1]})" if call.troubles else "")
        reasons[reason] = reasons.get(reason, 0) + 1
    ranked = sorted(reasons.items(), key=lambda item: -item[1])
    return "; ".join(f"{count} × {reason}" for reason, count in ranked)


def spread(values: Sequence[float]) -> dict[str, str | int | float]:
    """Median, p95 and worst, rounded; dashes where there is nothing."""
    if not values:
        return {"p50": "-", "p95": "-", "max": "-"}
    return {
        "p50": round(quantile(values, 0.5)),
        "p95": round(quantile(values, 0.95)),
        "max": round(max(values)),
    }


MOST_GROWTH_MS = 50.0


def unnoticed(
    fault: str, batches: Sequence[Batch], control: Control, questions: Questions
) -> Verdict:
    """For faults that a caller must not notice: every turn recorded once, no word lost, and no turn takes longer."""
    failures = Failures()
    calls = all_calls(batches)
    row = common(calls, control, questions, failures)
    lost = sum(judgement.words_lost(call) for call in calls)
    doubled = sum(judgement.words_doubled(call) for call in calls)
    failures.unless(not lost, f"{lost} words of callers are in no recorded turn")
    failures.unless(not doubled, f"{doubled} words were recorded that nobody said")
    grown, others = (
        [
            growth
            for batch in batches
            for call in batch.calls
            for growth in judgement.growth_ms(
                call, control.usual_ms, batch.strikes, struck=is_struck
            )
        ]
        for is_struck in (True, False)
    )
    failures.unless(bool(grown), "no turn fell into the fault")
    # What turns grew by that were not struck is the machine's, not the fault's.
    machine_ms = max(0.0, quantile(others, 0.5)) if others else 0.0
    if grown:
        median = quantile(grown, 0.5) - machine_ms
        failures.unless(
            median <= MOST_GROWTH_MS,
            f"turns took {median:.0f} ms longer at the median; {MOST_GROWTH_MS:.0f} are allowed",
        )
    figures = spread(grown)
    row |= {"words lost": lost, "turns struck": len(grown)}
    row |= {f"growth {name} ms": value for name, value in figures.items()}
    row |= {"growth of others p50 ms": spread(others)["p50"]}
    calm = spread(control.growth_ms)
    note = f"calm turns lie {calm['p50']} / {calm['p95']} / {calm['max']} ms (p50 / p95 / max) from their own median"
    return Verdict(rows=({"fault": fault, **row},), failures=tuple(failures.found), notes=(note,))
