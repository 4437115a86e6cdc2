"""`python -m rehearsal.vendors --port N`: the vendors' stand-ins on loopback, ready once `/health` answers."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import uvicorn
from fastapi import FastAPI

from media_gateway.knowledge.embedding import Embedder
from rehearsal.recogniser import LocalRecogniser
from rehearsal.vendors import cartesia, deepgram, openai
from rehearsal.vendors.script_reader import ScriptReader
from rehearsal.voice import LocalVoice


def create_app() -> FastAPI:
    """All three, their models loaded and warm. One thread a model: none of them may hold up the audio."""
    app = FastAPI(title="Callspine rehearsal vendors", openapi_url=None)
    app.state.recogniser = LocalRecogniser()
    app.state.voice = LocalVoice()
    app.state.reader = ScriptReader(Embedder())
    for name in ("recogniser", "voice", "reader"):
        setattr(app.state, f"{name}_thread", ThreadPoolExecutor(1, thread_name_prefix=name))
    app.state.recogniser.words(np.zeros(8000, dtype=np.float32))
    app.state.voice.say("Ready.")
    for vendor in (deepgram, cartesia, openai):
        app.include_router(vendor.router)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    uvicorn.run(
        create_app(),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
