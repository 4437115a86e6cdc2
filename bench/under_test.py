"""`python -m bench.under_test gateway|linked|relay`: what is measured, in a process of its own.

`gateway` is the production gateway, adapters and all, on a link that attaches every call and keeps nothing: turns are
told to Temporal off the spoken path. `linked` is the same with its real link: Temporal, and the outbox on disk. `relay`
is the peer: the same sockets and HTTP, and nothing in between.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from callspine.settings import load_settings


async def _watched(serving: Coroutine[Any, Any, bool]) -> None:
    """Serve, with the probes that the environment asks for."""
    from bench.density.probe import PartSampler, watch_lags

    if parts := os.environ.get("CALLSPINE_BENCH_PARTS"):
        PartSampler(Path(parts)).begin()
    lags = os.environ.get("CALLSPINE_BENCH_LAGS")
    watching = asyncio.create_task(watch_lags(Path(lags))) if lags else None
    try:
        await serving
    finally:
        if watching is not None:
            watching.cancel()


def main() -> int:
    """Serve until told to stop."""
    settings = load_settings()
    if sys.argv[1:] == ["gateway"]:
        import uvloop

        from bench.no_link import NoLink
        from callspine.gateway import serve_with
        from callspine.logs import configure

        configure("gateway", level=30)
        heard = os.environ.get("CALLSPINE_BENCH_HEARD")
        link = NoLink(
            settings.scripts_dir / "solar_consult.yaml", heard=Path(heard) if heard else None
        )
        uvloop.run(_watched(serve_with(settings, link)))
        return 0
    if sys.argv[1:] == ["linked"]:
        from callspine.gateway import run
        from callspine.logs import configure

        configure("gateway", level=50)  # that Temporal is away is meant
        run(settings)
        return 0
    if sys.argv[1:] == ["relay"]:
        from bench.relay import serve

        serve(settings)
        return 0
    sys.stderr.write("usage: python -m bench.under_test gateway|linked|relay\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
