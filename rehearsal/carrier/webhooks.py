"""Signed webhooks, as the carrier sends them."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

import httpx
from twilio.request_validator import RequestValidator

from rehearsal.carrier.record import Witness

TIMEOUT_S = 15.0


class Webhooks:
    """One call's webhooks. Status callbacks are sent one after the other, in the order in which they happened."""

    def __init__(self, http: httpx.AsyncClient, auth_token: str, witness: Witness) -> None:
        self._http = http
        self._validator = RequestValidator(auth_token)
        self._witness = witness
        self._sequence = 0
        self._queue: asyncio.Queue[tuple[str, dict[str, str]]] = asyncio.Queue()
        self._sender = asyncio.create_task(self._send_in_order())

    async def ask(self, url: str, parameters: dict[str, str]) -> str:
        """POST and return the answer's text. Raises httpx.HTTPError for any answer but 2xx."""
        signature = self._validator.compute_signature(url, parameters)
        began_s = time.monotonic()
        try:
            response = await self._http.post(
                url,
                data=parameters,
                headers={"X-Twilio-Signature": signature},
                timeout=TIMEOUT_S,
            )
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

    def tell_status(self, url: str, parameters: dict[str, str]) -> None:
        """Queue a call progress event."""
        stamped = {
            **parameters,
            "SequenceNumber": str(self._sequence),
            "Timestamp": formatdate(usegmt=True),
            "CallbackSource": "call-progress-events",
        }
        self._sequence += 1
        self._queue.put_nowait((url, stamped))

    def tell(self, url: str, parameters: dict[str, str]) -> None:
        """Queue any other callback."""
        self._queue.put_nowait((url, parameters))

    async def close(self) -> None:
        """Send what waits, then stop."""
        try:
            await asyncio.wait_for(self._queue.join(), TIMEOUT_S)
        except TimeoutError:
            self._witness.saw("webhooks_lost", count=self._queue.qsize())
        self._sender.cancel()

    async def _send_in_order(self) -> None:
        while True:
            url, parameters = await self._queue.get()
            try:
                await self.ask(url, parameters)
            except httpx.HTTPError:
                continue  # the witness has it; the carrier does not try again
            finally:
                self._queue.task_done()
