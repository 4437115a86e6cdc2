"""PURE. A script's lines whose words are the same in every call, those that are needed first at the front."""

from __future__ import annotations

from collections.abc import Iterator

from workflows.script.compiled import (
    connecting_line,
    disclosure,
    global_moves,
    stop_recording_move,
)
from workflows.script.lines import placeholders
from workflows.script.model import Recording, Script
from workflows.script.openers import openers_in


def fixed_lines(script: Script) -> tuple[str, ...]:
    """Their words, each once, as `spoken_line` gives them. Lines with placeholders are left out."""
    texts = (" ".join(text.split()) for text in _texts(script))
    return tuple(dict.fromkeys(text for text in texts if text and not placeholders(text)))


def _texts(script: Script) -> Iterator[str]:
    yield from (line.text for line in openers_in(script))
    yield from (line.text for line in script.filler)
    tells = script.recording is Recording.AFTER_DISCLOSURE
    yield disclosure(script.agent_name, script.company, tells_of_recording=tells).text
    first = script.stages.get(script.first_stage)
    stages = [stage for stage in script.stages.values() if stage is not first]
    for stage in [first, *stages] if first is not None else stages:
        yield stage.opening.text
    yield from (slot.ask for slot in script.slots.values())
    yield from (line.text for line in script.silence)
    yield connecting_line().text
    moves = global_moves(script.agent_name, script.company)
    for move in (*moves, *((stop_recording_move(),) if script.records else ())):
        yield move.line.text if move.line is not None else ""
    for stage in script.stages.values():
        yield from (stage.reask.text, stage.fallback.text)
        yield from (move.line.text for move in stage.moves if move.line is not None)
    yield from (objection.line.text for objection in script.objections.values())
    yield from (stage.resume.text for stage in script.stages.values())
