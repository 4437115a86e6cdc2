"""Decides which payloads go into the database instead of Temporal's history: everything of a call but query answers.

A claim check as a payload codec, outside the encryption: the row holds the encrypted payload, the history the call's
workflow id and a row's key. The SDK's own `ExternalStorage` (1.35, experimental) was weighed and left, because

- it runs behind the codec and sees a fresh cipher text each time. A replay hands over everything again, so each
  restarted worker and each look at a finished call would leave another copy;
- it files a child workflow's result under the parent's id, so that forgetting a call would leave its transcript;
- it stores query answers: every look at a live call would write the whole transcript again;
- the UI's codec server could only resolve its references by private parts of the SDK.

"Everything" is the rule because it cannot go stale: a new message that holds words is covered before anyone thinks of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from callspine.privacy.codec import AesGcmCodec, CodecError, require_plain
from callspine.privacy.query_answers import is_query_answer
from callspine.privacy.word_store import IsForgotten, Words
from callspine.privacy.word_threads import CallForgotten, StoreInThreads
from workflows.contracts.payloads import call_workflow_id

REFERENCE = b"json/callspine-words"
"""No converter knows this encoding: a process without this codec gets an error, never a wrong value."""
_CALLS = call_workflow_id("")


class WordsForgotten(CodecError):
    """The words were deleted on purpose."""


@dataclass(frozen=True, kw_only=True)
class WordsCodec(PayloadCodec, WithSerializationContext):
    """Reads references always, so that calls go on when the setting changes; writes them when told to."""

    words: StoreInThreads
    sealing: AesGcmCodec | None
    """Encrypts rows and what stays in history; None: neither is encrypted."""
    writes: bool
    workflow_id: str = ""
    """Of the payloads at hand; the SDK gives it by `with_context`."""

    def with_context(self, context: SerializationContext) -> WordsCodec:
        """This codec for the payloads of one workflow."""
        match context:
            case WorkflowSerializationContext() | ActivitySerializationContext():
                return replace(self, workflow_id=context.workflow_id or "")
            case _:
                return self

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt; keep a call's payloads and put references in their places. Raises WordStoreAway, CallForgotten."""
        encoded = list(payloads)
        for place, payload in enumerate(payloads):
            if self.sealing and not _is_reference(payload):
                [encoded[place]] = await self.sealing.encode([payload])
        kept = [place for place, payload in enumerate(payloads) if self._is_kept(payload)]
        if not kept:
            return encoded
        rows = [
            Words(
                fingerprint=self._fingerprint(payloads[place]),
                body=encoded[place].SerializeToString(),
            )
            for place in kept
        ]
        try:
            keys = await self.words.ask(self.words.store.keep, self.workflow_id, rows)
        except IsForgotten:
            raise CallForgotten(self.workflow_id) from None
        for place, key in zip(kept, keys, strict=True):
            encoded[place] = _reference(self.workflow_id, key)
        return encoded

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Fetch what is referenced, decrypt. Raises CodecError saying why words cannot be had, WordStoreAway."""
        wanted = {
            place: _claim(payload)
            for place, payload in enumerate(payloads)
            if _is_reference(payload)
        }
        fetched = list(payloads)
        if wanted:
            keys = [key for _, key in wanted.values()]
            found = await self.words.ask(self.words.store.read, keys)
            for place, (workflow_id, key) in wanted.items():
                if key not in found:
                    raise await self._why_missing(workflow_id)
                fetched[place] = Payload.FromString(found[key])
        if self.sealing:
            return await self.sealing.decode(fetched)
        require_plain(fetched)
        return fetched

    def _is_kept(self, payload: Payload) -> bool:
        return (
            self.writes
            and self.workflow_id.startswith(_CALLS)
            and not _is_reference(payload)
            and not is_query_answer(payload)
        )

    def _fingerprint(self, payload: Payload) -> str:
        plain = payload.SerializeToString(deterministic=True)
        if self.sealing:
            return self.sealing.fingerprint(plain)
        return hashlib.sha256(plain).hexdigest()

    async def _why_missing(self, workflow_id: str) -> CodecError:
        forgotten_at = await self.words.ask(self.words.store.forgotten_at, workflow_id)
        if forgotten_at is not None:
            return WordsForgotten(
                f"the words of {workflow_id} were deleted on {forgotten_at:%Y-%m-%d}: "
                "it can be neither read nor replayed"
            )
        return CodecError(
            f"the words of {workflow_id} are not in this process's database: gateways, workers and "
            "commands need the same CALLSPINE_DATABASE_URL"
        )


def _is_reference(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == REFERENCE


def _reference(workflow_id: str, key: str) -> Payload:
    return Payload(
        metadata={"encoding": REFERENCE},
        data=json.dumps({"words_of": workflow_id, "key": key}).encode(),
    )


def _claim(payload: Payload) -> tuple[str, str]:
    try:
        claim = json.loads(payload.data)
        return str(claim["words_of"]), str(claim["key"])
    except (ValueError, KeyError, TypeError):
        raise CodecError("a reference to a call's words cannot be read: it was changed") from None
