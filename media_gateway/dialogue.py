"""The model's reply: BAML builds the request and parses the partials, the event stream is read here.

BAML's own `b.stream` hands partials out on a 50 ms ticker and, when its loop is left, joins its thread on the event
loop for seconds; so only its modular API is on the spoken path.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import httpx
from baml_py import ClientRegistry

from baml_client import b
from media_gateway.completion import read_to_end, tokens_of
from media_gateway.errors import NoUsableReply
from media_gateway.ports import PreparedReply, ReplyPart, ReplyRequest, ReplyTrace
from media_gateway.reply_reader import ReplyReader, is_whole
from media_gateway.turn_prompt import NO_TURN, TurnQuestion, context_with_holes, written_moves

_CLIENT = "Chosen"
LONGEST_REPLY_CHARACTERS = 4000
WARM_WITHIN_S = 2.0


class BamlDialogue:
    """Implements `Dialogue` on any OpenAI-compatible endpoint. Never run against a real one here."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        model: str,
        http: httpx.AsyncClient,
        first_token_timeout_s: float = 5.0,
        idle_timeout_s: float = 3.0,
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._is_warm = False
        self._first_token_timeout_s = first_token_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._registry = ClientRegistry()
        options = {"base_url": base_url, "api_key": api_key, "model": model, "temperature": 0.2}
        self._registry.add_llm_client(_CLIENT, "openai-generic", options)
        self._registry.set_primary(_CLIENT)

    async def warm(self) -> None:
        """See `Dialogue`. BAML's first turn of a process takes a quarter of a second: one is built and read unsent."""
        if not self._is_warm:
            self._is_warm = True
            await b.stream_request.TakeTurn(NO_TURN, {"client_registry": self._registry})
            ReplyReader({"bye": "goodbye"}).finish('{"bye":"Bye."}')
        with suppress(httpx.HTTPError):  # any answer will do, and the turn itself tells of none
            await self._http.head(self._base_url, timeout=WARM_WITHIN_S)

    async def prepare(self, request: ReplyRequest) -> PreparedReply:
        """See `Dialogue`. BAML takes milliseconds for a prompt on a busy machine; putting words into one takes none."""
        return await self._prepare(request)

    async def reply(
        self,
        request: ReplyRequest,
        trace: ReplyTrace | None = None,
        prepared: PreparedReply | None = None,
    ) -> AsyncGenerator[ReplyPart, None]:
        """Stream a reply; see `Dialogue`."""
        if not isinstance(prepared, TurnQuestion) or not prepared.fits(request):
            prepared = await self._prepare(request)
        reader = ReplyReader(prepared.written)
        text = ""
        tokens = tokens_of(
            self._http,
            self._http.build_request(
                "POST", prepared.url, headers=prepared.headers, content=prepared.body_for(request)
            ),
            trace or ReplyTrace(),
            first_token_timeout_s=self._first_token_timeout_s,
            idle_timeout_s=self._idle_timeout_s,
        )
        async with aclosing(tokens):
            async for token in tokens:
                text += token
                if len(text) > LONGEST_REPLY_CHARACTERS:
                    # Not even looked at: nested deeply enough, it would end the process in BAML's parser.
                    raise NoUsableReply("malformed")
                for part in reader.read(text):
                    yield part
                if "}" in token and is_whole(text):
                    # The last words need not wait for the end of the stream.
                    for part in reader.finish(text):
                        yield part
                    await read_to_end(tokens)
                    return
        for part in reader.finish(text):
            yield part

    async def _prepare(self, request: ReplyRequest) -> TurnQuestion:
        built = await b.stream_request.TakeTurn(
            context_with_holes(request), {"client_registry": self._registry}
        )
        return TurnQuestion(
            request=request,
            written=written_moves(request),
            url=built.url,
            headers={k: v for k, v in built.headers.items() if k != "baml-original-url"},
            body=built.body.json(),
        )
