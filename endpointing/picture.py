"""The curves: false cut-ins against mean delay, the model beside fixed timeouts."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from endpointing.curves import THRESHOLDS, TIMEOUTS, Floats, Pauses, of_model, of_timeout


def draw(
    drawn: dict[str, tuple[Pauses, Floats]], real: dict[str, tuple[Pauses, Floats]], path: Path
) -> None:
    """One panel a source of drawn pauses, and one for the real ones."""
    figure, axes = pyplot.subplots(2, 3, figsize=(15, 9), sharex=True, sharey=True)
    for axis, (name, (pauses, p)) in zip(axes.flat, drawn.items(), strict=False):
        _timeouts(axis, pauses)
        points = of_model(pauses, p, THRESHOLDS)
        axis.plot(
            [q.delay_s for q in points],
            [q.cut_ins for q in points],
            "o-",
            ms=3,
            label="model, words",
        )
        axis.set_title(f"{name} (drawn pauses)")
    axis = axes.flat[-1]
    for name, (pauses, p) in real.items():
        points = of_model(pauses, p, THRESHOLDS)
        axis.plot([q.delay_s for q in points], [q.cut_ins for q in points], "o-", ms=3, label=name)
    _timeouts(axis, next(iter(real.values()))[0])
    holds = int((~next(iter(real.values()))[0].is_end).sum())
    axis.set_title(f"AMI meetings (real, {holds} holds)")
    for axis in axes.flat:
        axis.set_xlabel("mean delay at ends, s")
        axis.set_ylabel("holds cut into")
        axis.set_xlim(0, 2)
        axis.set_ylim(0, 1)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _timeouts(axis: Axes, pauses: Pauses) -> None:
    points = of_timeout(pauses, TIMEOUTS)
    axis.plot(
        [q.delay_s for q in points], [q.cut_ins for q in points], "k--", label="fixed timeout"
    )
