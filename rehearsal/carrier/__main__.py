"""`python -m rehearsal.carrier`: the carrier's stand-in on loopback, ready once `/witness` answers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from rehearsal.audio import Samples
from rehearsal.carrier import api
from rehearsal.carrier.call import CarrierContext
from rehearsal.timeline import Timeline, TimelineError, load_timeline

FAULTS = ("", "ignore-clear", "mute-opening")


def create_app(
    *,
    account_sid: str,
    auth_token: str,
    timeline: Timeline,
    caller_voice: Callable[[str], Samples],
    out: Path,
    fault: str = "",
) -> FastAPI:
    """A carrier with one kind of caller at every number."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient() as http:
            context = CarrierContext(
                account_sid=account_sid,
                auth_token=auth_token,
                http=http,
                timeline=timeline,
                caller_voice=caller_voice,
                out=out,
                fault=fault,
            )
            app.state.exchange = api.Exchange(context)
            yield
            await app.state.exchange.close()

    app = FastAPI(title="Callspine rehearsal carrier", lifespan=lifespan, openapi_url=None)
    app.include_router(api.router)
    return app


def main() -> int:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--account-sid", required=True)
    parser.add_argument("--auth-token", required=True)
    parser.add_argument("--caller", type=Path, required=True, help="a time line, YAML")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fault", choices=FAULTS, default="")
    options = parser.parse_args()
    try:
        timeline = load_timeline(options.caller)
    except TimelineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    from rehearsal.voice import LocalVoice

    voice = LocalVoice(pitch=timeline.pitch)
    for sentence in sorted(timeline.sentences()):
        voice.say(sentence)  # made now, so that the line's clock never waits for it
    app = create_app(
        account_sid=options.account_sid,
        auth_token=options.auth_token,
        timeline=timeline,
        caller_voice=voice.say,
        out=options.out,
        fault=options.fault,
    )
    uvicorn.run(
        app, host="127.0.0.1", port=options.port, log_level="warning", timeout_graceful_shutdown=8
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
