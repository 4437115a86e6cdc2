"""What the model is asked: the turn's context for BAML's prompt, and the request with holes for what is known last."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from secrets import token_hex
from typing import Any

from baml_client import types
from media_gateway.llm.wire import Built
from media_gateway.move_tags import move_tags, names_by_written
from media_gateway.ports import Passage, PreparedReply, ReplyRequest
from workflows.script.lines import spoken_value
from workflows.script.machine import next_question
from workflows.script.model import Slot, SlotType, SlotValue
from workflows.script.moves import allowed_moves, askable_slots

_WORDS, _PASSAGES, _SAID = (f"{what}-{token_hex(8)}" for what in ("words", "passages", "said"))
"""Stand in a prepared prompt where the caller's words, the passages and the opener go. By chance, so that nobody can
say them."""


_FENCES = re.compile("[<>]{3,}")
"""Both kinds at once: what is left of `<<>>><` without its `>>>` would be a fence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnQuestion(PreparedReply):
    """The model's request with three holes: the caller's words, the passages, and what was already said."""

    written: Mapping[str, str]
    """What the model may write for a move, letter by letter, and the move's name."""
    built: dict[str, Built] = field(default_factory=dict)
    """By the client's name; those of further clients are made when they are needed."""

    def filled(self, client: str, request: ReplyRequest) -> tuple[str, dict[str, str], str]:
        """A client's URL, headers and JSON, with the holes filled."""
        passages = "".join(f"<<< {_passage(passage)} >>>\n" for passage in request.passages)
        words, said = _as_data(request.caller_words), _remark(request.already_said)

        def filled(value: Any) -> Any:
            if isinstance(value, str):
                return (
                    value.replace(f"<<< {_PASSAGES} >>>\n", passages)
                    .replace(_WORDS, words)
                    .replace(_SAID, said)
                )
            if isinstance(value, list):
                return [filled(item) for item in value]
            if isinstance(value, dict):
                return {key: filled(item) for key, item in value.items()}
            return value

        built = self.built[client]
        return built.url, built.headers, json.dumps(filled(built.body))


def written_moves(request: ReplyRequest) -> dict[str, str]:
    """What may be written for this turn's moves: see `TurnQuestion.written`."""
    tags = move_tags(request.script, request.state.stage)
    names = [move.name for move in allowed_moves(request.script, request.state)]
    return names_by_written(tags, names)


def context_with_holes(request: ReplyRequest) -> types.TurnContext:
    """As `turn_context`, with marks where the caller's words, the passages and the opener go."""
    context = turn_context(request)
    context.caller_words, context.passages, context.already_said = _WORDS, [_PASSAGES], _SAID
    return context


def turn_context(request: ReplyRequest) -> types.TurnContext:
    """What the model sees of a turn: the present stage and nothing of the others."""
    script, state = request.script, request.state
    stage = script.stages[state.stage]
    tags = move_tags(script, state.stage)
    today = date.fromisoformat(state.today) if state.today else None
    facts = {**script.facts, **{name: _fenced(value) for name, value in request.facts.items()}}
    return types.TurnContext(
        company=script.company,
        agent=script.agent_name,
        stage=stage.name,
        goal=stage.goal,
        question=next_question(script, state),
        today=f"{today:%A} {today.isoformat()}" if today else "",
        moves=[
            types.MoveOption(
                tag=tags[move.name],
                name=move.name,
                description=move.description,
                examples=" / ".join(move.examples),
            )
            for move in allowed_moves(script, state)
        ],
        slots=[
            types.SlotOption(
                name=name,
                type=script.slots[name].type.value,
                description=script.slots[name].description,
                choices=list(script.slots[name].choices),
                value=_known(script.slots[name], state.slots.get(name)),
            )
            for name in askable_slots(script, state)
        ],
        facts=[f"{name}: {value}" for name, value in facts.items()],
        passages=[_passage(passage) for passage in request.passages],
        history=[
            types.PastTurn(caller=_as_data(past.caller_words), agent=past.agent_words)
            for past in request.history
        ],
        caller_words=_as_data(request.caller_words),
        already_said=_remark(request.already_said),
    )


NO_TURN = types.TurnContext(
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
    already_said="",
)
"""For warming up."""


def _remark(already_said: str) -> str:
    """Behind the caller's words: what went before stays the same from turn to turn, as a model's cache likes it."""
    if not already_said:
        return ""
    return (
        f'\n\nYou have just answered aloud: "{already_said}" Go on from there; do not say it again, '
        "and acknowledge nothing a second time."
    )


def _passage(passage: Passage) -> str:
    """Its source, too, is from outside: a document's own heading is in it."""
    return _as_data(f"{passage.source}: {passage.text}")


def _known(slot: Slot, value: SlotValue | None) -> str:
    """A slot's value; where it is free text it is the caller's own words, whoever wrote it down."""
    if value is None:
        return ""
    spoken = spoken_value(slot, value)
    return _fenced(spoken) if slot.type in (SlotType.NAME, SlotType.TEXT) else spoken


def _fenced(text: str) -> str:
    return f"<<< {_as_data(text)} >>>"


def _as_data(text: str) -> str:
    """Text from outside cannot close its own fence."""
    return _FENCES.sub("", text)
