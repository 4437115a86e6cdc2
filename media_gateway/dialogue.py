"""The model's reply: BAML builds the request and parses the partials, the event stream is read here.

BAML's own `b.stream` hands partials out on a 50 ms ticker and, when its loop is left, joins its thread on the event
loop for seconds; so only its modular API is on the spoken path.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import date
from secrets import token_hex
from typing import Any

import httpx
from baml_py import ClientRegistry
from baml_py.errors import BamlError

from baml_client import b, types
from baml_client.stream_types import NextTurn
from baml_client.type_builder import TypeBuilder
from media_gateway.completion import read_to_end, tokens_of
from media_gateway.errors import NoUsableReply
from media_gateway.ports import (
    MoveChosen,
    Passage,
    PreparedReply,
    ReplyPart,
    ReplyRequest,
    ReplyTrace,
    WordsWritten,
)
from media_gateway.sentences import SentenceCutter
from workflows.script.lines import spoken_value
from workflows.script.machine import next_question
from workflows.script.moves import allowed_moves, askable_slots

_CLIENT = "Chosen"
_JSON = json.JSONDecoder(strict=False)
"""Not strict: a model may write a bare line break into a text."""
_WORDS, _PASSAGES = f"words-{token_hex(8)}", f"passages-{token_hex(8)}"
"""Stand in a prepared prompt where the caller's words and the passages go. By chance, so that nobody can say them."""
LONGEST_REPLY_CHARACTERS = 4000
WARM_WITHIN_S = 2.0
_NO_TURN = types.TurnContext(
    company="",
    agent="",
    stage="",
    goal="",
    question="",
    today="",
    moves=[],
    slots=[],
    facts=[],
    passages=[],
    history=[],
    caller_words="",
)


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
            builder = TypeBuilder()
            builder.NextMove.add_value("goodbye")
            await b.stream_request.TakeTurn(
                _NO_TURN, {"tb": builder, "client_registry": self._registry}
            )
            text = '{"move": "goodbye", "slots": [], "say": "Bye."}'
            b.parse_stream.TakeTurn(text, {"tb": builder})
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
        if not isinstance(prepared, _Prepared) or not prepared.fits(request):
            prepared = await self._prepare(request)
        reader = _ReplyReader(prepared.moves, prepared.builder)
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
                    break
                for part in reader.read(text):
                    yield part
                if "}" in token and _is_whole(text):
                    # The last words need not wait for the end of the stream.
                    for part in reader.finish(text):
                        yield part
                    await read_to_end(tokens)
                    return
        for part in reader.finish(text):
            yield part

    async def _prepare(self, request: ReplyRequest) -> _Prepared:
        moves = [move.name for move in allowed_moves(request.script, request.state)]
        builder = TypeBuilder()
        for name in moves:
            builder.NextMove.add_value(name)
        context = turn_context(request)
        context.caller_words, context.passages = _WORDS, [_PASSAGES]
        built = await b.stream_request.TakeTurn(
            context, {"tb": builder, "client_registry": self._registry}
        )
        return _Prepared(
            request=request,
            moves=frozenset(moves),
            builder=builder,
            url=built.url,
            headers={k: v for k, v in built.headers.items() if k != "baml-original-url"},
            body=built.body.json(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared(PreparedReply):
    """The model's request with two holes: the caller's words and the passages."""

    moves: frozenset[str]
    builder: TypeBuilder
    url: str
    headers: dict[str, str]
    body: Any

    def body_for(self, request: ReplyRequest) -> str:
        """The request's JSON with both holes filled."""
        passages = "".join(f"<<< {_passage(passage)} >>>\n" for passage in request.passages)
        words = _as_data(request.caller_words)

        def filled(value: Any) -> Any:
            if isinstance(value, str):
                return value.replace(f"<<< {_PASSAGES} >>>\n", passages).replace(_WORDS, words)
            if isinstance(value, list):
                return [filled(item) for item in value]
            if isinstance(value, dict):
                return {key: filled(item) for key, item in value.items()}
            return value

        return json.dumps(filled(self.body))


class _ReplyReader:
    """Turns the growing JSON into parts: the move once it is certain, then the words piece by piece."""

    def __init__(self, allowed: frozenset[str], builder: TypeBuilder) -> None:
        self._allowed = allowed
        self._builder = builder
        self._cutter = SentenceCutter()
        self._has_move = False

    def read(self, text: str) -> list[ReplyPart]:
        partial = self._parse(text)
        if partial is None or partial.say is None:
            return []  # `say` comes last: once it begins, move and slots are complete
        parts = self._move(text, partial)
        return [*parts, *map(_words, self._cutter.pieces(partial.say))]

    def finish(self, text: str) -> list[ReplyPart]:
        """What is left of a whole reply. Raises for one that broke off: BAML closes it by guess, 180 may read as 18."""
        partial = self._parse(text)
        if partial is None or not _is_whole(text):
            raise NoUsableReply("malformed", proposed_move=_written_move(text)[:80])
        parts = self._move(text, partial)
        return [*parts, *map(_words, self._cutter.finish(partial.say or ""))]

    def _parse(self, text: str) -> NextTurn | None:
        try:
            return b.parse_stream.TakeTurn(text, {"tb": self._builder})
        except BamlError:
            return None  # not enough text yet, or none that fits

    def _move(self, text: str, partial: NextTurn) -> list[ReplyPart]:
        if self._has_move:
            return []
        move = str(partial.chosen or "")
        written = _written_move(text)
        # BAML matches leniently ("hang up" is read as hangup); a move counts only as it is written.
        if not move or move not in self._allowed or (written and written != move):
            reason = "move" if written or move else "malformed"
            raise NoUsableReply(reason, proposed_move=written[:80])
        self._has_move = True
        slots = {slot.name: slot.value for slot in partial.slots or () if slot.name and slot.value}
        return [MoveChosen(move=move, slots=slots)]


def turn_context(request: ReplyRequest) -> types.TurnContext:
    """What the model sees of a turn: the present stage and nothing of the others."""
    script, state = request.script, request.state
    stage = script.stages[state.stage]
    today = date.fromisoformat(state.today) if state.today else None
    return types.TurnContext(
        company=script.company,
        agent=script.agent_name,
        stage=stage.name,
        goal=stage.goal,
        question=next_question(script, state),
        today=f"{today:%A} {today.isoformat()}" if today else "",
        moves=[
            types.MoveOption(
                name=move.name, description=move.description, examples=" / ".join(move.examples)
            )
            for move in allowed_moves(script, state)
        ],
        slots=[
            types.SlotOption(
                name=name,
                type=script.slots[name].type.value,
                description=script.slots[name].description,
                choices=list(script.slots[name].choices),
                value=(
                    spoken_value(script.slots[name], state.slots[name])
                    if name in state.slots
                    else ""
                ),
            )
            for name in askable_slots(script, state)
        ],
        facts=[f"{name}: {value}" for name, value in {**script.facts, **request.facts}.items()],
        passages=[_passage(passage) for passage in request.passages],
        history=[
            types.PastTurn(caller=_as_data(past.caller_words), agent=past.agent_words)
            for past in request.history
        ],
        caller_words=_as_data(request.caller_words),
    )


def _passage(passage: Passage) -> str:
    return f"{passage.source}: {_as_data(passage.text)}"


def _as_data(text: str) -> str:
    """Text from outside cannot close its own fence."""
    return text.replace("<<<", "").replace(">>>", "")


def _is_whole(text: str) -> bool:
    """Whether the reply's JSON is closed; a fence or a remark around it does not matter."""
    _, brace, rest = text.partition("{")
    try:
        _JSON.raw_decode(brace + rest)
    except (ValueError, RecursionError):
        return False
    return True


def _written_move(text: str) -> str:
    """The move's name as it stands in the raw reply; empty when it is not plain JSON."""
    _, found, rest = text.partition('"move"')
    if not found:
        return ""
    _, _, value = rest.partition('"')
    name, closed, _ = value.partition('"')
    return name if closed else ""


def _words(text: str) -> WordsWritten:
    return WordsWritten(text=text)
