"""Which webhook is the carrier's: a small form with a valid signature. Anything else is 403 before work is done for it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

import structlog
from fastapi import Depends, HTTPException, Request
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from media_gateway.parts import GatewayParts

log = structlog.get_logger(__name__)

LONGEST_FORM_BYTES = 64 * 1024
"""The carrier's forms are some forty short fields, 2 to 4 KB; whoever sends more is a stranger, and is not read on."""
MOST_FIELDS = 500
"""The signature's check looks every field up among all of them."""
_FORM = "application/x-www-form-urlencoded"


def parts_of(request: Request) -> GatewayParts:
    """The gateway's composition, set by `create_app`."""
    parts: GatewayParts = request.app.state.parts
    return parts


Parts = Annotated[GatewayParts, Depends(parts_of)]


async def signed_form(request: Request, parts: Parts) -> FormData:
    """The form of a request that the carrier signed. Raises 403 for any other, whatever is wrong with it."""
    try:
        return await _checked(request, parts)
    except _NotTheCarriersError as error:
        log.warning(
            "webhook_refused",
            path=request.url.path,
            reason=str(error),
            hint="CALLSPINE_PUBLIC_URL must be what the carrier calls, and the auth token the account's",
        )
        raise HTTPException(403, "not signed by the carrier") from None


Form = Annotated[FormData, Depends(signed_form)]


class _NotTheCarriersError(Exception):
    """Why a request is refused."""


async def _checked(request: Request, parts: GatewayParts) -> FormData:
    signature = request.headers.get("X-Twilio-Signature", "")
    if not signature:
        raise _NotTheCarriersError("signature missing")
    kind = request.headers.get("Content-Type", _FORM).partition(";")[0].strip().lower()
    if kind != _FORM:
        raise _NotTheCarriersError("not the carrier's kind of form")
    form = _parsed(await _body(request))
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if not parts.signature.is_valid_webhook(path, form, signature):
        raise _NotTheCarriersError("signature does not match")
    return form


async def _body(request: Request) -> bytes:
    """At most LONGEST_FORM_BYTES, whatever the header promises; a streamed body has no such header."""
    announced = request.headers.get("Content-Length", "0")
    if not announced.isdecimal() or int(announced[:12]) > LONGEST_FORM_BYTES:
        raise _NotTheCarriersError("longer than any form of the carrier")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > LONGEST_FORM_BYTES:
                raise _NotTheCarriersError("longer than any form of the carrier")
    except ClientDisconnect:
        raise _NotTheCarriersError("the sender left in the middle") from None
    return bytes(body)


def _parsed(body: bytes) -> FormData:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise _NotTheCarriersError("not a form") from None
    fields: list[tuple[str, UploadFile | str]] = [*pairs]
    return FormData(fields)
