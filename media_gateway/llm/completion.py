"""One streamed completion over HTTP: its tokens, each within its time. Left early, its connection closes at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, suppress
from math import ceil

import httpx
import structlog
from httpx_sse import SSEError

from media_gateway.errors import NoUsableReply
from media_gateway.llm.events import Progress
from media_gateway.llm.failures import CompletionFailed, FailureKind, failed, refusal
from media_gateway.llm.wire import Wire
from media_gateway.ports import ClientUsage, ReplyTrace

log = structlog.get_logger(__name__)

END_WITHIN_S = 0.25
"""For the end of an answer whose content is complete: it comes with the last event, or is not worth a caller's wait."""

CHARACTERS_A_TOKEN = 4
"""Of English, at most; for vendors that put several tokens into one event."""
_STALE = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
"""How a kept connection looks that the vendor has closed meanwhile."""


async def tokens_of(
    http: httpx.AsyncClient,
    wire: Wire,
    request: httpx.Request,
    trace: ReplyTrace,
    usage: ClientUsage,
    *,
    first_token_by_s: float,
    idle_timeout_s: float,
) -> AsyncGenerator[str, None]:
    """The completion's text as it comes; events without text are passed over. Close it (`aclosing`) before going on.

    `first_token_by_s` is on the loop's clock. Raises CompletionFailed. Only the model's time counts, never the time that
    the reader takes.
    """
    loop = asyncio.get_running_loop()
    name = wire.client.name
    trace.request_sent_s = trace.request_sent_s or loop.time()
    usage.prompt_tokens = ceil(len(request.content) / CHARACTERS_A_TOKEN)
    pieces = characters = 0
    due_s = first_token_by_s
    try:
        async with AsyncExitStack() as open_until_left:
            async with asyncio.timeout_at(due_s):
                response = await _sent(http, request)
            open_until_left.push_async_callback(response.aclose)
            if response.status_code != 200:
                log.warning("model_refused", client=name, status=response.status_code)
                raise CompletionFailed(refusal(response.status_code, response.headers))
            frames = wire.frames(response)
            await open_until_left.enter_async_context(aclosing(frames))
            while True:
                # Around each event and never around a `yield`: there the time-out would strike the reader.
                async with asyncio.timeout_at(due_s):
                    frame = await anext(frames, None)
                if frame is None:
                    return
                progress = wire.read(frame)
                text = progress.text
                pieces, characters = pieces + bool(text), characters + len(text)
                least = max(pieces, ceil(characters / CHARACTERS_A_TOKEN))
                _count(progress, least, usage, trace)
                if text:
                    trace.first_token_s = trace.first_token_s or loop.time()
                    yield text
                    due_s = loop.time() + idle_timeout_s
                if progress.is_last:
                    await read_to_end(frames)
                    return
    except TimeoutError:
        raise failed(FailureKind.SILENT) from None
    except SSEError as error:  # a page of some proxy, with status 200
        log.warning("model_unreadable", client=name)
        raise failed(FailureKind.MALFORMED) from error
    except httpx.HTTPError as error:
        log.warning("model_unreachable", client=name, error=type(error).__name__)
        raise failed(FailureKind.UNREACHABLE) from error


async def read_to_end(rest: AsyncIterator[object]) -> None:
    """Read what follows a complete answer: HTTP/1.1 keeps a connection for the next turn only if it was read to its end."""
    with suppress(TimeoutError, NoUsableReply, httpx.HTTPError, SSEError):
        async with asyncio.timeout(END_WITHIN_S):
            async for _ in rest:
                pass


async def _sent(http: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    try:
        return await http.send(request, stream=True)
    except _STALE:
        return await http.send(request, stream=True)


def _count(progress: Progress, least: int, usage: ClientUsage, trace: ReplyTrace) -> None:
    before = usage.tokens_written
    if progress.prompt_tokens:
        usage.prompt_tokens = progress.prompt_tokens
    if progress.tokens_written:
        usage.tokens_written, usage.is_estimate = progress.tokens_written, False
    elif usage.is_estimate:
        usage.tokens_written = max(before, least)
    trace.tokens_written += usage.tokens_written - before
