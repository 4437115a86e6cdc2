"""The model's reply: BAML builds the request and parses the partials, the event stream is read here.

BAML's own `b.stream` hands partials out on a 50 ms ticker and, when its loop is left, joins its thread on the event
loop for seconds; so only its modular API is on the spoken path. That API runs no strategy client: which of several
clients answers a turn is decided here, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress

import httpx

from media_gateway.errors import NoUsableReply
from media_gateway.llm.client import LlmClient
from media_gateway.llm.completion import read_to_end, tokens_of
from media_gateway.llm.contest import Contender, Contest
from media_gateway.llm.health import ClientHealth
from media_gateway.llm.wire import wire_of
from media_gateway.ports import ClientUsage, PreparedReply, ReplyPart, ReplyRequest, ReplyTrace
from media_gateway.reply_reader import ReplyReader, is_whole
from media_gateway.turn_prompt import NO_TURN, TurnQuestion, context_with_holes, written_moves

LONGEST_REPLY_CHARACTERS = 4000
WARM_WITHIN_S = 2.0


class BamlDialogue:
    """Implements `Dialogue` on the clients of several vendors. Never run against a real one here."""

    def __init__(
        self,
        clients: Sequence[LlmClient],
        *,
        http: httpx.AsyncClient,
        first_token_timeout_s: float = 5.0,
        idle_timeout_s: float = 3.0,
        hedge_after_s: float = 0.0,
        prepares: Sequence[str] = (),
    ) -> None:
        """`clients`: the first is asked unless a request names another; the others stand in, in this order.

        `hedge_after_s`: without a token for so long, the next is asked beside the first; 0: never. `prepares`: whose
        requests are made while the caller still speaks, because a turn may choose them; none: the first client's.
        """
        self._http = http
        self._wires = {client.name: wire_of(client) for client in clients}
        self._health = ClientHealth(list(self._wires))
        self._prepares = tuple(prepares) or tuple(self._wires)[:1]
        self._is_warm = False
        self._first_token_timeout_s = first_token_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._hedge_after_s = hedge_after_s

    async def warm(self) -> None:
        """See `Dialogue`. BAML's first turn of a process takes a quarter of a second: one is built and read unsent."""
        if not self._is_warm:
            self._is_warm = True
            for wire in self._wires.values():
                await wire.build(NO_TURN)
            ReplyReader({"bye": "goodbye"}).finish('{"bye":"Bye."}')
        addresses = dict.fromkeys(wire.client.address for wire in self._wires.values())
        await asyncio.gather(*map(self._connect, addresses))

    async def prepare(self, request: ReplyRequest) -> PreparedReply:
        """See `Dialogue`. BAML takes milliseconds for a prompt on a busy machine; putting words into one takes none."""
        question = _question(request)
        for name in self._prepares:
            await self._build(question, name)
        return question

    async def reply(
        self,
        request: ReplyRequest,
        trace: ReplyTrace | None = None,
        prepared: PreparedReply | None = None,
    ) -> AsyncGenerator[ReplyPart, None]:
        """Stream a reply; see `Dialogue`.

        As long as nothing of it was handed out, a client that fails is followed by the next.
        """
        if not isinstance(prepared, TurnQuestion) or not prepared.fits(request):
            prepared = _question(request)
        contest = self._contest(request, prepared, trace or ReplyTrace())
        broken: NoUsableReply | None = None
        async with aclosing(contest):
            while True:
                winner = await contest.winner(broken)
                has_begun = False
                try:
                    reader = ReplyReader(prepared.written)
                    async with aclosing(_parts(winner, reader)) as parts:
                        async for part in parts:
                            has_begun = True
                            yield part
                except NoUsableReply as error:
                    contest.broke(winner, error)
                    # A move that is not allowed is the model's answer, and goes on record as one.
                    if has_begun or error.reason == "move":
                        raise
                    broken = error
                else:
                    return

    def _contest(self, request: ReplyRequest, question: TurnQuestion, trace: ReplyTrace) -> Contest:
        deadline_s = asyncio.get_running_loop().time() + self._first_token_timeout_s

        async def ask(usage: ClientUsage) -> AsyncGenerator[str, None]:
            wire = self._wires[usage.client]
            await self._build(question, usage.client)
            url, headers, body = question.filled(usage.client, request)
            return tokens_of(
                self._http,
                wire,
                self._http.build_request(
                    "POST", url, headers=await wire.signer.sign(url, headers, body), content=body
                ),
                trace,
                usage,
                first_token_by_s=deadline_s,
                idle_timeout_s=self._idle_timeout_s,
            )

        return Contest(
            ask,
            chosen=request.client,
            health=self._health,
            trace=trace,
            deadline_s=deadline_s,
            hedge_after_s=self._hedge_after_s,
        )

    async def _build(self, question: TurnQuestion, name: str) -> None:
        if name not in question.built:
            question.built[name] = await self._wires[name].build(
                context_with_holes(question.request)
            )

    async def _connect(self, address: str) -> None:
        with suppress(httpx.HTTPError):  # any answer will do, and the turn itself tells of none
            await self._http.head(address, timeout=WARM_WITHIN_S)


def _question(request: ReplyRequest) -> TurnQuestion:
    return TurnQuestion(request=request, written=written_moves(request))


async def _parts(winner: Contender, reader: ReplyReader) -> AsyncGenerator[ReplyPart, None]:
    """What a client's tokens say. Raises NoUsableReply."""
    text = ""
    token: str | None = winner.first.result()
    while token is not None:
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
            if winner.tokens is not None:
                await read_to_end(winner.tokens)
            return
        token = await winner.rest()
    for part in reader.finish(text):
        yield part
