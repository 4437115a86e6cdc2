"""Cuts a vendor's answer into its events: server-sent events, or AWS's binary frames."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import httpx
from httpx_sse import EventSource

from media_gateway.llm.events import Frame
from media_gateway.llm.failures import CompletionFailed, FailureKind, failed, named


async def server_sent(response: httpx.Response) -> AsyncGenerator[Frame, None]:
    """Server-sent events. Raises httpx_sse.SSEError for an answer that is none."""
    events = EventSource(response).aiter_sse()
    async with aclosing(events):
        async for event in events:
            yield Frame(event=event.event, data=event.data)


async def aws_event_stream(response: httpx.Response) -> AsyncGenerator[Frame, None]:
    """AWS's event stream, both checksums of each frame checked. Needs the extra `bedrock`.

    Raises CompletionFailed for a frame that tells of an exception, or that is damaged.
    """
    from botocore.eventstream import EventStreamBuffer, ParserError

    buffer = EventStreamBuffer()
    chunks = response.aiter_bytes()
    try:
        async for chunk in chunks:
            buffer.add_data(chunk)
            for message in buffer:
                kind = message.headers.get(":message-type")
                if kind != "event":
                    name = message.headers.get(":exception-type") or message.headers.get(
                        ":error-code"
                    )
                    raise CompletionFailed(named(str(name)))
                yield Frame(
                    event=str(message.headers.get(":event-type")),
                    data=message.payload.decode("utf-8"),
                )
    except (ParserError, UnicodeDecodeError):
        raise failed(FailureKind.MALFORMED) from None
