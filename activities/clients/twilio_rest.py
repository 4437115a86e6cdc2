"""The carrier's REST interface through the `twilio` client. Blocking: call it from a thread.

Never run against the real service here; proven on a carrier that speaks the documented protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from requests import RequestException
from twilio.base.exceptions import (
    TwilioException,
    TwilioRestException,
    TwilioServiceException,
)
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
RINGING = ALIVE - {"in-progress"}
RECORDING = frozenset({"in-progress", "paused"})
TOO_MANY_REQUESTS = 429
LONGEST_WAIT_S = 600.0
"""Of what a carrier may ask us to wait: more is a mistake of somebody's clock."""
REQUEST_TIMEOUT = 408
LEAST_CODE = 1000
PAGE = 50
MOST_CALLS = 1000
"""Looked through for one call: of a pair of numbers, newest first."""


@dataclass(frozen=True, kw_only=True)
class NumberWebhooks:
    """Where the carrier takes calls to a number of the account."""

    voice_url: str
    voice_method: str
    status_url: str
    is_elsewhere: bool
    """Calls follow a TwiML application or a SIP trunk instead."""


class CarrierRefused(Exception):
    """The carrier said no: nothing was done. `code` is its error code, 0 where it gave none.

    `retry_after_s` is how long it wants to be left alone, with HTTP 429; 0 where it did not say.
    """

    def __init__(self, status: int, code: int, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(f"HTTP {status}, error {code}: {message}")
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s

    @property
    def is_rate_limit(self) -> bool:
        """The same request may do later."""
        return self.status == TOO_MANY_REQUESTS

    @property
    def is_over(self) -> bool:
        """There is no live call left to do it with."""
        return self.code in ALREADY_OVER


class CarrierUnclear(Exception):
    """No answer, or a server error: something may have been done."""


class _At(TwilioHttpClient):  # type: ignore[misc]
    """Sends what is meant for the carrier's API to a configured address: an emulator, a proxy."""

    def __init__(self, base_url: str) -> None:
        # A retry below us could dial twice.
        super().__init__(timeout=TIMEOUT_S, max_retries=0)
        self._base_url = base_url

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        """See HttpClient. Raises CarrierRefused for a 429, whose header the client's own error does not keep."""
        if url.startswith(API_HOST):
            url = self._base_url + url[len(API_HOST) :]
        response = super().request(method, url, *args, **kwargs)
        if response.status_code == TOO_MANY_REQUESTS:
            wait_s = seconds_of(str((response.headers or {}).get("Retry-After", "")), _now())
            raise CarrierRefused(response.status_code, 20429, "too many requests", wait_s)
        return response


class TwilioCalls:
    """Calls of one account. Everything raises CarrierRefused or CarrierUnclear."""

    def __init__(self, *, account_sid: str, auth_token: str, base_url: str = API_HOST) -> None:
        self._client = Client(account_sid, auth_token, http_client=_At(base_url))

    def account(self) -> tuple[str, str]:
        """The account's status (`active`, `suspended`, `closed`) and type."""
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
        """Place a call; returns its CallSid. Never to be repeated after CarrierUnclear."""
        return str(_told(lambda: self._client.calls.create(**options)).sid)

    def newest(self, *, to: str, from_: str, since: datetime) -> tuple[str, str] | None:
        """CallSid and status of the newest call between these numbers.

        Its time is compared here: a filter of the carrier's goes by the start, and a call in its queue has none yet.
        """
        found: tuple[str, str] | None = _told(
            lambda: next(self._calls_since(to, from_, since), None)
        )
        return found

    def _calls_since(self, to: str, from_: str, since: datetime) -> Iterator[tuple[str, str]]:
        stream = self._client.calls.stream(to=to, from_=from_, limit=MOST_CALLS, page_size=PAGE)
        for call in stream:
            if call.date_created is None or call.date_created >= since:
                yield str(call.sid), str(call.status)
            else:
                return  # newest first: the pages behind it are older still

    def connect(self, call_sid: str, number: str) -> None:
        """Redirect a live call to a person. CarrierRefused with `is_over`: there is none."""
        response = VoiceResponse()
        response.dial(number)
        _told(lambda: self._client.calls(call_sid).update(twiml=str(response)))

    def redirect(self, call_sid: str, url: str) -> None:
        """Have a live call follow another document. CarrierRefused with `is_over`: there is none."""
        _told(lambda: self._client.calls(call_sid).update(url=url, method="POST"))

    def is_alive(self, call_sid: str) -> bool:
        """Whether it is neither over nor unknown."""
        try:
            return str(_told(self._client.calls(call_sid).fetch).status) in ALIVE
        except CarrierRefused as error:
            if error.code == UNKNOWN_CALL:
                return False
            raise

    def end(self, call_sid: str) -> tuple[str, int | None]:
        """End a call, whatever its state; returns its last status and duration in seconds.

        Raises CarrierUnclear as long as the carrier says that it goes on.
        """
        call = self._client.calls(call_sid)
        found = _told(call.fetch)
        # A call that rings can be answered between our question and our order: `canceled` does nothing to it then.
        for wanted in ("canceled", "completed") if found.status in RINGING else ("completed",):
            if found.status not in ALIVE:
                break
            try:
                found = _told(lambda wanted=wanted: call.update(status=wanted))
            except CarrierRefused as error:
                if not error.is_over:
                    raise
                found = _told(call.fetch)
        if found.status in ALIVE:
            raise CarrierUnclear(f"told to end, the call is still {found.status}")
        duration = str(found.duration or "")
        return str(found.status), int(duration) if duration.isdigit() else None

    def record(self, call_sid: str, *, callback_url: str) -> str:
        """Record a live call from now on, each side on a channel of its own; returns the RecordingSid.

        Idempotent: a recording that runs already is the answer. CarrierRefused with `is_over`: there is no live call.
        """
        recordings = self._client.calls(call_sid).recordings
        for known in _told(lambda: recordings.list(limit=PAGE)):
            if known.status in RECORDING:
                return str(known.sid)
        begun = _told(
            lambda: recordings.create(
                recording_channels="dual",
                trim="do-not-trim",
                recording_status_callback=callback_url,
                recording_status_callback_method="POST",
                recording_status_callback_event=["in-progress", "completed", "absent"],
            )
        )
        return str(begun.sid)

    def stop_recordings(self, call_sid: str) -> None:
        """Record no more of a call: every recording of it that runs is stopped. Idempotent; fine for a call that is over."""
        recordings = self._client.calls(call_sid).recordings
        try:
            for known in _told(lambda: recordings.list(limit=PAGE)):
                if known.status in RECORDING:
                    _told(lambda sid=known.sid: recordings(sid).update(status="stopped"))
        except CarrierRefused as error:
            if not error.is_over:
                raise


def seconds_of(retry_after: str, now: datetime) -> float:
    """A `Retry-After` header, seconds or a date, as seconds from now; 0 for none and for nonsense."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_WAIT_S)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now).total_seconds()), LONGEST_WAIT_S)


def _now() -> datetime:
    return datetime.now(UTC)


def _told(ask: Any) -> Any:
    try:
        return ask()
    except (TwilioRestException, TwilioServiceException) as error:
        # Without a code of its own the client gives the status: that is no error code.
        code = int(error.code or 0)
        text = getattr(error, "msg", "") or getattr(error, "title", "")
        raise _failure(error.status, code if code >= LEAST_CODE else 0, str(text)) from error
    except TwilioException as error:
        # A page of a list that could not be had: the client keeps its answer as the second argument.
        answer = error.args[1] if len(error.args) > 1 else None
        raise _failure(int(getattr(answer, "status_code", 0)), 0, "no such list") from error
    except (RequestException, ValueError) as error:
        # ValueError: a proxy's page, say, in place of JSON.
        raise CarrierUnclear(type(error).__name__) from error


def _failure(status: int, code: int, message: str) -> CarrierRefused | CarrierUnclear:
    """Only a 4xx is certain; a time-out told by a proxy is not."""
    if 400 <= status < 500 and status != REQUEST_TIMEOUT:
        return CarrierRefused(status, code, message)
    return CarrierUnclear(f"HTTP {status}" if status else message)
