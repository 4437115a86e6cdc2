"""The one-time token of a media stream: made by the webhook that sends the carrier to the socket, checked before any work.

`<nonce>.<expiry unix seconds>.<hex HMAC-SHA256 over call_id, nonce and expiry>`. The workflow refuses a nonce it has
seen, so that a token opens one stream only, on whichever gateway it arrives.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

VALID_FOR_S = 120
"""Seconds between the TwiML answer and the stream's `start`. The carrier needs one or two."""


def nonce_of(token: str) -> str:
    """The part of a token that names its stream: no secret, and no permission."""
    return token.partition(".")[0]


class StreamTokens:
    """Makes and checks stream tokens with a secret that all gateways share."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def issue(self, call_id: str, *, now_s: float) -> str:
        """A fresh token for one stream of this call."""
        nonce = secrets.token_hex(12)
        expiry = int(now_s) + VALID_FOR_S
        return f"{nonce}.{expiry}.{self._sign(call_id, nonce, expiry)}"

    def nonce(self, call_id: str, token: str, *, now_s: float) -> str | None:
        """The token's nonce, or None when it is not ours, not for this call, or too old."""
        nonce, _, rest = token.partition(".")
        expiry_text, _, signature = rest.partition(".")
        if not (
            nonce and expiry_text.isascii() and expiry_text.isdigit() and len(expiry_text) < 12
        ):
            return None
        expiry = int(expiry_text)
        if not hmac.compare_digest(signature.encode(), self._sign(call_id, nonce, expiry).encode()):
            return None
        return nonce if now_s <= expiry else None

    def _sign(self, call_id: str, nonce: str, expiry: int) -> str:
        text = f"{call_id}\n{nonce}\n{expiry}".encode()
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()
