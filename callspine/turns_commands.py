"""`callspine turns`: look into a recorded stream's turn-taking, run the machine on it again, try another policy on it."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from callspine.settings import SettingsError
from callspine.turn_differences import Comparison, compare, gaps_ms
from callspine.turn_policy_file import read_policy
from callspine.turn_replay import Retraced, cause_of, retrace
from callspine.turn_story import tell_story
from callspine.turn_what_if import WhatIf, what_if
from media_gateway.flight.reading import Flight, FlightUnreadable, read_flight
from media_gateway.flight.rules import rules_fingerprint
from media_gateway.turns.types import Command, Event, TurnPolicy

app = typer.Typer(no_args_is_help=True, help="Recorded turn-taking: show it, replay it.")
File = Annotated[Path, typer.Argument(help="A flight file of CALLSPINE_FLIGHT_DIR.")]
Words = Annotated[
    bool, typer.Option("--words", help="Show what was said and which keys were pressed.")
]
Partial = Annotated[
    bool, typer.Option("--partial", help="Use a damaged file as far as it can be read.")
]
MOST_SHOWN = 20
"""Differences: those that follow from the first are of little use."""


@app.command()
def show(file: File, *, words: Words = False, partial: Partial = False) -> None:
    """Print a stream's events and commands with their times."""
    flight = _read(file, partial=partial)
    console = _console()
    _about(console, flight)
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


@app.command()
def replay(
    file: File,
    *,
    policy: Annotated[
        Path | None,
        typer.Option(help="YAML of policy fields: show what that policy would have done."),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="PNG; with --policy by default beside the flight file.")
    ] = None,
    from_s: Annotated[float, typer.Option(min=0, help="Draw from this second on.")] = 0.0,
    to_s: Annotated[float | None, typer.Option(min=0, help="Draw up to this second.")] = None,
    words: Words = False,
    partial: Partial = False,
) -> None:
    """Run the turn machine again on a recorded stream: status 1 when it does not do what it did."""
    flight = _read(file, partial=partial)
    console = _console()
    _about(console, flight)
    same_rules = flight.header.rules == rules_fingerprint()
    again = retrace(flight, same_rules=same_rules)
    if policy is None:
        _print_retraced(console, again, same_rules=same_rules, words=words)
        if picture is not None:
            _draw(flight, again, None, picture, from_s, to_s)
            console.print(escape(f"picture: {picture}"), soft_wrap=True)
        raise typer.Exit(1 if again.differences else 0)
    other = read_policy(policy, flight.header.policy)
    if again.differences:
        console.print(
            f"[yellow]The machine of today does not do what was recorded ({len(again.differences)} differences): "
            "what follows mixes that with the policy. See `callspine turns replay` without --policy.[/]"
        )
    would_be = _try(console, flight, other)
    target = picture or file.with_name(f"{file.stem}.{policy.stem}.png")
    _draw(flight, again, (policy.stem, would_be), target, from_s, to_s)
    console.print(escape(f"picture: {target}"), soft_wrap=True)


# --- another policy --------------------------------------------------------------------------


def _try(console: Console, flight: Flight, other: TurnPolicy) -> WhatIf:
    recorded = tell_story(flight.steps)
    would_be = what_if(flight.steps, recorded, other)
    after = tell_story(would_be.steps)
    by_itself = tell_story(what_if(flight.steps, recorded, flight.header.policy).steps)
    changed = [
        f"{name} {old!r} → {new!r}"
        for (name, old), new in zip(
            asdict(flight.header.policy).items(), asdict(other).values(), strict=True
        )
        if old != new
    ]
    console.print(escape("policy: " + (", ".join(changed) or "as recorded")))
    _print_comparison(console, compare(recorded, after))
    before_ms, after_ms = (_median(gaps_ms(story)) for story in (recorded, after))
    console.print(
        f"caller's last sound → answer, median: {before_ms} recorded, {after_ms} with the policy"
    )
    _print_honesty(console, would_be, compare(recorded, by_itself))
    return would_be


def _print_comparison(console: Console, both: Comparison) -> None:
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


def _print_honesty(console: Console, would_be: WhatIf, check: Comparison) -> None:
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


def _draw(
    flight: Flight,
    again: Retraced,
    other: tuple[str, WhatIf] | None,
    path: Path,
    from_s: float,
    to_s: float | None,
) -> None:
    try:
        from callspine.turn_picture import Panel, draw
    except ImportError:
        raise SettingsError("a picture needs matplotlib: pip install 'callspine[local]'") from None
    story = tell_story(flight.steps)
    panels = [Panel(title="as recorded", story=story, floors=again.floors)]
    if other is not None:
        name, would_be = other
        panels.append(
            Panel(title=f"with {name}", story=tell_story(would_be.steps), floors=would_be.floors)
        )
    end_s = max(1.0, story.ended / 1000) if to_s is None else to_s
    if end_s <= from_s:
        raise SettingsError(f"--from-s {from_s} is not before --to-s {end_s}")
    title = f"call {flight.header.call_id}, epoch {flight.header.epoch}"
    try:
        draw(panels, path, title=title, start_s=from_s, end_s=end_s)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}") from None


# --- the same policy -------------------------------------------------------------------------


def _print_retraced(console: Console, again: Retraced, *, same_rules: bool, words: bool) -> None:
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


# --- reading and telling ---------------------------------------------------------------------


def _read(file: Path, *, partial: bool) -> Flight:
    try:
        flight = read_flight(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from None
    except FlightUnreadable as error:
        raise SettingsError(f"{file}: {error}") from None
    if flight.damage is not None and not partial:
        raise SettingsError(
            f"{file}:{flight.damage.line}: {flight.damage.reason}. "
            f"--partial uses the {len(flight.steps)} steps before it"
        )
    return flight


def _about(console: Console, flight: Flight) -> None:
    header = flight.header
    lines = [
        f"call {header.call_id}, epoch {header.epoch}, begun {header.begun}, "
        f"callspine {header.callspine}, rules {header.rules}"
    ]
    if flight.damage is not None:
        lines.append(f"read up to line {flight.damage.line}: {flight.damage.reason}")
    elif not flight.is_closed:
        lines.append(
            "it has no end: the call goes on, or its process was killed in the last second"
        )
    if flight.assumed:
        lines.append(f"its policy does not know {', '.join(flight.assumed)}: taken at the default")
    for line in lines:
        console.print(escape(line), soft_wrap=True)


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


def _median(values: Any) -> str:
    from statistics import median

    return f"{int(median(values))} ms" if values else "none"


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)
