"""PURE. The script events that a completed turn stands for, so that the workflow runs what the gateway ran."""

from __future__ import annotations

from typing import assert_never

from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind
from workflows.script.events import (
    CallAnswered,
    CallerSilent,
    CallResumed,
    DtmfPressed,
    MoveProposed,
    ReplyHeard,
    ScriptEvent,
    SupervisorOrdered,
)


def heard_event(heard: TurnHeard) -> ReplyHeard:
    """What the script learns from the end of a turn."""
    return ReplyHeard(
        heard_words=heard.heard_words,
        lines_heard=tuple(heard.lines_heard),
        interrupted=heard.interrupted,
    )


def event_of_turn(turn: TurnCompleted, today: str) -> ScriptEvent | None:
    """What opened the turn; None for words that the line's end left unanswered."""
    match turn.kind:
        case TurnKind.OPENING:
            return CallAnswered(today=today)
        case TurnKind.RESUME:
            return CallResumed()
        case TurnKind.REPLY:
            return MoveProposed(caller_words=turn.caller_words, move=turn.move, slots=turn.slots)
        case TurnKind.SILENCE:
            return CallerSilent()
        case TurnKind.DTMF:
            return DtmfPressed(digit=turn.digit)
        case TurnKind.ORDER:
            if turn.order is None:
                return None
            return SupervisorOrdered(order=turn.order, target=turn.order_target)
        case TurnKind.HANG_UP:
            return None
        case _:
            assert_never(turn.kind)
