"""PURE. Twilio's Media Streams messages: JSON text to typed messages and back. Facts: Twilio's websocket-messages page."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import NoReturn


class MessageError(ValueError):
    """A message that cannot be used. Says why, and never repeats what it held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The first message; knows neither call nor stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The stream's beginning, once."""

    stream_sid: str
    call_sid: str
    account_sid: str
    custom_parameters: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFrame:
    """Inbound audio, usually 20 ms."""

    mulaw: bytes
    timestamp_ms: int
    """Stream time of its first sample."""
    chunk: int
    """Its number in the stream, from 1."""
    stream_sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dtmf:
    """A key press."""

    digit: str
    stream_sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkEchoed:
    """Everything queued before the mark was played, or cleared: the two look the same on the wire."""

    name: str
    stream_sid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The stream or the call ended."""

    stream_sid: str


Inbound = Connected | Start | MediaFrame | Dtmf | MarkEchoed | Stop

LARGEST_PAYLOAD_BYTES = 16_000
"""Two seconds in one message; more is not a telephone's audio."""


def parse_inbound(text: str) -> Inbound:
    """Parse one message of the carrier. Raises MessageError."""
    try:
        message = json.loads(text)
    except ValueError:
        _refuse("not JSON")
    except RecursionError:
        _refuse("nested too deeply")
    if not isinstance(message, dict):
        _refuse("not an object")
    match message.get("event"):
        case "connected":
            return Connected()
        case "start":
            return _start(_part(message, "start"))
        case "media":
            return _media(_part(message, "media"), _stream_sid(message))
        case "dtmf":
            digit = _text(_part(message, "dtmf"), "digit")
            if digit not in set("0123456789*#ABCD"):
                _refuse("dtmf.digit is no key")
            return Dtmf(digit=digit, stream_sid=_stream_sid(message))
        case "mark":
            name = _text(_part(message, "mark"), "name")
            return MarkEchoed(name=name, stream_sid=_stream_sid(message))
        case "stop":
            return Stop(stream_sid=_stream_sid(message))
        case _:
            _refuse("unknown event")


def media_message(stream_sid: str, mulaw: bytes) -> str:
    """Audio to play: raw mu-law, no header, any length."""
    payload = base64.b64encode(mulaw).decode()
    return f'{{"event":"media","streamSid":"{stream_sid}","media":{{"payload":"{payload}"}}}}'


def mark_message(stream_sid: str, name: str) -> str:
    """Ask to be told when everything sent so far was played."""
    return json.dumps({"event": "mark", "streamSid": stream_sid, "mark": {"name": name}})


def clear_message(stream_sid: str) -> str:
    """Drop everything that is queued; every pending mark comes back at once."""
    return json.dumps({"event": "clear", "streamSid": stream_sid})


def _start(part: dict[str, object]) -> Start:
    stream_sid = _text(part, "streamSid")
    if not stream_sid.isalnum():
        _refuse("start.streamSid is not an id")
    parameters = part.get("customParameters", {})
    if not isinstance(parameters, dict):
        _refuse("start.customParameters is not an object")
    media = part.get("mediaFormat", {})
    if isinstance(media, dict) and media.get("encoding", "audio/x-mulaw") != "audio/x-mulaw":
        _refuse("start.mediaFormat is not audio/x-mulaw")
    return Start(
        stream_sid=stream_sid,
        call_sid=_text(part, "callSid"),
        account_sid=_text(part, "accountSid"),
        custom_parameters={str(key): str(value) for key, value in parameters.items()},
    )


def _stream_sid(message: dict[str, object]) -> str:
    """Every message of a started stream names it; empty where one does not."""
    value = message.get("streamSid", "")
    return value if isinstance(value, str) else ""


def _media(part: dict[str, object], stream_sid: str) -> MediaFrame:
    if part.get("track", "inbound") != "inbound":
        _refuse("media.track is not inbound")
    payload = _text(part, "payload")
    try:
        mulaw = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        _refuse("media.payload is not base64")
    if not 0 < len(mulaw) <= LARGEST_PAYLOAD_BYTES:
        _refuse("media.payload is empty or too long")
    return MediaFrame(
        mulaw=mulaw,
        timestamp_ms=_number(part, "timestamp"),
        chunk=_number(part, "chunk"),
        stream_sid=stream_sid,
    )


def _part(message: dict[str, object], name: str) -> dict[str, object]:
    part = message.get(name)
    if not isinstance(part, dict):
        _refuse(f"{name} is not an object")
    return part


def _text(part: dict[str, object], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str) or not value:
        _refuse(f"{name} is missing")
    return value


def _number(part: dict[str, object], name: str) -> int:
    value = part.get(name)
    text = str(value) if isinstance(value, str | int) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 13):
        _refuse(f"{name} is not a number")
    return int(text)


def _refuse(reason: str) -> NoReturn:
    raise MessageError(reason) from None
