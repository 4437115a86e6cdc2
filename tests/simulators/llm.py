"""Model vendors on loopback: OpenAI's, Anthropic's and Bedrock's endpoints, answering by a script, with faults.

From the vendors' published documents, never compared with a real endpoint. A request that no step is left for, one that
the real endpoint would refuse, and a step that nobody asked for fail the test.
"""

from __future__ import annotations

import asyncio
import binascii
import json
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

KEY = "sk-simulated"
REGION = "us-east-1"
ACCESS_KEY, SECRET_KEY = "AKIDSIMULATED", "simulated/secret"
PROMPT_TOKENS = 700


class Dialect(Enum):
    OPENAI = auto()
    AZURE = auto()
    ANTHROPIC = auto()
    BEDROCK = auto()


class Fault(Enum):
    NONE = auto()
    STALL = auto()
    """Says no more, and keeps the connection."""
    CUT = auto()
    """Breaks the connection off."""
    BROKEN = auto()
    """An event that is none."""
    ERROR = auto()
    """The vendor's own error within the stream."""
    HALF = auto()
    """Half an event, then the answer's orderly end."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request's answer."""

    text: str = ""
    """Written in pieces of five characters."""
    first_after_s: float = 0.0
    """Before the first token; the head comes at once."""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: Fault = Fault.NONE
    after: int = 0
    """Tokens before the fault."""
    cuts_before_head: bool = False


def answers(reply: dict[str, Any], **details: Any) -> Step:
    """A whole reply."""
    return Step(text=json.dumps(reply, separators=(",", ":")), **details)


class ModelVendor:
    """One vendor's endpoint and all that was asked of it."""

    def __init__(self, dialect: Dialect, steps: Sequence[Step]) -> None:
        self.dialect = dialect
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        self.tokens_sent = 0
        self.problems: list[str] = []
        self.left = asyncio.Event()
        """A client went away before its answer was over."""
        self._steps = list(steps)
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1" if self.dialect is Dialect.OPENAI else self.url

    # --- HTTP --------------------------------------------------------------------------------

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self.connections += 1
        try:
            while head := await self._head(reader):
                method, path, headers = head
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                if method == "HEAD":
                    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                    continue
                if not await self._answer(path, headers, body, reader, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            self._serving.discard(task)
            writer.close()

    async def _head(self, reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        method, path, _ = first.split(" ")
        named = (line.partition(":") for line in lines)
        return method, path, {name.lower(): value.strip() for name, _, value in named}

    async def _answer(
        self,
        path: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Whether the connection stays."""
        asked = json.loads(body)
        self.asked.append(asked)
        self.problems += self._wrong(path, headers, asked, body)
        if not self._steps:
            self.problems.append("asked once more than the script has steps")
            return False
        step = self._steps.pop(0)
        if step.cuts_before_head:
            return False
        if step.status != 200:
            refused = json.dumps({"error": {"message": "no", "type": "simulated"}}).encode()
            lines = [f"HTTP/1.1 {step.status} Refused", f"content-length: {len(refused)}"]
            lines += [f"{name}: {value}" for name, value in step.headers.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + refused)
            await writer.drain()
            return True
        gone = asyncio.create_task(reader.read(1))  # nothing comes here but the client's end
        try:
            return await self._stream(step, writer, gone)
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _stream(
        self, step: Step, writer: asyncio.StreamWriter, gone: asyncio.Task[bytes]
    ) -> bool:
        kind = (
            "application/vnd.amazon.eventstream"
            if self.dialect is Dialect.BEDROCK
            else "text/event-stream"
        )
        writer.write(
            f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        tokens = [step.text[at : at + 5] for at in range(0, len(step.text), 5)]
        if step.fault is not Fault.NONE:
            tokens = tokens[: step.after]
        for data in self._opening():
            self._chunk(writer, data)
        if await self._is_left(gone, step.first_after_s):
            return False
        for token in tokens:
            self._chunk(writer, self._token(token))
            await writer.drain()
            self.tokens_sent += 1
            if await self._is_left(gone, 0):
                return False
        match step.fault:
            case Fault.STALL:
                await self._is_left(gone, 30)
                return False
            case Fault.CUT:
                await writer.drain()
                writer.transport.abort()
                return False
            case Fault.BROKEN:
                self._chunk(writer, self._broken())
            case Fault.ERROR:
                self._chunk(writer, self._error())
            case Fault.HALF:
                whole = self._token("wrong")
                self._chunk(writer, whole[: len(whole) // 2])
            case Fault.NONE:
                for data in self._closing(len(tokens)):
                    self._chunk(writer, data)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _is_left(self, gone: asyncio.Task[bytes], within_s: float) -> bool:
        await asyncio.wait({gone}, timeout=within_s)
        if gone.done():
            self.left.set()
        return gone.done()

    @staticmethod
    def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    # --- dialects ----------------------------------------------------------------------------

    def _opening(self) -> list[bytes]:
        match self.dialect:
            case Dialect.AZURE:
                return [_data({"choices": [], "prompt_filter_results": [{"prompt_index": 0}]})]
            case Dialect.OPENAI:
                return [_data(_delta({"role": "assistant", "content": ""}))]
            case Dialect.ANTHROPIC:
                message = {
                    "id": "msg_1",
                    "role": "assistant",
                    "content": [],
                    "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": 1},
                }
                block = {"type": "text", "text": ""}
                return [
                    _event({"type": "message_start", "message": message}),
                    _event({"type": "content_block_start", "index": 0, "content_block": block}),
                    _event({"type": "ping"}),
                ]
            case Dialect.BEDROCK:
                return [_frame("messageStart", {"role": "assistant"})]

    def _token(self, text: str) -> bytes:
        match self.dialect:
            case Dialect.ANTHROPIC:
                delta = {"type": "text_delta", "text": text}
                return _event({"type": "content_block_delta", "index": 0, "delta": delta})
            case Dialect.BEDROCK:
                return _frame(
                    "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}
                )
            case _:
                return _data(_delta({"content": text}))

    def _closing(self, written: int) -> list[bytes]:
        match self.dialect:
            case Dialect.ANTHROPIC:
                return [
                    _event({"type": "content_block_stop", "index": 0}),
                    _event(
                        {
                            "type": "message_delta",
                            "delta": {"stop_reason": "end_turn"},
                            "usage": {"output_tokens": written},
                        }
                    ),
                    _event({"type": "message_stop"}),
                ]
            case Dialect.BEDROCK:
                usage = {"inputTokens": PROMPT_TOKENS, "outputTokens": written, "totalTokens": 0}
                return [
                    _frame("contentBlockStop", {"contentBlockIndex": 0}),
                    _frame("messageStop", {"stopReason": "end_turn"}),
                    _frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}),
                ]
            case _:
                usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": written}
                finish = {"index": 0, "delta": {}, "finish_reason": "stop"}
                return [
                    _data({"choices": [finish]}),
                    _data({"choices": [], "usage": usage}),
                    b"data: [DONE]\n\n",
                ]

    def _broken(self) -> bytes:
        match self.dialect:
            case Dialect.BEDROCK:
                whole = bytearray(self._token("wrong"))
                whole[-6] ^= 0xFF
                return bytes(whole)
            case Dialect.ANTHROPIC:
                return b'event: content_block_delta\ndata: {"type": "content_blo\n\n'
            case _:
                return b'data: {"choices": [{"del\n\n'

    def _error(self) -> bytes:
        match self.dialect:
            case Dialect.BEDROCK:
                headers = {":message-type": "exception", ":exception-type": "throttlingException"}
                return _message(headers, b'{"message":"slow down"}')
            case Dialect.ANTHROPIC:
                error = {"type": "overloaded_error", "message": "Overloaded"}
                return _event({"type": "error", "error": error})
            case _:
                return _data({"error": {"type": "server_error", "message": "no"}})

    def _wrong(
        self, path: str, headers: dict[str, str], asked: dict[str, Any], body: bytes
    ) -> list[str]:
        """What the real endpoint would refuse."""
        wrong = []
        if "baml-original-url" in headers:
            wrong.append("BAML's own header was sent")
        match self.dialect:
            case Dialect.OPENAI:
                is_right = (
                    path == "/v1/chat/completions"
                    and headers.get("authorization") == f"Bearer {KEY}"
                )
            case Dialect.AZURE:
                is_right = (
                    path == "/openai/deployments/m/chat/completions?api-version=2024-10-21"
                    and headers.get("api-key") == KEY
                )
            case Dialect.ANTHROPIC:
                is_right = (
                    path == "/v1/messages"
                    and headers.get("x-api-key") == KEY
                    and headers.get("anthropic-version") == "2023-06-01"
                    and asked.get("max_tokens", 0) > 0
                )
            case Dialect.BEDROCK:
                is_right = unquote(path) == "/model/m:0/converse-stream" and self._is_signed(
                    path, headers, body
                )
                if not asked.get("inferenceConfig", {}).get("maxTokens"):
                    wrong.append("no inferenceConfig")
        if not is_right:
            wrong.append(f"the endpoint would refuse {path} with {sorted(headers)}")
        if self.dialect is not Dialect.BEDROCK and asked.get("stream") is not True:
            wrong.append("no stream was asked for")
        return wrong

    def _is_signed(self, path: str, headers: dict[str, str], body: bytes) -> bool:
        given = headers.get("authorization", "")
        if given == f"Bearer {KEY}":
            return True
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        signed = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        request = AWSRequest(
            "POST",
            f"http://{headers['host']}{path}",
            data=body,
            headers={name: headers[name] for name in signed if name in headers},
        )
        request.context["timestamp"] = headers["x-amz-date"]
        auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "bedrock", REGION)
        wanted = auth.signature(
            auth.string_to_sign(request, auth.canonical_request(request)), request
        )
        return given.startswith("AWS4-HMAC-SHA256") and given.endswith(f"Signature={wanted}")

    # --- the end -----------------------------------------------------------------------------

    async def close(self) -> None:
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def judge(self) -> None:
        """Fail the test where the script was not followed."""
        assert not self.problems, f"{self.dialect.name}: {self.problems}"
        assert not self._steps, f"{self.dialect.name}: steps that nobody asked for: {self._steps}"


@asynccontextmanager
async def model_vendor(dialect: Dialect, *steps: Step) -> AsyncIterator[ModelVendor]:
    """A vendor that answers request after request by these steps."""
    made = ModelVendor(dialect, steps)
    server = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        await made.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await server.wait_closed()
    made.judge()


def _delta(delta: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}


def _data(event: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


def _event(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\n".encode() + _data(event)


def _frame(kind: str, payload: dict[str, Any]) -> bytes:
    headers = {
        ":event-type": kind,
        ":content-type": "application/json",
        ":message-type": "event",
    }
    return _message(headers, json.dumps(payload).encode())


def _message(headers: dict[str, str], payload: bytes) -> bytes:
    """AWS's event stream: lengths, checksum of them, headers of type 7 (text), payload, checksum of all."""
    block = b"".join(
        struct.pack("!B", len(name))
        + name.encode()
        + struct.pack("!BH", 7, len(value))
        + value.encode()
        for name, value in headers.items()
    )
    lengths = struct.pack("!II", 16 + len(block) + len(payload), len(block))
    prelude = lengths + struct.pack("!I", binascii.crc32(lengths))
    body = prelude + block + payload
    return body + struct.pack("!I", binascii.crc32(body))
