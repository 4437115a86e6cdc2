"""Encryption of payloads: what comes back, what is refused, and what a refusal tells."""

from __future__ import annotations

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from callspine.privacy.codec import AesGcmCodec, CodecError, is_encrypted
from callspine.privacy.keys import CodecKey, new_key, parse_keys

OLD = CodecKey(key_id="k1", secret=bytes(range(32)))
NEW = CodecKey(key_id="k2", secret=bytes(range(1, 33)))
WORDS = Payload(metadata={"encoding": b"json/plain"}, data=b'{"caller_words": "it is metal"}')

payloads = st.builds(
    lambda metadata, data: Payload(metadata=metadata, data=data),
    st.dictionaries(st.text(max_size=20), st.binary(max_size=40), max_size=4),
    st.binary(max_size=2000),
).filter(lambda payload: not is_encrypted(payload))


async def encrypted(payload: Payload = WORDS, key: CodecKey = OLD) -> Payload:
    [sealed] = await AesGcmCodec([key]).encode([payload])
    return sealed


async def refusal(payload: Payload, *keys: CodecKey) -> str:
    with pytest.raises(CodecError) as refused:
        await AesGcmCodec(keys).decode([payload])
    assert refused.value.__cause__ is None
    return str(refused.value)


@given(st.lists(payloads, max_size=3))
async def test_what_was_encrypted_comes_back_whole(originals: list[Payload]) -> None:
    codec = AesGcmCodec([NEW, OLD])
    sealed = await codec.encode(originals)
    assert all(is_encrypted(payload) for payload in sealed)
    assert await codec.decode(sealed) == originals


async def test_no_word_shows_and_no_two_cipher_texts_are_alike() -> None:
    first, second = await encrypted(), await encrypted()
    assert b"metal" not in first.SerializeToString()
    assert first.data != second.data
    assert first.data[:12] != second.data[:12]


async def test_the_first_key_encrypts_and_every_key_decrypts() -> None:
    codec = AesGcmCodec([NEW, OLD])
    assert (await codec.encode([WORDS]))[0].metadata["encryption-key-id"] == b"k2"
    assert await codec.decode([await encrypted(key=OLD)]) == [WORDS]


async def test_an_encrypted_payload_is_not_encrypted_again() -> None:
    sealed = await encrypted()
    assert await AesGcmCodec([NEW]).encode([sealed]) == [sealed]


async def test_what_was_never_encrypted_passes_through() -> None:
    assert await AesGcmCodec([OLD]).decode([WORDS]) == [WORDS]


async def test_an_unknown_key_is_named_with_the_remedy() -> None:
    reason = await refusal(await encrypted(), NEW)
    assert "'k1'" in reason
    assert "add k1:<its key> to CALLSPINE_CODEC_KEYS" in reason


async def test_a_wrong_key_under_the_right_id_is_told() -> None:
    impostor = CodecKey(key_id="k1", secret=NEW.secret)
    assert "holds another key under this id" in await refusal(await encrypted(), impostor)


@pytest.mark.parametrize("place", [0, 11, 12, 40, -1])
async def test_a_changed_byte_is_noticed(place: int) -> None:
    sealed = await encrypted()
    changed = bytearray(sealed.data)
    changed[place] ^= 1
    sealed.data = bytes(changed)
    assert "or the payload was changed" in await refusal(sealed, OLD)


@pytest.mark.parametrize("length", [0, 5, 12, 27])
async def test_a_payload_cut_short_is_noticed(length: int) -> None:
    sealed = await encrypted()
    sealed.data = sealed.data[:length]
    assert "or the payload was changed" in await refusal(sealed, OLD)


async def test_the_key_id_and_the_former_encoding_are_bound() -> None:
    same_secret = CodecKey(key_id="k9", secret=OLD.secret)
    renamed = await encrypted()
    renamed.metadata["encryption-key-id"] = b"k9"
    assert "cannot be opened" in await refusal(renamed, OLD, same_secret)
    recoded = await encrypted()
    recoded.metadata["original-encoding"] = b"binary/null"
    assert "cannot be opened" in await refusal(recoded, OLD)


async def test_another_codecs_payload_is_not_taken_for_ours() -> None:
    sealed = await encrypted()
    del sealed.metadata["encryption-cipher"]
    assert "another codec" in await refusal(sealed, OLD)


async def test_encryption_that_fails_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> bytes:
        raise OSError("no entropy")

    monkeypatch.setattr(secrets, "token_bytes", fail)
    with pytest.raises(OSError, match="no entropy"):
        await AesGcmCodec([OLD]).encode([WORDS])


def test_a_fingerprint_needs_the_key() -> None:
    one, other = AesGcmCodec([OLD]), AesGcmCodec([NEW])
    assert one.fingerprint(b"yes") == one.fingerprint(b"yes") != one.fingerprint(b"no")
    assert one.fingerprint(b"yes") != other.fingerprint(b"yes")


SECRET = base64.b64encode(OLD.secret).decode()
SHORT = base64.b64encode(bytes(range(16))).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (SECRET, "entry 1 is not id:base64key"),
        (f"k1:{SECRET},{SECRET}", "entry 2 is not id:base64key"),
        (f":{SECRET}", "entry 1 has an empty id"),
        (f"k1:{SECRET},", "entry 2 is not id:base64key"),
        (f"k1:{SECRET},k2:{SECRET},k1:{SECRET}", "entries 1 and 3 have the same id"),
        ("k1:" + SECRET.replace("A", "!"), "the key of entry 1 is not base64"),
        (f"k1:{SECRET[:-1]}", "the key of entry 1 is not base64"),
        (f"k1:{SHORT}==", "the key of entry 1 has 16 bytes, and must have 32"),
        ("k1:", "the key of entry 1 has 0 bytes"),
        (f"{SECRET}:k1", "the id of entry 1 must be"),
        (f"{SHORT}:k1", "entry 1 is not base64"),
        (f"k one:{SECRET}", "the id of entry 1 must be"),
    ],
)
def test_keys_that_cannot_work_are_refused_without_being_printed(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        parse_keys(text)
    for secret in (SECRET, SHORT, SECRET[:12], SHORT[:12]):
        assert secret not in str(refused.value)


def test_keys_come_in_order_and_show_no_secret() -> None:
    keys = parse_keys(f" k2:{SECRET} , k1:{SECRET}")
    assert [key.key_id for key in keys] == ["k2", "k1"]
    assert parse_keys("") == ()
    assert repr(OLD.secret) not in repr(keys)


def test_a_new_key_can_be_used_and_is_new() -> None:
    [key] = parse_keys(new_key("k7"))
    assert key.key_id == "k7"
    assert new_key("k7") != new_key("k7")
