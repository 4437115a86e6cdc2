"""PURE. Which of a few kinds a vendor's failure is: a metric's label must not take whatever text a vendor sends."""

from __future__ import annotations

import re

_STATUS = re.compile(r"HTTP (\d{3})")
_WORDS = {
    "timeout": ("timeout", "in time", "no answer"),
    "malformed": ("malformed", "not a"),
    "closed": ("closed",),
    "refused": ("move", "aborted"),
    "unreachable": ("oserror", "gaierror", "connection", "unreachable", "invalidhandshake"),
}
"""The model's reasons are words of this kind already; see `NoUsableReply`."""
_MODELS = {
    "key": "auth",
    "rate": "rate_limit",
    "server": "server",
    "request": "http",
    "silent": "timeout",
}
"""What `FailureKind` calls otherwise."""
KINDS = frozenset({"auth", "rate_limit", "server", "http", "other", *_WORDS})


def kind_of(reason: str) -> str:
    """One of KINDS. `reason` is what `VendorUnavailable` or `NoUsableReply` says."""
    if found := _STATUS.search(reason):
        status = int(found[1])
        if status in (401, 403):
            return "auth"
        if status == 429:
            return "rate_limit"
        return "server" if status >= 500 else "http"
    text = reason.lower()
    if text in _MODELS:
        return _MODELS[text]
    if text == "http":
        return "http"
    return next((kind for kind, words in _WORDS.items() if any(w in text for w in words)), "other")
