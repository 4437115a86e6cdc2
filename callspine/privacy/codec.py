"""Decides what Temporal may read of a payload: nothing but which key encrypted it and how it was encoded before.

AES-256-GCM. The plain text is the whole payload; key id and former encoding are bound to it as associated data.
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from callspine.privacy.keys import CodecKey

ENCRYPTED = b"binary/encrypted"
KEY_ID = "encryption-key-id"
CIPHER = "encryption-cipher"
FORMER_ENCODING = "original-encoding"
AES_256_GCM = b"AES-256-GCM"
NONCE_BYTES = 12
"""96 random bits: NIST SP 800-38D, 8.2.2 allows 2**32 payloads a key; rotate long before."""
TAG_BYTES = 16


class CodecError(Exception):
    """An encrypted payload that this process cannot read; the message says why and holds no key and no word."""


class AesGcmCodec(PayloadCodec):
    """Encrypts with the first key, decrypts with every key.

    What is not encrypted passes through `decode`: calls that began before encryption was switched on go on.
    """

    def __init__(self, keys: Sequence[CodecKey]) -> None:
        if not keys:
            raise ValueError("a codec needs at least one key")
        self._ciphers = {key.key_id: AESGCM(key.secret) for key in keys}
        self._writes = keys[0].key_id
        # A key of its own: one key must not serve two ciphers.
        self._telling_apart = HKDF(
            algorithm=SHA256(), length=32, salt=None, info=b"callspine fingerprint"
        ).derive(keys[0].secret)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each payload that is not encrypted yet. Whatever fails raises: nothing is passed on in plain."""
        return [
            payload if is_encrypted(payload) else self._encrypt(payload) for payload in payloads
        ]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt each encrypted payload. Raises CodecError for an unknown key, a wrong key or a changed payload."""
        return [
            self._decrypt(payload) if is_encrypted(payload) else payload for payload in payloads
        ]

    def fingerprint(self, plain: bytes) -> str:
        """Equal for equal texts, and tells nothing else to who has no key."""
        return hmac.digest(self._telling_apart, plain, "sha256").hex()

    def _encrypt(self, payload: Payload) -> Payload:
        former = payload.metadata.get("encoding", b"")
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self._writes].encrypt(
            nonce, payload.SerializeToString(), _bound(self._writes, former)
        )
        return Payload(
            metadata={
                "encoding": ENCRYPTED,
                CIPHER: AES_256_GCM,
                KEY_ID: self._writes.encode(),
                FORMER_ENCODING: former,
            },
            data=nonce + sealed,
        )

    def _decrypt(self, payload: Payload) -> Payload:
        key_id = _key_id(payload)
        if payload.metadata.get(CIPHER) != AES_256_GCM:
            raise CodecError("a payload was encrypted by another codec than this one")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise CodecError(
                f"a payload was encrypted with key {key_id!r}, and this process has no such key: "
                f"add {key_id}:<its key> to CALLSPINE_CODEC_KEYS, behind the first one"
            )
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        bound = _bound(key_id, payload.metadata.get(FORMER_ENCODING, b""))
        # A shorter one would be a ValueError of the library's, about its arguments.
        if len(sealed) < TAG_BYTES:
            raise _does_not_fit(key_id)
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, bound))
        except (InvalidTag, DecodeError):
            raise _does_not_fit(key_id) from None


def is_encrypted(payload: Payload) -> bool:
    """Whether a payload says that it is encrypted."""
    return payload.metadata.get("encoding") == ENCRYPTED


def require_plain(payloads: Sequence[Payload]) -> None:
    """For a process without any key: raises CodecError for a payload that needs one."""
    for payload in payloads:
        if is_encrypted(payload):
            key_id = _key_id(payload)
            raise CodecError(
                f"a payload was encrypted with key {key_id!r}, and this process has no keys: "
                f"set CALLSPINE_CODEC_KEYS to {key_id}:<its key>"
            )


def _key_id(payload: Payload) -> str:
    return payload.metadata.get(KEY_ID, b"").decode(errors="replace")


def _bound(key_id: str, former_encoding: bytes) -> bytes:
    """Associated data: JSON, so that no two pairs have the same bytes."""
    return json.dumps(["callspine-1", key_id, former_encoding.decode("latin-1")]).encode()


def _does_not_fit(key_id: str) -> CodecError:
    return CodecError(
        f"a payload encrypted with key {key_id!r} cannot be opened: CALLSPINE_CODEC_KEYS holds another key "
        "under this id than the one that encrypted it, or the payload was changed"
    )
