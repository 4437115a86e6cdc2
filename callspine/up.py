"""`callspine up`: the whole system on this machine until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal

from rich.console import Console

from callspine.settings import Settings, base_url
from callspine.system import codec_endpoint, running_system, wanted_stand_ins


async def up(settings: Settings, console: Console) -> None:
    """Start everything, say where to look, stop cleanly on SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console.print("Starting Temporal, the stand-ins, a worker and a gateway ...")
    async with running_system(settings) as system:
        stand_ins = ", ".join(sorted(wanted_stand_ins(settings))) or "none"
        console.print(
            f"\n[bold green]Callspine is up.[/] Stand-ins: {stand_ins}.\n"
            f"  Temporal UI   {system.ui_url}\n"
            f"  Gateway       {base_url(system.settings.public_url)}"
            "  (a number's voice webhook: /twilio/voice, status changes: /twilio/status)\n"
            f"  Logs          {settings.var_dir / 'log'}\n"
            "  Place a call  .venv/bin/callspine call start --to +12125550142\n"
            "Ctrl-C stops everything.",
            highlight=False,
        )
        if endpoint := codec_endpoint(system.settings):
            console.print(f"The Temporal UI reads words through {endpoint}.", highlight=False)
        watching = asyncio.create_task(system.supervisor.watch())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
        finally:
            watching.cancel()
            stopping.cancel()
        console.print("Stopping ...")
    console.print("Stopped.")
