"""`python -m bench.under_test gateway|linked|relay`: what is measured, in a process of its own.

`gateway` is the production gateway, adapters and all, on a link that attaches every call and keeps nothing: turns are
told to Temporal off the spoken path. `linked` is the same with its real link: Temporal, and the outbox on disk. `relay`
is the peer: the same sockets and HTTP, and nothing in between.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from callspine.settings import load_settings


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
        uvloop.run(serve_with(settings, link))
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
