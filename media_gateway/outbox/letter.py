"""What waits in an outbox, and the port to whoever carries it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message to one call's workflow."""

    number: int
    """Order of all letters of an outbox, hence of a call's."""
    call_id: str
    kind: str
    """The signal's name."""
    request_id: str
    """The same at every try and after every restart, so that the server takes the message once."""
    at_s: float
    """Unix time at which it was handed over."""
    body: bytes = b""
    """As it goes out and as it lies on disk; encrypted where a codec is set. Empty until the courier has sealed it."""


class Undeliverable(Exception):
    """No try will ever succeed: the letter is dropped. The message says why and holds no word of a call."""


class DeliveryFailed(Exception):
    """Not this time. The message says why and holds no word of a call."""


class Courier(Protocol):
    """Knows how a message is encoded and where it goes; the outbox knows neither."""

    async def seal(self, call_id: str, message: object) -> bytes:
        """Encode a message, never to an empty body. Raises anything when it cannot: then nothing is written to disk.

        Undeliverable says that it never will be; anything else is tried again.
        """

    async def deliver(self, letter: Letter) -> None:
        """Hand a sealed letter over; returns once it was acknowledged. Raises Undeliverable or DeliveryFailed."""

    def dropped(self, letter: Letter, reason: str) -> None:
        """Told of each undeliverable letter, once and before the call's next one is tried. Must not raise."""
