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
from rehearsal.carrier import api, recordings_api
from rehearsal.carrier.call import UNRULY_WEBHOOKS, CarrierContext
from rehearsal.ear import PhraseBook
from rehearsal.shelf import Shelf
from rehearsal.timeline import Timeline, TimelineError, load_timeline

FAULTS = ("", "ignore-clear", "mute-opening", UNRULY_WEBHOOKS)


def create_app(
    *,
    account_sid: str,
    auth_token: str,
    timeline: Timeline,
    caller_voice: Callable[[str], Samples],
    out: Path,
    fault: str = "",
    agent_phrases: PhraseBook | None = None,
) -> FastAPI:
    """A carrier with one kind of caller at every number."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # A connection of its own for every webhook: what Twilio does with a pooled one that just died is not documented.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(limits=limits) as http:
            context = CarrierContext(
                account_sid=account_sid,
                auth_token=auth_token,
                http=http,
                timeline=timeline,
                caller_voice=caller_voice,
                out=out,
                fault=fault,
                agent_phrases=agent_phrases or PhraseBook(),
            )
            app.state.exchange = api.Exchange(context)
            yield
            await app.state.exchange.close()

    app = FastAPI(title="Callspine rehearsal carrier", lifespan=lifespan, openapi_url=None)
    app.include_router(api.router)
    app.include_router(recordings_api.router)
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
    parser.add_argument(
        "--voices",
        type=Path,
        help="where voices keep what they said; a caller with replies needs it",
    )
    options = parser.parse_args()
    try:
        timeline = load_timeline(options.caller)
    except TimelineError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if timeline.replies and options.voices is None:
        sys.stderr.write(f"{options.caller} has replies: --voices must say where the agent's are\n")
        return 2
    from rehearsal.voice import LocalVoice

    shelf = Shelf(options.voices / "caller") if options.voices else None
    voice = LocalVoice(pitch=timeline.pitch, shelf=shelf)
    for sentence in sorted(timeline.sentences()):
        voice.say(sentence)  # made now, so that the line's clock never waits for it
    app = create_app(
        account_sid=options.account_sid,
        auth_token=options.auth_token,
        timeline=timeline,
        caller_voice=voice.say,
        out=options.out,
        fault=options.fault,
        agent_phrases=PhraseBook(Shelf(options.voices / "agent").news) if options.voices else None,
    )
    uvicorn.run(
        app, host="127.0.0.1", port=options.port, log_level="warning", timeout_graceful_shutdown=8
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
