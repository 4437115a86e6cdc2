"""An OpenAI-compatible `chat/completions`, streaming and not, that plays the model by reading the prompt."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from rehearsal.vendors.prompt import message_text, read_turn
from rehearsal.vendors.script_reader import ScriptReader

router = APIRouter()

TOKEN_EVERY_S = 0.006


@router.post("/v1/chat/completions")
async def complete(request: Request) -> Response:
    """One completion."""
    if not request.headers.get("authorization", "").startswith("Bearer "):
        raise HTTPException(401, "no API key")
    body: dict[str, Any] = await request.json()
    reader: ScriptReader = request.app.state.reader
    text = await asyncio.get_running_loop().run_in_executor(
        request.app.state.reader_thread, _answer, reader, body.get("messages", [])
    )
    model = str(body.get("model", ""))
    if body.get("stream"):
        return StreamingResponse(_events(model, text), media_type="text/event-stream")
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "stop",
    }
    return JSONResponse({**_head(model, "chat.completion"), "choices": [choice]})


def _answer(reader: ScriptReader, messages: list[dict[str, Any]]) -> str:
    system, user = message_text(messages, "system"), message_text(messages, "user")
    if "## Moves" in system:
        answer = reader.take_turn(read_turn(system, user))
        return json.dumps(answer, separators=(",", ":"))
    return json.dumps(reader.read_call(system, user))


async def _events(model: str, text: str) -> AsyncIterator[str]:
    head = _head(model, "chat.completion.chunk")
    for token in re.findall(r"\s*\S{1,6}", text):
        choice = {"index": 0, "delta": {"content": token}, "finish_reason": None}
        yield f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"
        await asyncio.sleep(TOKEN_EVERY_S)
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield f"data: {json.dumps({**head, 'choices': [last]})}\n\n"
    yield "data: [DONE]\n\n"


def _head(model: str, kind: str) -> dict[str, object]:
    return {"id": "chatcmpl-rehearsal", "object": kind, "created": int(time.time()), "model": model}
