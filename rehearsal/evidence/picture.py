"""Draws a call: who made sound when, the stages, the interruptions, and what each turn's gap was made of."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import Patch

from rehearsal.evidence.report import Case, TurnEvidence
from workflows.contracts.payloads import TurnTimings

CALLER, AGENT, CUT = "#3b6fb6", "#3a9d6a", "#c8442f"
_STEPS = (
    ("end of turn", "end_of_turn", "#9aa5b1"),
    ("first token", "first_token", "#e0b04c"),
    ("first words", "first_words", "#d98a3d"),
    ("first audio", "first_audio", "#8f6bb3"),
    ("sent", "first_audio_sent", "#3a9d6a"),
)


def draw_timeline(case: Case, path: Path) -> None:
    """Write a PNG."""
    seconds = case.wire.duration_ms / 1000
    figure, (line, gaps) = plt.subplots(
        2, 1, figsize=(max(12, seconds / 5), 7.5), height_ratios=(3, 2), layout="constrained"
    )
    figure.suptitle(
        f"{case.script.title}: {case.result.outcome.value}, {seconds:.0f} s", fontsize=13
    )
    _draw_line(line, case, seconds)
    _draw_gaps(gaps, case)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_line(axes: Axes, case: Case, seconds: float) -> None:
    for row, speaker, colour in ((1, "caller", CALLER), (0, "agent", AGENT)):
        bars = [
            (sound.start_ms / 1000, sound.length_ms / 1000)
            for spoken in case.spoken
            if spoken.utterance.speaker == speaker
            for sound in spoken.utterance.sounds
        ]
        axes.broken_barh(bars, (row - 0.3, 0.6), facecolors=colour)
    murmurs = [
        (sound.start_ms / 1000, sound.length_ms / 1000)
        for spoken in case.murmurs
        for sound in spoken.utterance.sounds
    ]
    axes.broken_barh(murmurs, (0.7, 0.6), facecolors=CALLER, alpha=0.45)
    _draw_stages(axes, case, seconds)
    for event in case.wire.of_kind("clear"):
        if event.t_ms is not None:
            axes.axvline(event.t_ms / 1000, color=CUT, linewidth=1.5)
            word = " paused" if _is_murmured(case, event.t_ms) else " interrupted"
            axes.text(event.t_ms / 1000, 1.38, word, color=CUT, fontsize=8, va="center")
    for turn in case.turns:
        if turn.caller is not None and turn.gap_ms is not None:
            middle = turn.caller.utterance.span.end_ms / 1000 + turn.gap_ms / 2000
            axes.text(middle, 0.5, f"{turn.gap_ms}", fontsize=8, ha="center", va="center")
    axes.set_yticks([0, 1], ["agent", "caller"])
    axes.set_ylim(-0.5, 1.95)
    axes.set_xlim(0, seconds)
    axes.set_xlabel(
        "seconds since the answer; numbers: gap in ms from the caller's last sound on the line"
    )


def _is_murmured(case: Case, t_ms: float) -> bool:
    spans = [spoken.utterance.span for spoken in case.murmurs]
    return any(span.start_ms - 500 <= t_ms <= span.end_ms + 500 for span in spans)


def _draw_stages(axes: Axes, case: Case, seconds: float) -> None:
    starts: list[tuple[float, str]] = []
    for turn in case.turns:
        if turn.agent is not None and (not starts or starts[-1][1] != turn.record.stage):
            starts.append((turn.agent.utterance.span.start_ms / 1000, turn.record.stage))
    ends = [start for start, _ in starts[1:]] + [seconds]
    for number, ((start, stage), end) in enumerate(zip(starts, ends, strict=True)):
        axes.axvspan(start, end, color="#eef1f4" if number % 2 else "#dfe5ea", zorder=-1)
        height = 1.72 if number % 2 else 1.5
        axes.text(start, height, f" {stage}", fontsize=9, va="center")


def _draw_gaps(axes: Axes, case: Case) -> None:
    turns = [turn for turn in case.turns if turn.caller is not None and turn.agent is not None]
    longest = max((turn.record.timings.first_audio_sent or 0 for turn in turns), default=0)
    axes.set_xlim(0, 1.3 * max(500, longest))
    for position, turn in enumerate(turns):
        reached = 0
        for _, field, colour in _STEPS:
            at = _step(turn.record.timings, field)
            if at is None or at <= reached:
                continue
            axes.barh(position, at - reached, left=reached, color=colour, height=0.6)
            reached = at
        axes.text(reached + 10, position, _note(turn), fontsize=8, va="center", clip_on=True)
    axes.set_yticks(range(len(turns)), [str(turn.record.seq) for turn in turns])
    axes.invert_yaxis()
    axes.set_xlabel("ms since the caller's last sound, as the gateway measured it")
    axes.set_ylabel("turn")
    axes.legend(
        handles=[Patch(color=colour, label=f"until {label}") for label, _, colour in _STEPS],
        fontsize=8,
        loc="lower right",
    )


def _step(timings: TurnTimings, name: str) -> int | None:
    value: int | None = getattr(timings, name)
    return value


def _note(turn: TurnEvidence) -> str:
    return f"{turn.record.move or turn.record.kind.value} → {turn.record.stage}"
