"""`callspine knowledge`: fill the store of passages, look into it, take a script's out."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from callspine.scripts import usable_scripts
from callspine.settings import PREFIX, Settings, SettingsError, base_url, load_settings
from media_gateway.knowledge.errors import KnowledgeError, KnowledgeMissing

if TYPE_CHECKING:  # qdrant-client takes a second to import: not for `callspine --help`
    from media_gateway.knowledge.collection import PassageCollection
    from media_gateway.knowledge.ingest import Ingested
    from media_gateway.ports import Passage

app = typer.Typer(no_args_is_help=True, help="The passages that answers are made from.")
T = TypeVar("T")
ScriptId = Annotated[str, typer.Argument(help="A script's id.")]


@app.command()
def ingest(
    folder: Annotated[Path, typer.Argument(help="Markdown, text, HTML and PDF files.")],
    script: Annotated[
        str, typer.Option(help="Whose they are; without it, of the scripts that name the folder.")
    ] = "",
) -> None:
    """Bring the store in line with a folder: new and changed documents in, gone ones out.

    Run it again after any change, and after an ingest that was broken off. Status 1 when a file could not be read.
    """
    settings = load_settings()
    scripts = [script] if script else _scripts_of(settings, folder)
    if not folder.is_dir():
        raise SettingsError(f"{folder} is not a folder: name the one that holds the documents")
    console = Console()
    if script and script not in {
        one.script_id for one in usable_scripts(settings.scripts_dir).values()
    }:
        console.print(
            f"no script in {settings.scripts_dir} has the id {script}: nobody will quote these passages "
            f"until one has (see {PREFIX}SCRIPTS_DIR)",
            highlight=False,
            soft_wrap=True,
        )
    bad = 0
    for script_id in scripts:
        done = _told(_ingest(settings, script_id, folder, console))
        bad += len(done.bad)
    if bad:
        raise typer.Exit(1)


@app.command("list")
def list_passages() -> None:
    """Which scripts have how many passages in the store."""
    settings = load_settings()
    table = Table("script", "passages", title=f"\n{_place(settings)}", title_justify="left")
    for script_id, count in sorted(_told(_scripts(settings)).items()):
        table.add_row(script_id, str(count))
    Console().print(table)


@app.command()
def search(
    script: ScriptId,
    words: Annotated[str, typer.Argument(help="What a caller might say.")],
    limit: Annotated[int, typer.Option(min=1, help="Most passages.")] = 3,
) -> None:
    """Show what the agent would be given for a caller's words, whatever the stage."""
    table = Table("score", "source", "text")
    for passage in _told(_search(load_settings(), script, words, limit)):
        table.add_row(f"{passage.score:.2f}", passage.source, passage.text)
    Console().print(table)


@app.command()
def forget(script: ScriptId) -> None:
    """Delete all passages of a script from the store. Its documents stay, and can be ingested again."""
    Console().print(f"{_told(_forget(load_settings(), script))} passages of {script} deleted")


def _scripts_of(settings: Settings, folder: Path) -> list[str]:
    found = [
        script.script_id
        for path, script in usable_scripts(settings.scripts_dir).items()
        if script.knowledge and (path.parent / script.knowledge).resolve() == folder.resolve()
    ]
    if not found:
        raise SettingsError(
            f"no script in {settings.scripts_dir} has `knowledge: {folder.name}`: "
            f"say whose passages these are with --script, or set {PREFIX}SCRIPTS_DIR"
        )
    return found


def _place(settings: Settings) -> str:
    return base_url(settings.qdrant_url) if settings.qdrant_url else str(settings.knowledge_dir)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[PassageCollection]:
    """The store, for one writer of this machine at a time; the gateways hear of it afterwards."""
    from media_gateway.knowledge import clients
    from media_gateway.knowledge.ingest import only_ingest

    if settings.qdrant_url is None:
        async with clients.local_collection(settings.knowledge_dir) as local:
            yield local
        return
    with only_ingest(settings.knowledge_dir):
        key = settings.qdrant_api_key.get_secret_value() or None
        server = clients.server_collection(base_url(settings.qdrant_url), key)
        try:
            yield server
        finally:
            await server.close()


async def _ingest(settings: Settings, script_id: str, folder: Path, console: Console) -> Ingested:
    from media_gateway.knowledge.clients import mark_changed
    from media_gateway.knowledge.embedding import Embedder
    from media_gateway.knowledge.ingest import Progress as Step
    from media_gateway.knowledge.ingest import ingest as run

    began_s = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"reading {folder}", total=None)

        def told(step: Step) -> None:
            bar.update(task, description=step.document, completed=step.done, total=step.total)

        async with _opened(settings) as collection:
            try:
                done = await run(
                    collection,
                    script_id=script_id,
                    folder=folder,
                    embedder=Embedder(threads=os.cpu_count() or 1),
                    told=told,
                )
            finally:
                if settings.qdrant_url is None:
                    mark_changed(settings.knowledge_dir)
    for file in done.bad:
        console.print(f"not read: {folder / file.name}: {file.reason}", highlight=False)
    console.print(
        f"{script_id} in {_place(settings)}: {done.passages} passages; {len(done.written)} documents "
        f"written, {len(done.unchanged)} unchanged, {len(done.gone)} deleted, {len(done.bad)} not "
        f"read; {time.monotonic() - began_s:.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    return done


async def _scripts(settings: Settings) -> dict[str, int]:
    async with _opened(settings) as collection:
        await collection.check()
        return await collection.scripts()


async def _search(
    settings: Settings, script_id: str, words: str, limit: int
) -> tuple[Passage, ...]:
    from media_gateway.knowledge.embedding import Embedder

    vector = await Embedder().embed(words)
    async with _opened(settings) as collection:
        await collection.check()
        return await collection.find(script_id, vector, limit=limit, within=None)


async def _forget(settings: Settings, script_id: str) -> int:
    from media_gateway.knowledge.clients import mark_changed

    async with _opened(settings) as collection:
        await collection.check()
        points = await collection.stored(script_id)
        await collection.remove([point.point_id for point in points])
    if settings.qdrant_url is None:
        mark_changed(settings.knowledge_dir)
    return len(points)


def _told(work: Coroutine[Any, Any, T]) -> T:
    """Run it; what is wrong with the store is one clear message."""
    try:
        return asyncio.run(work)
    except KnowledgeMissing:
        raise SettingsError("the store is empty: run `callspine knowledge ingest DIR`") from None
    except KnowledgeError as error:
        raise SettingsError(str(error)) from None
