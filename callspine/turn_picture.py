"""Draws a stream's turn-taking: who was heard when, who had the floor, what was commanded; one run or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.patches import Patch

from callspine.turn_story import Story
from media_gateway.turns.types import Floor, Ms

CALLER, FAINT, AGENT, AHEAD = "#3b6fb6", "#b9cde6", "#3a9d6a", "#e0b04c"
_FLOORS = {
    Floor.OPEN: "#f2f4f6",
    Floor.CALLER: "#a9c4e8",
    Floor.PAUSE: "#dbe6f4",
    Floor.THINKING: "#f3e3bd",
    Floor.AGENT: "#b5dcc6",
    Floor.OVERLAP: "#e9a59a",
    Floor.ENDED: "#9aa5b1",
}
_MARKED = {
    "BeginReply": ("begin", "#8f6bb3"),
    "CommitReply": ("commit", "#3a9d6a"),
    "DropReply": ("drop", "#c8442f"),
    "PauseReply": ("pause", "#d98a3d"),
    "ResumeReply": ("resume", "#3b6fb6"),
    "InterruptReply": ("interrupt", "#c8442f"),
    "FallBack": ("fallback", "#9c5221"),
    "PlayFiller": ("filler", "#9c5221"),
    "PromptCaller": ("prompt", "#8f6bb3"),
    "PressKey": ("key", "#8f6bb3"),
    "ObeyOrder": ("order", "#8f6bb3"),
    "HandOver": ("hand over", "#444444"),
    "HangUp": ("hang up", "#444444"),
}
_COMMANDS, _CALLER, _AGENT, _FLOOR = 3, 2, 1, 0
INCHES_PER_S, MOST_INCHES = 0.9, 160.0
"""Wider ones no viewer opens: an hour is drawn small, or in parts."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One run."""

    title: str
    story: Story
    floors: Sequence[tuple[Ms, Floor]]


def draw(panels: Sequence[Panel], path: Path, *, title: str, start_s: float, end_s: float) -> None:
    """Write a PNG of the stream's seconds from `start_s` to `end_s`, the runs one above the other. No word is in it."""
    width = min(MOST_INCHES, max(12.0, INCHES_PER_S * (end_s - start_s)))
    figure, rows = plt.subplots(
        len(panels),
        1,
        figsize=(width, 3.1 * len(panels) + 0.8),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    figure.suptitle(title, fontsize=12)
    for axes, panel in zip(rows[:, 0], panels, strict=True):
        _draw_run(axes, panel, start_s, end_s)
    rows[-1, 0].set_xlabel("seconds since the media stream's start")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=6, fontsize=8)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _draw_run(axes: Axes, panel: Panel, start_s: float, end_s: float) -> None:
    story = panel.story
    for is_faint, colour in ((False, CALLER), (True, FAINT)):
        spans = [(s.start, s.end) for s in story.sounds if s.is_faint is is_faint]
        axes.broken_barh(_bars(spans), (_CALLER - 0.3, 0.6), facecolors=colour)
    for reply in story.replies:
        axes.broken_barh(_bars(reply.spans), (_AGENT - 0.3, 0.6), facecolors=AGENT)
        if reply.is_ahead:
            until = reply.committed or reply.ended or story.ended
            made = _bars([(reply.opened, until)])
            axes.broken_barh(made, (_AGENT - 0.38, 0.08), facecolors=AHEAD)
    ends = [at for at, _ in panel.floors[1:]] + [story.ended]
    for (since, floor), until in zip(panel.floors, ends, strict=True):
        axes.broken_barh(_bars([(since, until)]), (_FLOOR - 0.3, 0.6), facecolors=_FLOORS[floor])
    shown = 0
    for at, command in story.commands:
        label, colour = _MARKED.get(type(command).__name__, ("", ""))
        if not label or not start_s <= at / 1000 <= end_s:
            continue
        axes.axvline(at / 1000, color=colour, linewidth=0.8, alpha=0.7)
        axes.text(
            at / 1000, _COMMANDS - 0.35 + 0.24 * (shown % 4), f" {label}", color=colour, fontsize=7
        )
        shown += 1
    axes.set_yticks([_FLOOR, _AGENT, _CALLER, _COMMANDS], ["floor", "agent", "caller", ""])
    axes.set_ylim(-0.5, _COMMANDS + 0.75)
    axes.set_xlim(start_s, end_s)
    axes.grid(axis="x", color="#e3e7eb", zorder=-1)
    axes.set_axisbelow(True)
    axes.set_title(panel.title, loc="left", fontsize=10)


def _bars(spans: Sequence[tuple[Ms, Ms]]) -> list[tuple[float, float]]:
    """As matplotlib wants them: (start, width). A span of no length is still seen."""
    return [(start / 1000, max(0.01, (end - start) / 1000)) for start, end in spans]


def _legend() -> list[Patch]:
    named = [
        (CALLER, "caller heard"),
        (FAINT, "faint"),
        (AGENT, "agent heard"),
        (AHEAD, "answer made ahead"),
    ]
    floors = [(colour, f"floor: {floor.value}") for floor, colour in _FLOORS.items()]
    return [Patch(facecolor=colour, label=label) for colour, label in (*named, *floors)]
