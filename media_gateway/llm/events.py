"""PURE. What one event of a vendor's stream says: text, its own count of tokens, the end, or an error.

From the vendors' published documents (OpenAI chat completion chunks, Anthropic message events, Bedrock ConverseStream);
never seen from a real endpoint here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from media_gateway.llm.failures import CompletionFailed, FailureKind, failed, named

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One event as the wire cuts it."""

    event: str
    """Its type, where the wire names one."""
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What an event adds."""

    text: str = ""
    prompt_tokens: int = 0
    """The vendor's count; 0 where it tells none."""
    tokens_written: int = 0
    """The vendor's count of all so far; 0 where it tells none."""
    is_last: bool = False


Read = Callable[[Frame], Progress]
"""Raises CompletionFailed for an event that tells of an error, or that is none."""


def read_openai(frame: Frame) -> Progress:
    """Chat completion chunks: OpenAI, Azure, Groq and whoever copies them."""
    if frame.data == "[DONE]":
        return Progress(is_last=True)
    event = _object(frame.data)
    if error := event.get("error"):
        raise _told(error, "type", "code")
    try:
        choices = event["choices"]
        # Azure's asynchronous content filter and a few copies send choices that hold no delta.
        delta = (choices[0].get("delta") if choices else None) or {}
        content = delta.get("content")
        usage = event.get("usage") or (event.get("x_groq") or {}).get("usage") or {}
        return Progress(
            text=content if isinstance(content, str) else "",
            prompt_tokens=_count(usage.get("prompt_tokens")),
            tokens_written=_count(usage.get("completion_tokens")),
        )
    except (KeyError, IndexError, TypeError, AttributeError):
        raise failed(FailureKind.MALFORMED) from None


def read_anthropic(frame: Frame) -> Progress:
    """Message events; types that are not known are passed over, as Anthropic asks."""
    event = _object(frame.data)
    try:
        match event.get("type"):
            case "message_start":
                usage = event["message"].get("usage") or {}
                cached = (
                    _count(usage.get(f"cache_{kind}_input_tokens")) for kind in ("creation", "read")
                )
                # Its `output_tokens` here is a beginning of one or so: the count comes at the end.
                return Progress(prompt_tokens=_count(usage.get("input_tokens")) + sum(cached))
            case "content_block_delta":
                delta = event["delta"]
                is_text = delta["type"] == "text_delta"
                return Progress(text=str(delta["text"]) if is_text else "")
            case "message_delta":
                usage = event.get("usage") or {}
                return Progress(tokens_written=_count(usage.get("output_tokens")))
            case "message_stop":
                return Progress(is_last=True)
            case "error":
                raise _told(event.get("error"), "type")
            case str():
                return Progress()
            case _:
                raise failed(FailureKind.MALFORMED)
    except (KeyError, TypeError, AttributeError):
        raise failed(FailureKind.MALFORMED) from None


def read_bedrock(frame: Frame) -> Progress:
    """ConverseStream's events. The last one, `metadata`, comes behind `messageStop` and has the counts."""
    event = _object(frame.data)
    try:
        match frame.event:
            case "contentBlockDelta":
                return Progress(text=str(event["delta"].get("text", "")))
            case "metadata":
                usage = event.get("usage") or {}
                return Progress(
                    prompt_tokens=_count(usage.get("inputTokens")),
                    tokens_written=_count(usage.get("outputTokens")),
                    is_last=True,
                )
            case _:
                return Progress()
    except (KeyError, TypeError, AttributeError):
        raise failed(FailureKind.MALFORMED) from None


def _object(data: str) -> Json:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        event = None
    if not isinstance(event, dict):
        raise failed(FailureKind.MALFORMED)
    return event


def _told(error: object, *keys: str) -> CompletionFailed:
    words = [str(error.get(key) or "") for key in keys] if isinstance(error, dict) else [str(error)]
    return CompletionFailed(named(" ".join(words)))


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
