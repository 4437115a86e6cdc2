"""`python -m rehearsal.vendors --port N`: the vendors' stand-ins on loopback, ready once `/health` answers."""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import uvicorn
from fastapi import FastAPI

from media_gateway.knowledge.embedding import Embedder
from rehearsal.ear import LookupRecogniser, PhraseBook
from rehearsal.shelf import Shelf
from rehearsal.vendors import cartesia, deepgram, openai
from rehearsal.vendors.deepgram import Recogniser
from rehearsal.vendors.script_reader import ScriptReader
from rehearsal.voice import LocalVoice


def create_app(voices: Path | None = None) -> FastAPI:
    """All three, their models loaded and warm. One thread a model: none of them may hold up the audio.

    With a folder of voices the recogniser is a light one, which knows what the caller's voice has said there by its
    sound: a model of speech for each of many calls is more than a small machine has.
    """
    app = FastAPI(title="Callspine rehearsal vendors", openapi_url=None)
    app.state.recogniser = _recogniser(voices)
    app.state.voice = LocalVoice(shelf=Shelf(voices / "agent") if voices else None)
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


def _recogniser(voices: Path | None) -> Recogniser:
    if voices is not None:
        return LookupRecogniser(PhraseBook(Shelf(voices / "caller").news))
    from rehearsal.recogniser import LocalRecogniser

    return LocalRecogniser()


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument(
        "--voices", type=Path, help="where voices keep what they said; makes the recogniser light"
    )
    options = parser.parse_args()
    uvicorn.run(
        create_app(options.voices),
        host="127.0.0.1",
        port=options.port,
        log_level="warning",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()
