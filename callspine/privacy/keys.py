"""PURE. Which texts are a list of encryption keys: `id:base64key[,id:base64key…]`, the first one encrypts.

A refusal names an entry by its place only: a key that stands in an id's place must not be printed either.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field

KEY_BYTES = 32
"""AES-256."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")


@dataclass(frozen=True, kw_only=True)
class CodecKey:
    """One key. Its id stands in clear beside all that it encrypted."""

    key_id: str
    secret: bytes = field(repr=False)


def parse_keys(text: str) -> tuple[CodecKey, ...]:
    """The keys, in order; none for an empty text. Raises ValueError that says what is wrong and holds no part of it."""
    if not text.strip():
        return ()
    keys: list[CodecKey] = []
    for place, entry in enumerate(text.split(","), start=1):
        key_id, colon, encoded = entry.strip().partition(":")
        if not colon:
            raise ValueError(
                f"entry {place} is not id:base64key (`callspine codec new-key` makes one)"
            )
        if not key_id:
            raise ValueError(f"entry {place} has an empty id")
        if not _ID.fullmatch(key_id):
            raise ValueError(
                f"the id of entry {place} must be 1 to 32 letters, digits, dots, dashes or underscores"
            )
        for earlier, other in enumerate(keys, start=1):
            if other.key_id == key_id:
                raise ValueError(f"entries {earlier} and {place} have the same id")
        keys.append(CodecKey(key_id=key_id, secret=_secret(encoded, place)))
    return tuple(keys)


def _secret(encoded: str, place: int) -> bytes:
    try:
        secret = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"the key of entry {place} is not base64") from None
    if len(secret) != KEY_BYTES:
        raise ValueError(
            f"the key of entry {place} has {len(secret)} bytes, and must have {KEY_BYTES} "
            "(`callspine codec new-key` makes one)"
        )
    return secret


def new_key(key_id: str) -> str:
    """A fresh `id:base64key`."""
    text = f"{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"
    parse_keys(text)
    return text
