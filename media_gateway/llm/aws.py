"""Signs requests to Bedrock: with an API key of its own, or with Signature Version 4. Needs the extra `bedrock`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Protocol

from media_gateway.llm.failures import FailureKind, failed

_SERVICE = "bedrock"


def is_installed() -> bool:
    """Whether the extra `bedrock` is there."""
    return find_spec("botocore") is not None


class Signer(Protocol):
    """What a request needs last, once its body is known."""

    async def sign(self, url: str, headers: Mapping[str, str], body: str) -> dict[str, str]:
        """The headers to send. Raises `CompletionFailed` when there are no credentials."""


class Unsigned:
    """For vendors whose key is a header already."""

    async def sign(self, url: str, headers: Mapping[str, str], body: str) -> dict[str, str]:
        """See `Signer`."""
        return dict(headers)


class BedrockSigner:
    """One client's. Without an API key: the credentials of AWS's own chain (variables, profile, role), kept fresh."""

    def __init__(self, *, region: str, api_key: str = "") -> None:
        self._region = region
        self._api_key = api_key
        self._credentials: Any = None

    async def sign(self, url: str, headers: Mapping[str, str], body: str) -> dict[str, str]:
        """See `Signer`."""
        if self._api_key:
            return {**headers, "authorization": f"Bearer {self._api_key}"}
        # A role's credentials are fetched over the network when they run out: never on the loop.
        return await asyncio.to_thread(self._signed, url, dict(headers), body)

    def _signed(self, url: str, headers: dict[str, str], body: str) -> dict[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.session import Session

        try:
            self._credentials = self._credentials or Session().get_credentials()
            if self._credentials is None:
                raise failed(FailureKind.KEY)
            frozen = self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError):  # of the second kind is a role that may not be assumed
            raise failed(FailureKind.KEY) from None
        request = AWSRequest("POST", url, data=body.encode(), headers=headers)
        SigV4Auth(frozen, _SERVICE, self._region).add_auth(request)
        return dict(request.headers.items())
