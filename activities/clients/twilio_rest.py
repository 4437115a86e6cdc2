"""The carrier's REST interface through the `twilio` client. Blocking: call it from a thread.

Never run against the real service here; proven on a carrier that speaks the documented protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from requests import RequestException
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse

API_HOST = "https://api.twilio.com"
TIMEOUT_S = 10.0
UNKNOWN_CALL = 20404
ALREADY_OVER = frozenset({UNKNOWN_CALL, 21220})
"""Error codes of an update to a call that has ended meanwhile."""
ALIVE = frozenset({"queued", "initiated", "ringing", "in-progress"})


@dataclass(frozen=True, kw_only=True)
class NumberWebhooks:
    """Where the carrier takes calls to a number of the account."""

    voice_url: str
    voice_method: str
    status_url: str
    is_elsewhere: bool
    """Calls follow a TwiML application or a SIP trunk instead."""


class CarrierRefused(Exception):
    """The carrier said no: nothing was done. `code` is its error code, 0 where it gave none."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(f"HTTP {status}, error {code}: {message}")
        self.code = code


class CarrierUnclear(Exception):
    """No answer, or a server error: something may have been done."""


class _At(TwilioHttpClient):  # type: ignore[misc]
    """Sends what is meant for the carrier's API to a configured address: an emulator, a proxy."""

    def __init__(self, base_url: str) -> None:
        # A retry below us could dial twice.
        super().__init__(timeout=TIMEOUT_S, max_retries=0)
        self._base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        """See HttpClient."""
        if url.startswith(API_HOST):
            url = self._base_url + url[len(API_HOST) :]
        return super().request(method, url, *args, **kwargs)


class TwilioCalls:
    """Calls of one account."""

    def __init__(self, *, account_sid: str, auth_token: str, base_url: str = API_HOST) -> None:
        self._client = Client(account_sid, auth_token, http_client=_At(base_url))

    def account(self) -> tuple[str, str]:
        """The account's status (`active`, `suspended`, `closed`) and type. Raises CarrierRefused or CarrierUnclear."""
        found = _told(self._client.api.accounts(self._client.account_sid).fetch)
        return str(found.status), str(found.type)

    def webhooks_of(self, number: str) -> NumberWebhooks | None:
        """None for a number that is not the account's. `number`: E.164. Raises CarrierRefused or CarrierUnclear."""
        numbers = self._client.incoming_phone_numbers
        found = _told(lambda: numbers.list(phone_number=number, limit=20))
        one = next((one for one in found if one.phone_number == number), None)
        if one is None:
            return None
        return NumberWebhooks(
            voice_url=str(one.voice_url or ""),
            voice_method=str(one.voice_method or "POST"),
            status_url=str(one.status_callback or ""),
            is_elsewhere=bool(one.voice_application_sid or one.trunk_sid),
        )

    def create(self, **options: Any) -> str:
        """Place a call; returns its CallSid. Raises CarrierRefused or CarrierUnclear."""
        return str(_told(lambda: self._client.calls.create(**options)).sid)

    def newest(self, *, to: str, from_: str, since: datetime) -> tuple[str, str] | None:
        """CallSid and status of the newest call between these numbers. Raises CarrierRefused or CarrierUnclear."""
        found = _told(lambda: self._client.calls.list(to=to, from_=from_, limit=20))
        calls = [call for call in found if call.date_created is None or call.date_created >= since]
        return (str(calls[0].sid), str(calls[0].status)) if calls else None

    def connect(self, call_sid: str, number: str) -> None:
        """Redirect a live call to a person. Raises CarrierRefused (21220: it is over) or CarrierUnclear."""
        response = VoiceResponse()
        response.dial(number)
        _told(lambda: self._client.calls(call_sid).update(twiml=str(response)))

    def redirect(self, call_sid: str, url: str) -> None:
        """Have a live call follow another document. Raises CarrierRefused (21220: it is over) or CarrierUnclear."""
        _told(lambda: self._client.calls(call_sid).update(url=url, method="POST"))

    def is_alive(self, call_sid: str) -> bool:
        """Whether it is neither over nor unknown. Raises CarrierRefused or CarrierUnclear."""
        try:
            return str(_told(self._client.calls(call_sid).fetch).status) in ALIVE
        except CarrierRefused as error:
            if error.code == UNKNOWN_CALL:
                return False
            raise

    def end(self, call_sid: str) -> tuple[str, int | None]:
        """End a call, whatever its state; returns its last status and duration in seconds."""
        call = self._client.calls(call_sid)
        before = _told(call.fetch)
        rings = before.status in ("queued", "initiated", "ringing")
        wanted = "canceled" if rings else "completed"
        try:
            after = _told(lambda: call.update(status=wanted))
        except CarrierRefused as error:
            if error.code not in ALREADY_OVER:
                raise
            after = _told(call.fetch)
        duration = str(after.duration or "")
        return str(after.status), int(duration) if duration.isdigit() else None


def _told(ask: Any) -> Any:
    try:
        return ask()
    except TwilioRestException as error:
        if error.status >= 500:
            raise CarrierUnclear(f"HTTP {error.status}") from error
        raise CarrierRefused(error.status, int(error.code or 0), str(error.msg)) from error
    except RequestException as error:
        raise CarrierUnclear(type(error).__name__) from error
