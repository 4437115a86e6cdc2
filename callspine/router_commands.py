"""`callspine router`: turns with labels from a script, and the head that is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from callspine.scripts import read_script
from callspine.settings import PREFIX, SettingsError

app = typer.Typer(no_args_is_help=True, help="Which model answers a turn (docs/router.md).")


@app.command()
def examples(script: Annotated[Path, typer.Argument(help="A script's YAML file.")]) -> None:
    """Print a script's own turns, labelled by rule, a JSON object a line: to be corrected and added to."""
    from media_gateway.routing.labels import as_line, turns_of

    for turn in turns_of(read_script(script)):
        typer.echo(as_line(turn))


@app.command()
def train(
    file: Annotated[Path, typer.Argument(help="Labelled turns, a JSON object a line.")],
    out: Annotated[Path, typer.Option(help="Where the weights go.")] = Path("var/router.npz"),
    calibrate: Annotated[
        Path | None,
        typer.Option(help="Turns as they come in calls, one a line, unlabelled: for the share."),
    ] = None,
    strong_share: Annotated[
        float, typer.Option(min=0, max=1, help="Told beside the figures: its threshold.")
    ] = 0.25,
) -> None:
    """Train the head on labelled turns; say how well it does on turns that it had not seen."""
    import numpy as np

    from media_gateway.knowledge.embedding import Embedder
    from media_gateway.prefetch import plain_words
    from media_gateway.routing.head import Floats, features
    from media_gateway.routing.labels import STRONG, parse_turns
    from media_gateway.routing.training import fit

    embedder = Embedder()

    def prompts(texts: list[str]) -> Floats:
        plain = [plain_words(text) for text in texts]
        vectors = embedder.embed_many(plain)
        return np.stack([features(*pair) for pair in zip(vectors, plain, strict=True)])

    try:
        turns = parse_turns(file.read_text(encoding="utf-8"))
        logged = calibrate.read_text(encoding="utf-8").splitlines() if calibrate else []
        logged = [line for line in logged if line.strip()]
        fitted = fit(
            prompts([turn.words for turn in turns]),
            [turn.label == STRONG for turn in turns],
            [turn.group for turn in turns],
            prompts(logged) if logged else None,
        )
        out.parent.mkdir(parents=True, exist_ok=True)
        fitted.head.save(out)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SettingsError(f"{file}: {error}") from None
    console = Console(width=110)
    console.print(
        f"{fitted.turns} turns, {fitted.strong_turns} of them strong; on turns of groups that it had not seen: "
        f"AUC {fitted.auc:.3f} (their length alone: {fitted.auc_of_length:.3f}), {fitted.accuracy:.0%} right at even odds",
        highlight=False,
    )
    threshold = fitted.head.threshold(strong_share)
    console.print(
        f"{strong_share:.0%} of the {'logged' if logged else 'labelled'} turns are strong from {threshold:.3f} on",
        highlight=False,
    )
    console.print(f"written to {out}: set {PREFIX}ROUTER_MODEL to it", highlight=False)
