"""PURE. The script events that a completed turn stands for, so that the workflow runs what the gateway ran."""

from __future__ import annotations

from typing import assert_never

from workflows.contracts.payloads import TurnCompleted, TurnKind
from workflows.script.events import (
    CallAnswered,
    CallerSilent,
    CallResumed,
    DtmfPressed,
    MoveProposed,
    ReplyHeard,
    ScriptEvent,
)


def events_of_turn(turn: TurnCompleted, today: str) -> tuple[ScriptEvent, ...]:
    """In the order in which the gateway ran them; none for words that the line's end left unanswered."""
    heard = ReplyHeard(
        heard_words=turn.heard_words,
        lines_heard=tuple(turn.lines_heard),
        interrupted=turn.interrupted,
    )
    match turn.kind:
        case TurnKind.OPENING:
            return CallAnswered(today=today), heard
        case TurnKind.RESUME:
            return CallResumed(), heard
        case TurnKind.REPLY:
            proposed = MoveProposed(
                caller_words=turn.caller_words, move=turn.move, slots=turn.slots
            )
            return proposed, heard
        case TurnKind.SILENCE:
            return CallerSilent(), heard
        case TurnKind.DTMF:
            return DtmfPressed(digit=turn.digit), heard
        case TurnKind.HANG_UP:
            return ()
        case _:
            assert_never(turn.kind)
