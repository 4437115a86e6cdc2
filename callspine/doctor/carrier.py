"""Checks the carrier's account, and that what the carrier will ask of the public URL arrives, signed, and only signed."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from activities.clients.twilio_rest import (
    CarrierRefused,
    CarrierUnclear,
    NumberWebhooks,
    TwilioCalls,
)
from callspine.doctor.findings import AilingError, Check, State, Told, off_loop
from callspine.settings import PREFIX, Settings, base_url

T = TypeVar("T")
_WEBHOOK = "/twilio/stream-status"
"""The one that a stranger's call id changes nothing with: it is logged."""
_FORM = {"StreamEvent": "doctor"}
_OTHER_TOKEN = (
    f"the gateway behind {PREFIX}PUBLIC_URL needs the same {PREFIX}TWILIO_AUTH_TOKEN and {PREFIX}PUBLIC_URL as these "
    "settings, and a proxy must not change the path"
)
_NOT_THERE = (
    f"start the gateway, and see that {PREFIX}PUBLIC_URL and its proxy or tunnel lead to it"
)
_OPEN = (
    "anybody can feed this gateway: something else answers at that URL, or a proxy signs for others"
)


def account_check(settings: Settings) -> Check:
    """Fetches the account."""

    async def ask() -> Told:
        status, kind = await _asked(lambda: _calls(settings).account())
        if status != "active":
            raise AilingError(
                f"the account is {status}",
                "settle that in the carrier's console: no call can be placed",
            )
        if not settings.twilio_from:
            raise AilingError("no caller id", f"set {PREFIX}TWILIO_FROM to a number of the account")
        trial = " (trial: it calls verified numbers only)" if kind.lower() == "trial" else ""
        return Told(what=f"the account is active{trial}")

    return Check(
        name="carrier: account",
        ask=ask,
        remedy=f"see {PREFIX}TWILIO_API_BASE_URL and the network's way there",
    )


def number_check(settings: Settings) -> Check:
    """Whether calls to our number, and the ends of those calls, come to our public URL."""

    async def ask() -> Told:
        if not settings.twilio_from:
            return Told(what="no caller id to look up", state=State.SKIPPED)
        found = await _asked(lambda: _calls(settings).webhooks_of(settings.twilio_from))
        if found is None:
            raise AilingError(
                "the caller id is no number of the account",
                f"a verified caller id will do for calls that go out; for calls that come in set {PREFIX}TWILIO_FROM "
                "to a number of the account",
            )
        _refuse_others_webhooks(found, base_url(settings.public_url))
        return Told(what="calls that come in, and their ends, are told to the public URL")

    return Check(
        name="carrier: number",
        ask=ask,
        remedy=f"see {PREFIX}TWILIO_API_BASE_URL and the network's way there",
        is_needed=False,  # calls that go out name their webhooks themselves
    )


def _refuse_others_webhooks(found: NumberWebhooks, public: str) -> None:
    console = "in the number's settings in the carrier's console"
    if found.is_elsewhere:
        raise AilingError(
            "calls that come in go to a TwiML application or a SIP trunk",
            f"{console} choose Webhook, and {public}/twilio/voice",
        )
    if (found.voice_url.rstrip("/"), found.voice_method) != (f"{public}/twilio/voice", "POST"):
        raise AilingError(
            "calls that come in go to another address",
            f'{console} set "A call comes in" to {public}/twilio/voice, HTTP POST',
        )
    if found.status_url.rstrip("/") != f"{public}/twilio/status":
        raise AilingError(
            "the ends of calls that came in are told to nobody, or to another address",
            f'{console} set "Call status changes" to {public}/twilio/status',
        )


def _calls(settings: Settings) -> TwilioCalls:
    return TwilioCalls(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        base_url=base_url(settings.twilio_api_base_url),
    )


async def _asked(ask: Callable[[], T]) -> T:
    """Off the loop. Raises AilingError for what the carrier says instead of an answer."""
    try:
        return await off_loop(ask)
    except CarrierRefused as error:
        raise AilingError(
            f"error {error.code}" if error.code else "refused",
            f"see {PREFIX}TWILIO_ACCOUNT_SID and {PREFIX}TWILIO_AUTH_TOKEN: the carrier knows no such pair",
        ) from None
    except CarrierUnclear as error:
        raise AilingError(
            str(error), f"see {PREFIX}TWILIO_API_BASE_URL and the network's way there"
        ) from None


def public_url_check(settings: Settings, http: httpx.AsyncClient) -> Check:
    """Health, a signed and an unsigned webhook, a signed and an unsigned handshake of the media socket."""

    async def ask() -> Told:
        public = base_url(settings.public_url)
        _refuse_private(settings)
        try:
            told = await _health(http, public)
            await _webhook(http, public, settings)
            await _handshake(public, settings)
        except httpx.HTTPError as error:
            raise AilingError(type(error).__name__, _NOT_THERE) from None
        return told

    return Check(name="public URL", ask=ask, remedy=_NOT_THERE)


def _refuse_private(settings: Settings) -> None:
    url = urlsplit(str(settings.public_url))
    if "twilio.com" not in (settings.twilio_api_base_url.host or ""):
        return
    try:
        is_private = ipaddress.ip_address(url.hostname or "").is_private
    except ValueError:
        is_private = url.hostname == "localhost"
    if is_private:
        raise AilingError(
            "the carrier cannot reach an address of this machine",
            f"set {PREFIX}PUBLIC_URL to the https URL under which the world reaches the gateway",
        )
    if url.scheme != "https":
        raise AilingError(
            "the carrier sends audio over wss only", f"give {PREFIX}PUBLIC_URL an https URL"
        )


async def _health(http: httpx.AsyncClient, public: str) -> Told:
    answer = await http.get(f"{public}/health")
    try:
        status = answer.json()["status"]
    except (ValueError, KeyError, TypeError):
        raise AilingError(
            f"something that is no gateway answers there (HTTP {answer.status_code})", _NOT_THERE
        ) from None
    if status == "draining":
        return Told(
            what="the gateway is about to stop",
            state=State.WARNS,
            remedy="ask again when another one has taken its place",
        )
    return Told(what="health, webhook and media socket; strangers are refused")


async def _webhook(http: httpx.AsyncClient, public: str, settings: Settings) -> None:
    url = f"{public}{_WEBHOOK}?call_id=doctor"
    unsigned = await http.post(url, data=_FORM)
    if unsigned.is_success:
        raise AilingError("a webhook without a signature is taken", _OPEN)
    signed = await http.post(
        url, data=_FORM, headers={"X-Twilio-Signature": _signature(url, _FORM, settings)}
    )
    if not signed.is_success:
        raise AilingError(f"a signed webhook is refused (HTTP {signed.status_code})", _OTHER_TOKEN)


async def _handshake(public: str, settings: Settings) -> None:
    url = public.replace("http", "ws", 1) + "/media"
    if await _opens(url, ""):
        raise AilingError("a media socket without a signature is taken", _OPEN)
    if not await _opens(url, _signature(url, {}, settings)):
        raise AilingError(
            "a signed media socket is refused",
            f"the proxy has to pass WebSockets on; and {_OTHER_TOKEN}",
        )


async def _opens(url: str, signature: str) -> bool:
    try:
        async with connect(
            url,
            additional_headers={"X-Twilio-Signature": signature},
            open_timeout=5,
            close_timeout=1,
            proxy=None,
        ):
            return True
    except InvalidStatus:
        return False
    except (OSError, TimeoutError, WebSocketException) as error:
        raise AilingError(
            f"the media socket cannot be opened: {type(error).__name__}",
            "the proxy has to pass WebSockets on",
        ) from None


def _signature(url: str, form: dict[str, str], settings: Settings) -> str:
    validator = RequestValidator(settings.twilio_auth_token.get_secret_value())
    return str(validator.compute_signature(url, form))
