"""Who may read `/metrics`: whoever asks from this machine itself, or brings the token."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""A proxy on this machine asks from loopback, too, for whoever is behind it."""


def admit(request: Request, token: str) -> None:
    """Raise HTTPException for a stranger. `token` empty: there is none, and only this machine may ask."""
    given = request.headers.get("Authorization", "")
    if token and secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return
    if _is_here(request) and not any(name in request.headers for name in _FORWARDED):
        return
    if token:
        raise HTTPException(401, "the bearer token is not CALLSPINE_METRICS_TOKEN")
    raise HTTPException(403, "ask from this machine, or set CALLSPINE_METRICS_TOKEN")


def _is_here(request: Request) -> bool:
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def metrics_router(
    registry: CollectorRegistry,
    token: str,
    more: Callable[[], Awaitable[bytes]] | None = None,
) -> APIRouter:
    """`GET /metrics`. `more` is appended: the metrics of another registry, in the plain text form."""
    router = APIRouter()

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Plain text, or OpenMetrics where that is asked for."""
        admit(request, token)
        accepted = "" if more is not None else request.headers.get("Accept", "")
        encode, content_type = choose_encoder(accepted)
        body = encode(registry)
        if more is not None:
            body += await more()
        return Response(body, media_type=content_type)

    return router
