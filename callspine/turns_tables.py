"""What `callspine turns` prints: steps, differences, comparisons. No word of a caller's unless it is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from statistics import median
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from callspine.turn_differences import Comparison
from callspine.turn_replay import Retraced, cause_of
from callspine.turn_what_if import WhatIf
from media_gateway.flight.reading import Flight
from media_gateway.turns.types import Command, Event

MOST_SHOWN = 20
"""Differences: those that follow from the first are of little use."""


def print_steps(console: Console, flight: Flight, *, words: bool) -> None:
    """Each event, and the commands that answered it."""
    table = Table("ms", "", "what", "of it", box=None, pad_edge=False)
    for step in flight.steps:
        what = Text(cause_of(step), style="" if step.event is None else "cyan")
        table.add_row(str(step.now), "", what, _told(step.event, words=words))
        if step.commands is None:
            table.add_row("", "→", Text("no answer was recorded", style="red"), "")
        for command in step.commands or ():
            name = Text(type(command).__name__, style="bold")
            table.add_row("", "→", name, _told(command, words=words))
    console.print(table)


def print_retraced(console: Console, again: Retraced, *, same_rules: bool, words: bool) -> None:
    """Each step that went otherwise, with its time, what was recorded and what came."""
    for difference in again.differences[:MOST_SHOWN]:
        console.print(f"[red]line {difference.line}, {difference.now} ms, {difference.cause}[/]")
        console.print("  expected: ", _listed(difference.expected, words=words), sep="")
        console.print("  got:      ", _listed(difference.got, words=words), sep="")
        for note in difference.notes:
            console.print(f"  {escape(note)}")
    if len(again.differences) > MOST_SHOWN:
        console.print(f"… and {len(again.differences) - MOST_SHOWN} more")
    late = f"; the recorded loop was at most {again.latest_ms} ms late for a deadline"
    if again.differences:
        rules = "" if same_rules else " The machine's rules have changed since it was recorded."
        console.print(f"{len(again.differences)} of {again.steps} steps differ.{rules}")
    else:
        console.print(
            f"equal: {again.steps} steps, {again.commands} commands at the same times{late}"
        )


def _listed(commands: tuple[Command, ...], *, words: bool) -> Text:
    told = Text()
    for command in commands:
        told += Text("; " if told else "")
        told += Text(f"{type(command).__name__} ") + _told(command, words=words)
    return told or Text("nothing")


def print_comparison(console: Console, both: Comparison) -> None:
    """Pause by pause, and command by command."""
    table = Table("pause at", "answered after", "with the policy", "", box=None, pad_edge=False)
    for pause in both.pauses:
        note = ""
        if pause.cut_in_after and not pause.cut_in_before:
            note = "[red]a cut-in that was none[/]"
        elif pause.cut_in_before and not pause.cut_in_after:
            note = "[green]no cut-in any more[/]"
        elif pause.sooner_ms:
            way = "sooner" if pause.sooner_ms > 0 else "later"
            note = f"{abs(pause.sooner_ms)} ms {way}"
        went_on = "" if pause.resume is None else f", went on after {pause.resume - pause.stop} ms"
        table.add_row(
            f"{pause.stop} ms{went_on if note.endswith('[/]') else ''}",
            _ms(pause.before_ms),
            _ms(pause.after_ms),
            note,
        )
    console.print(table)
    sooner = [pause for pause in both.answered if (pause.sooner_ms or 0) > 0]
    later = [pause for pause in both.answered if (pause.sooner_ms or 0) < 0]
    console.print(
        f"answers in both runs: {len(both.answered)}, sooner {len(sooner)}, later {len(later)}, "
        f"median {both.median_sooner_ms or 0} ms sooner; cut-ins: {len(both.new_cut_ins)} new, "
        f"{len(both.spared_cut_ins)} spared"
    )
    counts = Table("command", "recorded", "with the policy", box=None, pad_edge=False)
    for name, (one, other) in both.commands.items():
        counts.add_row(name, str(one), str(other), style="bold" if one != other else "")
    console.print(counts)


def print_honesty(console: Console, would_be: WhatIf, check: Comparison) -> None:
    """What is recorded, what is assumed, and how far the method is off on the recorded policy."""
    off = [abs(pause.sooner_ms or 0) for pause in check.answered]
    missed = len(check.pauses) - len(check.answered)
    console.print(
        "Recorded: the caller's sounds, words, estimates and keys, at their times. Assumed: that he would have said the "
        "same; that the recogniser's words would have come when they came; that a held reply had all its audio, and goes "
        "on where it stopped; that a filler takes no time; deadlines met to the millisecond. "
        f"Of {would_be.replies} replies {would_be.replies_assumed} have a latency or a length that is not recorded "
        "(the median of the others, or at the latest when it was let out)."
    )
    console.print(
        f"Check: played anew with the recorded policy, {len(off)} answers are off by {max(off, default=0)} ms at most, "
        f"and {missed} fall in another pause. What differs by less says nothing."
    )
    for note in would_be.notes:
        console.print(f"[yellow]{escape(note)}[/]")


def _told(thing: Event | Command | None, *, words: bool) -> Text:
    """The fields of an event or command; text only on demand, for a caller's words and keys are nobody else's."""
    told = Text()
    for field in () if thing is None else fields(thing):
        value = getattr(thing, field.name)
        told += Text(f"{' ' if told else ''}{field.name}=", style="dim") + _value(
            value, words=words
        )
    return told


def _value(value: Any, *, words: bool) -> Text:
    if not isinstance(value, str):
        shown = f"{value:.3f}" if isinstance(value, float) else json.dumps(value)
        return Text(shown)
    if words:
        # A recogniser's text is not to steer the terminal.
        return Text('"' + "".join(c if c.isprintable() else "·" for c in value) + '"')
    count = len(value.split())
    return Text(f"({count} word{'' if count == 1 else 's'})", style="dim")


def _ms(value: int | None) -> str:
    return "–" if value is None else f"{value} ms"


def median_told(values: Sequence[int]) -> str:
    """For people."""
    return f"{int(median(values))} ms" if values else "none"
