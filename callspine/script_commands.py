"""`callspine script`: check a script, draw it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from callspine.scripts import read_script
from callspine.settings import SettingsError
from media_gateway.knowledge.passages import read_folder
from workflows.script.compiled import COMPILED_STAGES
from workflows.script.graph import dot, mermaid

app = typer.Typer(no_args_is_help=True, help="Check and draw scripts.")
File = Annotated[Path, typer.Argument(help="A script's YAML file.")]


@app.command()
def check(file: File) -> None:
    """Say whether a script can be used; every problem with its line and remedy."""
    script = read_script(file)
    passages = 0
    if script.knowledge:
        try:
            passages = len(read_folder(file.parent / script.knowledge))
        except FileNotFoundError as error:
            raise SettingsError(f"{file}: {error}: create it, or remove `knowledge`") from None
    authored = [name for name in script.stages if name not in COMPILED_STAGES]
    slots = [name for name in script.slots if name != "call_back_when"]
    Console().print(
        f"{file}: good. {len(authored)} stages, {len(slots)} slots, "
        f"{len(script.objections)} objections, {passages} passages\n{script.content_hash}",
        highlight=False,
        soft_wrap=True,
    )


@app.command()
def graph(
    file: File,
    svg: Annotated[
        Path | None, typer.Option(help="Write an SVG here instead; needs Graphviz's `dot`.")
    ] = None,
) -> None:
    """Print a script as a Mermaid flowchart, or draw it."""
    script = read_script(file)
    if svg is None:
        typer.echo(mermaid(script), nl=False)
        return
    program = shutil.which("dot")
    if program is None:
        raise SettingsError("Graphviz is not installed: install it, or leave --svg out for Mermaid")
    drawn = subprocess.run(
        [program, "-Tsvg"], input=dot(script).encode(), capture_output=True, check=False
    )
    if drawn.returncode != 0:
        raise SettingsError(f"Graphviz failed: {drawn.stderr.decode(errors='replace').strip()}")
    svg.write_bytes(drawn.stdout)
    typer.echo(f"{svg}")
