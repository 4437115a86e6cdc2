"""PURE. The TwiML that the gateway answers with."""

from __future__ import annotations

from urllib.parse import quote

from twilio.twiml.voice_response import VoiceResponse

from media_gateway.stream_token import nonce_of
from workflows.contracts.payloads import AfterStream, NextStep

ONE_MOMENT = "One moment please."


def media_url(public_url: str) -> str:
    """The media socket's address: the public URL with `ws` for `http`, `wss` for `https`. No query: Twilio drops it."""
    scheme, rest = public_url.split("://", 1)
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/media"


def webhook_url(public_url: str, name: str, call_id: str) -> str:
    """A webhook's absolute address, keyed by our call id."""
    return f"{public_url}/twilio/{name}?call_id={quote(call_id, safe='')}"


def stream_end_url(public_url: str, call_id: str, nonce: str, *, waited: int = 0) -> str:
    """Where the carrier asks what follows a stream; the nonce says which stream, should it ask twice."""
    url = f"{webhook_url(public_url, 'stream-end', call_id)}&stream={quote(nonce, safe='')}"
    return f"{url}&waited={waited}" if waited else url


def wait(public_url: str, call_id: str, nonce: str, *, waited: int) -> str:
    """Keep the caller for a moment, then ask again what follows."""
    response = VoiceResponse()
    if waited == 1:
        response.say(ONE_MOMENT)
    response.pause(length=2)
    response.redirect(stream_end_url(public_url, call_id, nonce, waited=waited), method="POST")
    return str(response)


def apologise(text: str) -> str:
    """Say it in the carrier's own voice, and end the call."""
    response = VoiceResponse()
    response.say(text)
    response.hangup()
    return str(response)


def connect_stream(
    public_url: str, call_id: str, token: str, *, pause_s: int = 0, says_wait: bool = False
) -> str:
    """Hand the call's audio to a gateway; when the stream ends the carrier asks `stream-end` what comes next."""
    response = VoiceResponse()
    if says_wait:
        response.say(ONE_MOMENT)
    if pause_s:
        response.pause(length=pause_s)
    action = stream_end_url(public_url, call_id, nonce_of(token))
    connect = response.connect(action=action, method="POST")
    stream = connect.stream(
        url=media_url(public_url),
        name="callspine",
        status_callback=webhook_url(public_url, "stream-status", call_id),
        status_callback_method="POST",
    )
    stream.parameter(name="call_id", value=call_id)
    stream.parameter(name="token", value=token)
    # Reached only when the action cannot be asked: never leave a caller in silence.
    response.hangup()
    return str(response)


def hang_up() -> str:
    """End the call."""
    response = VoiceResponse()
    response.hangup()
    return str(response)


def after_stream(
    public_url: str, call_id: str, after: AfterStream, token: str, *, is_mute: bool = False
) -> str:
    """What follows a media stream, as the workflow decided. `is_mute`: the agent had no voice, so the carrier's says one word."""
    match after.step:
        case NextStep.HANG_UP:
            return hang_up()
        case NextStep.RECONNECT:
            return connect_stream(
                public_url, call_id, token, pause_s=after.pause_s, says_wait=is_mute
            )
        case NextStep.DIAL:
            response = VoiceResponse()
            response.dial(after.number)
            return str(response)
        case NextStep.APOLOGISE:
            return apologise(after.text)
