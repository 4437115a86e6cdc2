"""The gateway's web application: webhooks, the media socket and a health check."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response

from media_gateway import media_socket, webhooks
from media_gateway.failover.speech_to_text import FailoverSpeechToText
from media_gateway.parts import GatewayParts


def create_app(parts: GatewayParts) -> FastAPI:
    """The application around its parts. Its shutdown delivers what Temporal has not acknowledged, then closes vendors."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await parts.link.close()
        await parts.lines.close()
        if parts.openers is not None:
            parts.openers.close()
        parts.ears.close()
        await parts.voice.close()
        if isinstance(parts.recogniser, FailoverSpeechToText):
            await parts.recogniser.close()
        for knowledge in parts.knowledge.values():
            await knowledge.close()

    app = FastAPI(title="Callspine media gateway", lifespan=lifespan, openapi_url=None)
    app.state.parts = parts
    app.include_router(webhooks.router)
    app.include_router(media_socket.router)
    for page in parts.pages:
        app.include_router(page)

    @app.get("/health")
    async def health(response: Response) -> dict[str, str | int]:
        """503 once it is to stop: a balancer sends nothing new here."""
        if parts.sessions.is_leaving:
            response.status_code = 503
        return {
            "status": "draining" if parts.sessions.is_leaving else "ok",
            "gateway": parts.gateway_id,
            "calls": len(parts.sessions),
            "outbox": parts.link.depth,
            "outbox_oldest_s": round(parts.link.oldest_age_s),
            **parts.sessions.totals.as_fields(),
            **parts.ears.counts.as_fields(),
        }

    return app
