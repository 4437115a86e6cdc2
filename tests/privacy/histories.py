"""Calls whose history is read as somebody with nothing but Temporal's database could."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from temporalio.client import Client, WorkflowHistory
from temporalio.converter import DataConverter

from callspine.privacy.keys import new_key
from callspine.settings import Settings
from workflows.contracts.payloads import CallResult

PLAIN: dict[str, str] = {}
ENCRYPTED = {"codec_keys": new_key("k1")}


def settings(**changes: str) -> Settings:
    """Settings that read neither this machine's environment nor its `.env`."""
    return Settings(_env_file=None, **changes)  # type: ignore[arg-type]


def client_with(client: Client, converter: DataConverter) -> Client:
    """The same connection with other eyes."""
    return Client(**(client.config() | {"data_converter": converter}))


def readable(history: WorkflowHistory) -> str:
    """All that stands in a history: its JSON, and every payload's bytes as text."""
    raw = json.loads(history.to_json())
    payloads = [base64.b64decode(data).decode("utf-8", "replace") for data in _data(raw)]
    return "\n".join([json.dumps(raw), *payloads])


def _data(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for item in part:
            yield from _data(item)
    elif isinstance(part, dict):
        for key, value in part.items():
            if key == "data" and isinstance(value, str):
                yield value
            else:
                yield from _data(value)


def raw_payloads(history: WorkflowHistory) -> list[dict[str, Any]]:
    """Every payload of a history but search attributes, as the UI would send it to a codec server."""
    return list(_payloads(json.loads(history.to_json())))


def _payloads(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for item in part:
            yield from _payloads(item)
    elif isinstance(part, dict):
        if "metadata" in part and "encoding" in part["metadata"]:
            yield part
            return
        for key, value in part.items():
            if key != "searchAttributes":
                yield from _payloads(value)


def said(result: CallResult) -> set[str]:
    """What both sides said in a call, and what the call found out."""
    turns = {words for turn in result.turns for words in (turn.caller_words, turn.heard_words)}
    return {words for words in turns | set(map(str, result.slots.values())) if len(words) > 3}
