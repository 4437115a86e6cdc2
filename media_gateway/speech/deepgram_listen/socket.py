"""Opens a connection to Deepgram, bounded in time, and says of a refusal whose fault it is and whether to try again.

The SDK's own socket waits 20 s to open and up to 30 s to close, and swallows cancellation meanwhile.
"""

from __future__ import annotations

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from media_gateway.errors import VendorUnavailable
from media_gateway.speech.vendor_socket import CLOSE_WITHIN_S, retry_after_s

log = structlog.get_logger(__name__)

VENDOR = "deepgram"
_LASTING = {
    400: "a parameter, the model or a key term is not taken",
    401: "the key is not valid",
    402: "the account has no credit left",
    403: "the key may not use this model",
    404: "there is no such endpoint at this address",
}
_PASSING = {408: "it took too long", 429: "more streams at once than the account may have"}
BAD_AUDIO = 1008
"""Close code: what was sent cannot be decoded, and will not be the next time."""


class Refused(VendorUnavailable):
    """An HTTP status instead of a socket."""

    def __init__(self, status: int, retry_after_s: float | None) -> None:
        why = _LASTING.get(status) or _PASSING.get(status)
        super().__init__(
            VENDOR,
            f"refused with HTTP {status}" + (f": {why}" if why else ""),
            is_lasting=400 <= status < 500 and status not in _PASSING,
            retry_after_s=retry_after_s,
        )
        self.status = status


async def dial(url: str, *, api_key: str, within_s: float) -> ClientConnection:
    """Connect. Raises VendorUnavailable, Refused for an answer that is no socket."""
    try:
        return await connect(
            url,
            additional_headers={"Authorization": f"Token {api_key}"},
            open_timeout=within_s,
            close_timeout=CLOSE_WITHIN_S,
            compression=None,
            proxy=None,
        )
    except InvalidStatus as error:
        headers = error.response.headers
        refused = Refused(error.response.status_code, retry_after_s(headers))
        request = headers.get("dg-request-id", "")[:64]  # what their support asks for
        log.warning("vendor_refused", vendor=VENDOR, status=refused.status, request=request)
        raise refused from error
    except (OSError, TimeoutError, WebSocketException) as error:
        raise VendorUnavailable(VENDOR, f"not reached: {type(error).__name__}") from error


def closed_with(error: ConnectionClosed) -> str:
    """The service's close code and reason, for the log."""
    return f"closed with {error.rcvd.code} {error.rcvd.reason}" if error.rcvd else "broke off"


def is_bad_audio(error: ConnectionClosed) -> bool:
    """Another try would end the same."""
    return error.rcvd is not None and error.rcvd.code == BAD_AUDIO
