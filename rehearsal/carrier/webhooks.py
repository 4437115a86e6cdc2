"""Signed webhooks, as the carrier sends them."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

import httpx
from twilio.request_validator import RequestValidator

from rehearsal.carrier.record import Witness

ANSWER_WITHIN_S = 15.0
CONNECT_WITHIN_S = 5.0
CONNECT_TRIES = 2
"""Twilio's defaults: 15 s for an answer; a connection that cannot be made within 5 s is tried once more, nothing else is."""
UNRULY_MOST_S = 2.5
"""How late an unruly callback may come."""


class Webhooks:
    """One call's webhooks. Status callbacks are sent one after the other, in the order in which they happened.

    Unruly ones: everything that is asked is asked twice at once, and only the later answer counts, as after a retry;
    every callback is sent twice, each time late by chance, so that they overtake each other.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        auth_token: str,
        witness: Witness,
        *,
        is_unruly: bool = False,
    ) -> None:
        self._http = http
        self._validator = RequestValidator(auth_token)
        self._witness = witness
        self._is_unruly = is_unruly
        self._sequence = 0
        self._queue: asyncio.Queue[tuple[str, dict[str, str]]] = asyncio.Queue()
        self._sender = asyncio.create_task(self._send_in_order())
        self._strays: set[asyncio.Task[None]] = set()

    async def ask(self, url: str, parameters: dict[str, str]) -> str:
        """POST and return the answer's text. Raises httpx.HTTPError for any answer but 2xx."""
        if not self._is_unruly:
            return await self._post(url, parameters)
        asked = [self._post(url, parameters), self._post(url, parameters)]
        lost, answer = await asyncio.gather(*asked, return_exceptions=True)
        if isinstance(answer, BaseException):
            answer = lost
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _post(self, url: str, parameters: dict[str, str]) -> str:
        signature = self._validator.compute_signature(url, parameters)
        began_s = time.monotonic()
        try:
            response = await self._connected(url, parameters, signature)
        except httpx.HTTPError as error:
            self._witness.saw("webhook", path=urlsplit(url).path, error=type(error).__name__)
            raise
        self._witness.saw(
            "webhook",
            path=urlsplit(url).path,
            query=parse_qs(urlsplit(url).query),
            call_status=parameters.get("CallStatus", ""),
            status=response.status_code,
            took_ms=round((time.monotonic() - began_s) * 1000),
        )
        response.raise_for_status()
        return response.text

    async def _connected(
        self, url: str, parameters: dict[str, str], signature: str
    ) -> httpx.Response:
        timeout = httpx.Timeout(ANSWER_WITHIN_S, connect=CONNECT_WITHIN_S)
        headers = {"X-Twilio-Signature": signature}
        for _ in range(CONNECT_TRIES - 1):
            try:
                return await self._http.post(url, data=parameters, headers=headers, timeout=timeout)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                self._witness.saw("webhook_retried", path=urlsplit(url).path, error=repr(error))
        return await self._http.post(url, data=parameters, headers=headers, timeout=timeout)

    def tell_status(self, url: str, parameters: dict[str, str]) -> None:
        """Queue a call progress event."""
        stamped = {
            **parameters,
            "SequenceNumber": str(self._sequence),
            "Timestamp": formatdate(usegmt=True),
            "CallbackSource": "call-progress-events",
        }
        self._sequence += 1
        self.tell(url, stamped)

    def tell(self, url: str, parameters: dict[str, str]) -> None:
        """Queue any other callback."""
        if not self._is_unruly:
            self._queue.put_nowait((url, parameters))
            return
        for _ in range(2):
            stray = asyncio.create_task(self._stray(url, parameters))
            self._strays.add(stray)
            stray.add_done_callback(self._strays.discard)

    async def _stray(self, url: str, parameters: dict[str, str]) -> None:
        await asyncio.sleep(random.uniform(0, UNRULY_MOST_S))
        with suppress(httpx.HTTPError):  # the witness has it
            await self._post(url, parameters)

    async def close(self) -> None:
        """Send what waits, then stop."""
        if self._strays:
            await asyncio.wait(self._strays, timeout=UNRULY_MOST_S + ANSWER_WITHIN_S)
        try:
            await asyncio.wait_for(self._queue.join(), ANSWER_WITHIN_S)
        except TimeoutError:
            self._witness.saw("webhooks_lost", count=self._queue.qsize())
        self._sender.cancel()

    async def _send_in_order(self) -> None:
        while True:
            url, parameters = await self._queue.get()
            try:
                await self._post(url, parameters)
            except httpx.HTTPError:
                continue  # the witness has it; the carrier does not try again
            finally:
                self._queue.task_done()
