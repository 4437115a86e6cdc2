"""The codec server: who may have payloads of the Temporal UI and CLI encoded and decoded, over HTTP.

The protocol is Temporal's: `POST /encode` and `POST /decode` with JSON `Payloads`, the namespace in `X-Namespace`.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec
from temporalio.service import RPCError

from callspine.privacy.codec import CodecError
from callspine.settings import Settings, SettingsError

LONGEST_BODY_BYTES = 16 << 20
"""Temporal refuses a request above 4 MB; a page of history in base64 is a few of them."""
Work = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]


def ui_origins(settings: Settings) -> list[str]:
    """The origins whose pages may read answers."""
    if settings.codec_ui_origin:
        return [settings.codec_ui_origin.rstrip("/")]
    port = settings.temporal_ui_port
    return [f"http://127.0.0.1:{port}", f"http://localhost:{port}"]


def require_safe_host(settings: Settings) -> None:
    """Refuse to serve plain words to a network without a token. Raises SettingsError."""
    if _is_loopback(settings.codec_host) or settings.codec_token.get_secret_value():
        return
    raise SettingsError(
        f"CALLSPINE_CODEC_HOST is {settings.codec_host}, which others can reach: set CALLSPINE_CODEC_TOKEN, "
        "or listen on 127.0.0.1 behind a proxy that asks who they are"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def create_app(settings: Settings, codec: PayloadCodec) -> FastAPI:
    """The server's app."""
    app = FastAPI(title="Callspine codec server", docs_url=None, redoc_url=None, openapi_url=None)
    origins = ui_origins(settings)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["POST"],
        allow_headers=["Content-Type", "X-Namespace", "Authorization"],
    )
    token = settings.codec_token.get_secret_value()

    def admit(request: Request) -> None:
        # A page on another site can send a form here without asking first: CORS alone only hides the answer.
        origin = request.headers.get("Origin")
        if origin is not None and origin not in origins:
            raise HTTPException(403, f"{origin} is not CALLSPINE_CODEC_UI_ORIGIN")
        given = request.headers.get("Authorization", "")
        if token and not secrets.compare_digest(given.encode(), f"Bearer {token}".encode()):
            raise HTTPException(401, "the bearer token is not CALLSPINE_CODEC_TOKEN")
        namespace = request.headers.get("X-Namespace", settings.temporal_namespace)
        if namespace != settings.temporal_namespace:
            raise HTTPException(
                400, f"this codec server is for the namespace {settings.temporal_namespace}"
            )

    async def answer(request: Request, work: Work) -> Response:
        admit(request)
        payloads = _read(await _body(request))
        try:
            worked = await work(payloads)
        except (CodecError, RPCError) as error:
            raise HTTPException(422, str(error)) from None
        text = json_format.MessageToJson(Payloads(payloads=worked), indent=None)
        return Response(text, media_type="application/json")

    @app.post("/encode")
    async def encode(request: Request) -> Response:
        return await answer(request, codec.encode)

    @app.post("/decode")
    async def decode(request: Request) -> Response:
        return await answer(request, codec.decode)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app


async def _body(request: Request) -> bytes:
    """The body. Raises HTTPException for one that is too long, before it is all here."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY_BYTES:
            raise HTTPException(413, f"more than {LONGEST_BODY_BYTES} bytes")
    return bytes(body)


def _read(body: bytes) -> Sequence[Payload]:
    try:
        return json_format.Parse(body, Payloads()).payloads
    except (json_format.ParseError, UnicodeDecodeError):
        # Without the parser's message: it may quote the body.
        raise HTTPException(
            400, "the body is not the JSON of temporal.api.common.v1.Payloads"
        ) from None
