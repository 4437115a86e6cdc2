"""Opens a speech vendor's WebSocket, and says of a failure what the next step depends on. No key is in any message."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from websockets.asyncio.client import ClientConnection, connect
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus, WebSocketException

from media_gateway.errors import VendorUnavailable

LONGEST_RETRY_AFTER_S = 60.0
"""A vendor that asks for more is probed anyway."""
REFUSED_FOR_GOOD = frozenset({400, 401, 402, 403, 404})
"""HTTP statuses that another try soon will not change: the key, the plan, the voice."""
CLOSE_WITHIN_S = 1.0
ABNORMAL = 1006
"""No close frame came."""


async def open_socket(
    vendor: str, url: str, headers: Mapping[str, str], *, within_s: float
) -> ClientConnection:
    """Connect. Raises VendorUnavailable, with `is_lasting` and `retry_after_s` as the vendor's answer has them."""
    try:
        async with asyncio.timeout(within_s):
            return await connect(
                url,
                additional_headers=headers,
                open_timeout=None,
                close_timeout=CLOSE_WITHIN_S,
                compression=None,
                proxy=None,
            )
    except InvalidStatus as error:
        raise refusal(vendor, error.response.status_code, error.response.headers) from error
    except (OSError, TimeoutError, WebSocketException) as error:
        raise VendorUnavailable(vendor, f"cannot connect: {type(error).__name__}") from error


def refusal(vendor: str, status: int, headers: Headers | None = None) -> VendorUnavailable:
    """The error for an HTTP status, of a handshake or of a message."""
    reason = f"refused with HTTP {status}"
    if status in REFUSED_FOR_GOOD:
        reason += ": see the key, the plan and the voice in the settings"
    return VendorUnavailable(
        vendor,
        reason,
        is_lasting=status in REFUSED_FOR_GOOD,
        retry_after_s=retry_after_s(headers) if status in (429, 503) else None,
    )


def closed(vendor: str, socket: ClientConnection) -> VendorUnavailable:
    """The error for a socket that ended: the vendor's close code and reason, if there was a close frame."""
    code, reason = socket.close_code, socket.close_reason
    how = "without a word" if code in (None, ABNORMAL) else f"with {code} {reason or ''}".rstrip()
    return VendorUnavailable(vendor, f"socket closed {how}"[:120])


def retry_after_s(headers: Headers | None) -> float | None:
    """The header's seconds in either of its forms, within bounds; nonsense is none."""
    text = headers.get("Retry-After", "") if headers is not None else ""
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else min(LONGEST_RETRY_AFTER_S, max(0.0, seconds))
