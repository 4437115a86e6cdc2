"""PURE. What can happen to a script: the inputs of `workflows.script.machine.advance`. Past facts, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """The caller's media is attached for the first time."""

    today: str
    """ISO date at the callee's place; slots such as "Thursday at ten" are read against it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResumed:
    """Another gateway has taken the call's media over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveProposed:
    """The caller's turn ended and the model proposes a move (before any of its words are spoken)."""

    caller_words: str
    move: str
    """A move's name; empty when the model gave no usable answer in time."""
    slots: Mapping[str, str] = field(default_factory=dict)
    """Slot name to the model's raw text for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyHeard:
    """The agent's turn is over: played to its end, or interrupted."""

    heard_words: str
    lines_heard: tuple[str, ...] = ()
    """Ids of the authored lines that were heard to their last word."""
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSilent:
    """The caller said nothing for the policy's silence time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfPressed:
    """A key was pressed."""

    digit: str


class Order(StrEnum):
    """What a supervisor may order."""

    FORCE_STAGE = "force_stage"
    TRANSFER = "transfer"
    TAKE_OVER = "take_over"
    """A transfer to the supervisor's own telephone."""
    HANG_UP = "hang_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorOrdered:
    """A person takes the call in hand. Obeyed whatever the stage's moves and guards say."""

    order: Order
    target: str = ""
    """FORCE_STAGE: a stage's name. TRANSFER, TAKE_OVER: an E.164 number; empty: the script's own people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The line is gone, whoever hung up."""


ScriptEvent = (
    CallAnswered
    | CallResumed
    | MoveProposed
    | ReplyHeard
    | CallerSilent
    | DtmfPressed
    | SupervisorOrdered
    | CallEnded
)
