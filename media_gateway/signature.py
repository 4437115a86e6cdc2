"""Whether a request comes from the carrier: X-Twilio-Signature over the PUBLIC url, for webhooks and for the media socket."""

from __future__ import annotations

from collections.abc import Mapping

from twilio.request_validator import RequestValidator


class CarrierSignature:
    """Checks signatures against the configured public URL; the Host header and the proxy's scheme are not trusted."""

    def __init__(self, auth_token: str, public_url: str) -> None:
        self._validator = RequestValidator(auth_token)
        self._public_url = public_url

    def is_valid_webhook(
        self, path_and_query: str, form: Mapping[str, object], signature: str
    ) -> bool:
        """For a form POST. Pass the form as parsed, so that repeated keys count as the carrier signed them."""
        return bool(
            signature
            and self._validator.validate(self._public_url + path_and_query, form, signature)
        )

    def is_valid_handshake(self, path: str, signature: str) -> bool:
        """For the WebSocket upgrade: signed over the `ws(s)://` URL, no parameters; a trailing `/` may be signed too."""
        url = self._public_url.replace("http", "ws", 1) + path
        return bool(signature) and any(
            self._validator.validate(candidate, {}, signature) for candidate in (url, url + "/")
        )
