"""One streamed completion over HTTP: its tokens, each within its time. Left early, its connection closes at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, suppress
from math import ceil

import httpx
import structlog
from httpx_sse import EventSource, SSEError

from media_gateway.errors import NoUsableReply
from media_gateway.ports import ReplyTrace

log = structlog.get_logger(__name__)

END_WITHIN_S = 0.25
"""For the end of an answer whose content is complete: it comes with the last event, or is not worth a caller's wait."""

CHARACTERS_A_TOKEN = 4
"""Of English, at most; for vendors that put several tokens into one event."""


async def tokens_of(
    http: httpx.AsyncClient,
    request: httpx.Request,
    trace: ReplyTrace,
    *,
    first_token_timeout_s: float,
    idle_timeout_s: float,
) -> AsyncGenerator[str, None]:
    """The completion's text as it comes; events without text are passed over. Close it (`aclosing`) in the task that reads.

    Raises NoUsableReply (timeout, http, malformed). Only the model's time counts, never the time that the reader takes.
    """
    loop = asyncio.get_running_loop()
    trace.request_sent_s = loop.time()
    pieces = characters = 0
    due_s = loop.time() + first_token_timeout_s
    try:
        async with AsyncExitStack() as open_until_left:
            async with asyncio.timeout_at(due_s):
                response = await http.send(request, stream=True)
            open_until_left.push_async_callback(response.aclose)
            if response.status_code != 200:
                log.warning("model_refused", status=response.status_code)
                raise NoUsableReply("http")
            events = EventSource(response).aiter_sse()
            await open_until_left.enter_async_context(aclosing(events))
            while True:
                # Around each event and never around a `yield`: there the time-out would strike the reader.
                async with asyncio.timeout_at(due_s):
                    event = await anext(events, None)
                if event is None:
                    return
                if event.data == "[DONE]":
                    await read_to_end(events)
                    return
                token, counted = _read(event.data)
                pieces, characters = pieces + bool(token), characters + len(token)
                least = max(pieces, ceil(characters / CHARACTERS_A_TOKEN))
                trace.tokens_written = counted or max(trace.tokens_written, least)
                if token:
                    trace.first_token_s = trace.first_token_s or loop.time()
                    yield token
                    due_s = loop.time() + idle_timeout_s
    except TimeoutError:
        raise NoUsableReply("timeout") from None
    except (httpx.HTTPError, SSEError) as error:
        log.warning("model_unreachable", error=type(error).__name__)
        raise NoUsableReply("http") from error


async def read_to_end(rest: AsyncIterator[object]) -> None:
    """Read what follows a complete answer: HTTP/1.1 keeps a connection for the next turn only if it was read to its end."""
    with suppress(TimeoutError, NoUsableReply, httpx.HTTPError, SSEError):
        async with asyncio.timeout(END_WITHIN_S):
            async for _ in rest:
                pass


def _read(data: str) -> tuple[str, int]:
    """An event's text, and the vendor's own count of all tokens written; 0 where it tells none."""
    try:
        event = json.loads(data)
        choices = event["choices"]
        content = choices[0]["delta"].get("content") if choices else ""
        counted = (event.get("usage") or {}).get("completion_tokens")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise NoUsableReply("malformed") from None
    return (
        content if isinstance(content, str) else "",
        counted if isinstance(counted, int) and counted > 0 else 0,
    )
