"""The media socket: refuses strangers before any work, then carries messages between the carrier and one call's session."""

from __future__ import annotations

import asyncio
import time

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from media_gateway.errors import AttachRefused
from media_gateway.parts import GatewayParts
from media_gateway.session import CallSession
from media_gateway.twilio.messages import Connected, Inbound, MessageError, Start, parse_inbound
from workflows.contracts.payloads import AttachRequest
from workflows.script.parse import ScriptError, compiled_script

log = structlog.get_logger(__name__)
router = APIRouter()

HANDSHAKE_S = 5.0
"""From the upgrade to `start`. Until then we know neither call nor token."""
POLICY_VIOLATION = 1008
TRY_ELSEWHERE = 1013


@router.websocket("/media")
async def media(socket: WebSocket) -> None:
    """One media stream, from the upgrade to its end."""
    parts: GatewayParts = socket.app.state.parts
    if parts.sessions.is_draining:
        log.info("media_socket_refused", reason="this gateway is about to stop")
        await socket.close(TRY_ELSEWHERE)  # before accept: the carrier asks the webhook again
        return
    signature = socket.headers.get("X-Twilio-Signature", "")
    if not parts.signature.is_valid_handshake(socket.url.path, signature):
        log.warning("media_socket_refused", reason="handshake not signed by the carrier")
        await socket.close(POLICY_VIOLATION)  # before accept: the carrier sees HTTP 403
        return
    await socket.accept()
    try:
        start = await asyncio.wait_for(_start_of(socket, parts), HANDSHAKE_S)
        started_s = asyncio.get_running_loop().time()
    except (TimeoutError, WebSocketDisconnect):
        log.warning("media_socket_refused", reason="no `start` in time")
        await _close(socket, POLICY_VIOLATION)
        return
    call_id = start.custom_parameters.get("call_id", "")
    token = start.custom_parameters.get("token", "")
    nonce = parts.tokens.nonce(call_id, token, now_s=time.time())
    if nonce is None:
        log.warning("media_socket_refused", reason="no valid token", call_sid=start.call_sid)
        await _close(socket, POLICY_VIOLATION)
        return
    with structlog.contextvars.bound_contextvars(call_id=call_id, call_sid=start.call_sid):
        await _carry(socket, parts, call_id, nonce, start, started_s)


async def _carry(
    socket: WebSocket,
    parts: GatewayParts,
    call_id: str,
    nonce: str,
    start: Start,
    started_s: float,
) -> None:
    request = AttachRequest(
        gateway_id=parts.gateway_id,
        call_sid=start.call_sid,
        stream_sid=start.stream_sid,
        nonce=nonce,
    )
    try:
        attached = await parts.link.attach(call_id, request)
        # Compiled long ago, unless the call is pinned to a version that is not in this gateway's folder.
        script = await asyncio.to_thread(compiled_script, attached.script_yaml)
        session = CallSession(
            parts, call_id, start, attached, script, socket.send_text, started_s=started_s
        )
    except AttachRefused as error:
        log.warning("attach_refused", reason=str(error))
        await _close(socket, POLICY_VIOLATION)
        return
    except ScriptError:
        log.exception("script_refused")
        await _close(socket, POLICY_VIOLATION)
        return
    parts.sessions.add(session)
    reading = asyncio.create_task(_read(socket, parts, session), name=f"read {call_id}")
    try:
        await session.run()
    finally:
        parts.sessions.remove(session)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await _close(socket, 1000)


async def _read(socket: WebSocket, parts: GatewayParts, session: CallSession) -> None:
    """Feed the session until the socket closes. A bad message is logged and dropped, never more."""
    try:
        while True:
            message = _parse(await _text_of(socket), parts)
            if message is not None:
                session.receive(message)
    except (WebSocketDisconnect, RuntimeError):
        # RuntimeError: we closed the socket ourselves meanwhile.
        session.line_lost()
    except Exception:
        # A bug of ours. Nobody would hear the caller any more: the carrier's webhook takes the call up again.
        log.exception("reader_failed")
        session.line_lost()


async def _start_of(socket: WebSocket, parts: GatewayParts) -> Start:
    while True:
        message = _parse(await _text_of(socket), parts)
        if isinstance(message, Start):
            return message
        if message is not None and not isinstance(message, Connected):
            log.warning("message_before_start", kind=type(message).__name__)


async def _text_of(socket: WebSocket) -> str:
    """The next frame's text; a binary frame is empty text, which no message is."""
    frame = await socket.receive()
    if frame["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(frame.get("code", 1005))
    return frame.get("text") or ""


def _parse(text: str, parts: GatewayParts) -> Inbound | None:
    if len(text) > parts.longest_message_bytes:
        log.warning("message_dropped", reason="oversized", length=len(text))
        return None
    try:
        return parse_inbound(text)
    except MessageError as error:
        log.warning("message_dropped", reason=str(error))
        return None


async def _close(socket: WebSocket, code: int) -> None:
    try:
        await asyncio.wait_for(socket.close(code), 1.0)
    except (RuntimeError, TimeoutError, WebSocketDisconnect):
        # Already closed by the carrier, or its side does not answer: either way it is over.
        return
