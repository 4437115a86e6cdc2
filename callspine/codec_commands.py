"""`callspine codec`: make a key, serve the Temporal UI and CLI."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from callspine.settings import Settings, SettingsError, load_settings

app = typer.Typer(no_args_is_help=True, help="Encryption of what Temporal holds.")


@app.command("new-key")
def new_key(
    key_id: Annotated[
        str, typer.Option("--id", help="The key's name; stands in clear in all that it encrypts.")
    ] = "",
) -> None:
    """Print a fresh `id:key` for CALLSPINE_CODEC_KEYS. It is shown once and kept nowhere."""
    from callspine.privacy.keys import new_key as make

    try:
        typer.echo(make(key_id or f"k{datetime.now(UTC):%Y%m%d}"))
    except ValueError as error:
        raise SettingsError(f"--id {key_id!r}: {error}") from None


@app.command()
def serve() -> None:
    """Run the codec server: the Temporal UI and CLI show words through it."""
    from callspine.logs import configure

    configure("codec")
    asyncio.run(_serve(load_settings()))


async def _serve(settings: Settings) -> None:
    import uvicorn

    from callspine.connect import payload_codec
    from callspine.ports import refuse_busy_port
    from callspine.privacy.codec_server import create_app, require_safe_host

    require_safe_host(settings)
    refuse_busy_port(settings.codec_host, settings.codec_port, "CALLSPINE_CODEC_PORT")
    config = uvicorn.Config(
        create_app(settings, payload_codec(settings)),
        host=settings.codec_host,
        port=settings.codec_port,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    await uvicorn.Server(config).serve()
