"""PURE. The table: a row a figure with its target, a column a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.report import quantile
from bench.turns.evidence import Answered, Judged, SpokenOver
from bench.turns.record import Kind

DEAD_AIR_MS = 3000


@dataclass(kw_only=True)
class Result:
    """What came of one run."""

    name: str
    judged: list[Judged] = field(default_factory=list)
    ledger: list[int | None] = field(default_factory=list)
    """Of each interrupted reply: words claimed less words heard; None where they cannot be told."""
    model_requests: int = 0
    replies_heard: int = 0
    """Of the model's replies, those of which a word at least was heard."""
    turns: int = 0
    """Of callers, that wanted an answer."""
    faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cores: float = 0.0
    """In use meanwhile, by everybody on the machine: figures under another load are no figures."""

    @property
    def answers(self) -> list[Answered]:
        """Of all calls."""
        return [answer for judged in self.judged for answer in judged.answers]

    @property
    def spoken_over(self) -> list[SpokenOver]:
        """Of all calls."""
        return [over for judged in self.judged for over in judged.spoken_over]


Figure = Callable[[Result], str]


def table(results: Sequence[Result]) -> list[dict[str, str]]:
    """Rows for the report."""
    return [
        {"figure": name, "target": target, **{r.name: figure(r) for r in results}}
        for name, target, figure in FIGURES
    ]


def _latency(result: Result) -> str:
    return _spread([a.latency_ms for a in result.answers if a.latency_ms is not None])


def _late(result: Result) -> str:
    measured = [a.latency_ms for a in result.answers if a.latency_ms is not None]
    return f"{sum(ms > DEAD_AIR_MS for ms in measured)} of {len(measured)}"


def _dead(result: Result) -> str:
    waits = [a for a in result.answers if not a.talked_over]
    dead = [a for a in waits if a.latency_ms is None or a.latency_ms > DEAD_AIR_MS]
    by_fault: dict[str, int] = {}
    for answer in dead:
        name = answer.act.fault or "none"
        by_fault[name] = by_fault.get(name, 0) + 1
    why = ", ".join(f"{name} {count}" for name, count in sorted(by_fault.items()))
    return f"{len(dead)} of {len(waits)}" + (f" ({why})" if dead and result.faults else "")


def _clear(result: Result) -> str:
    clears = [i.clear_ms for j in result.judged for i in j.interruptions if i.clear_ms is not None]
    return _spread(clears)


def _no_clear(result: Result) -> str:
    found = [i for j in result.judged for i in j.interruptions]
    return f"{sum(i.clear_ms is None for i in found)} of {len(found)}"


def _heard_after(result: Result) -> str:
    return _spread([i.heard_after_ms for j in result.judged for i in j.interruptions])


def _cut(is_whole: bool | None) -> Figure:
    def figure(result: Result) -> str:
        cut = [
            is_cut
            for answer in result.answers
            for is_cut, whole in zip(answer.pauses_cut, answer.act.pauses_whole, strict=True)
            if is_whole is None or whole is is_whole
        ]
        share = f" ({100 * sum(cut) / len(cut):.0f} %)" if cut else ""
        return f"{sum(cut)} of {len(cut)}{share}"

    return figure


def _over_the_caller(result: Result) -> str:
    over = [a for a in result.answers if a.talked_over and not any(a.pauses_cut)]
    return f"{len(over)} of {len(result.answers)}"


def _lost(kind: Kind) -> Figure:
    def figure(result: Result) -> str:
        over = [o for o in result.spoken_over if o.act.kind is kind]
        return f"{sum(not o.is_whole for o in over)} of {len(over)}"

    return figure


def _stopped(kind: Kind) -> Figure:
    def figure(result: Result) -> str:
        over = [o for o in result.spoken_over if o.act.kind is kind]
        return f"{sum(o.gap_ms > 0 or not o.is_whole for o in over)} of {len(over)}"

    return figure


def _resumed(result: Result) -> str:
    return _spread([o.resumed_ms for o in result.spoken_over if o.resumed_ms is not None])


def _repeated(result: Result) -> str:
    return _spread([o.repeated_ms for o in result.spoken_over if o.gap_ms])


def _ledger(result: Result) -> str:
    errors = [abs(error) for error in result.ledger if error is not None]
    if not errors:
        return "–"
    worst = f"p95 {quantile(errors, 0.95)}, most {max(errors)}"
    unknown = sum(error is None for error in result.ledger)
    rest = f", {unknown} not told apart" if unknown else ""
    return f"{worst}, exact {sum(e == 0 for e in errors)} of {len(errors)}{rest}"


def _wasted(result: Result) -> str:
    """Requests of whose reply nothing was heard, by turns of callers."""
    wasted = result.model_requests - result.replies_heard
    return f"{wasted / result.turns:.2f} a turn" if result.turns else "–"


def _uncalled(result: Result) -> str:
    return str(sum(judged.uncalled_clears for judged in result.judged))


def _size(result: Result) -> str:
    return f"{len(result.answers)} in {len(result.judged)} calls"


def _faults(result: Result) -> str:
    return ", ".join(f"{n} {count}" for n, count in sorted(result.faults.items()) if count) or "–"


def _spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    return f"{quantile(values, 0.5):.0f} / {quantile(values, 0.95):.0f} (n {len(values)})"


FIGURES: tuple[tuple[str, str, Figure], ...] = (
    ("caller's answers", "", _size),
    ("last sound → agent's first audio, p50 / p95 ms", "600 / 900; openers 350 / 700", _latency),
    ("of these later than 3 s", "0", _late),
    ("first sound over the agent → clear, p50 / p95 ms", "130 / 200", _clear),
    ("interruptions without a clear", "0", _no_clear),
    ("agent heard after that sound, p50 / p95 ms", "p95 200", _heard_after),
    ("pauses in mid-sentence cut", "5 %", _cut(None)),
    ("  after a hesitation or a function word", "", _cut(False)),
    ("  after words that could have been the end", "", _cut(True)),
    ("agent began over the caller, in no pause", "0", _over_the_caller),
    ("replies lost to a backchannel", "0", _lost(Kind.BACKCHANNEL)),
    ("  stopped by it, for good or not", "", _stopped(Kind.BACKCHANNEL)),
    ("replies lost to a noise", "0", _lost(Kind.NOISE)),
    ("  stopped by it, for good or not", "", _stopped(Kind.NOISE)),
    ("end of that sound → the reply again, p50 / p95 ms", "decision + 300", _resumed),
    ("said twice then, p50 / p95 ms", "part of a word", _repeated),
    ("clear without any sound", "0", _uncalled),
    ("heard-ledger's error after an interruption, words", "0; no word times: p95 1", _ledger),
    ("dead air over 3 s after a caller's turn", "0", _dead),
    ("faults", "", _faults),
    ("cores in use, all of the machine", "", lambda result: f"{result.cores:.2f}"),
    ("model requests that came to nothing", "0.6 a turn", _wasted),
)
