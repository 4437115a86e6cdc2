"""`callspine turns`: look into a recorded stream's turn-taking, run the machine on it again, try another policy on it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from callspine.settings import SettingsError
from callspine.turn_differences import compare, gaps_ms
from callspine.turn_policy_file import read_policy
from callspine.turn_replay import Retraced, retrace
from callspine.turn_story import tell_story
from callspine.turn_what_if import WhatIf, what_if
from callspine.turns_tables import (
    median_told,
    print_comparison,
    print_honesty,
    print_retraced,
    print_steps,
)
from media_gateway.flight.reading import Flight, FlightUnreadable, read_flight
from media_gateway.flight.rules import rules_fingerprint
from media_gateway.turns.types import TurnPolicy

app = typer.Typer(no_args_is_help=True, help="Recorded turn-taking: show it, replay it.")
File = Annotated[Path, typer.Argument(help="A flight file of CALLSPINE_FLIGHT_DIR.")]
Words = Annotated[
    bool, typer.Option("--words", help="Show what was said and which keys were pressed.")
]
Partial = Annotated[
    bool, typer.Option("--partial", help="Use a damaged file as far as it can be read.")
]


@app.command()
def show(file: File, *, words: Words = False, partial: Partial = False) -> None:
    """Print a stream's events and commands with their times."""
    flight = _read(file, partial=partial)
    console = _console()
    _about(console, flight)
    print_steps(console, flight, words=words)


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
        print_retraced(console, again, same_rules=same_rules, words=words)
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
    print_comparison(console, compare(recorded, after))
    before_ms, after_ms = (median_told(gaps_ms(story)) for story in (recorded, after))
    console.print(
        f"caller's last sound → answer, median: {before_ms} recorded, {after_ms} with the policy"
    )
    print_honesty(console, would_be, compare(recorded, by_itself))
    return would_be


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


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=160)
