"""`callspine endpointing`: our own end-of-turn model, taught by your own calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from callspine.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="The end-of-turn model.")
console = Console(highlight=False, width=120)


@app.callback()
def _group() -> None:
    """The end-of-turn model."""


@app.command("learn")
def learn_from(
    folder: Annotated[
        Path,
        typer.Argument(
            help="8 kHz recordings: NAME.wav, caller on the first channel and agent on the second; "
            "or NAME.caller.wav and NAME.agent.wav."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Where the learned model goes.")] = Path(
        "var/endpointing/learned"
    ),
    anyway: Annotated[bool, typer.Option(help="Write it even if it does not win.")] = False,
) -> None:
    """Retrain on recorded calls: whether the same caller went on, or the agent answered, labels each pause."""
    try:
        from endpointing.data import DataMissing
        from endpointing.learn import DELAYS_S, learn
    except ImportError as error:
        raise SettingsError(
            f"{error.name} is missing: pip install 'callspine[endpointing]', in a checkout of the sources"
        ) from error
    try:
        lesson = learn(folder, console.print, out=out, anyway=anyway)
    except DataMissing as error:
        raise SettingsError(str(error)) from error
    console.print(f"{lesson.calls} calls, {lesson.holds} holds, {lesson.ends} ends")
    for delay, mine, present, timeout in zip(
        DELAYS_S, lesson.learned_cuts, lesson.present_cuts, lesson.timeout_cuts, strict=True
    ):
        console.print(
            f"cut into at a mean delay of {delay} s: learned {mine:.0%}, present model {present:.0%}, timeout {timeout:.0%}"
        )
    change, low, high = (100 * part for part in lesson.gain)
    verdict = "it wins" if lesson.wins else "no win: the interval does not lie below zero"
    console.print(
        f"learned less present: {change:+.1f} points [{low:+.1f}, {high:+.1f}]: {verdict}"
    )
    if lesson.files:
        console.print(f"written to {out}")
