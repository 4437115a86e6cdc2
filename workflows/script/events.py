"""PURE. What can happen to a script: the inputs of `workflows.script.machine.advance`. Past facts, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The line is gone, whoever hung up."""


ScriptEvent = (
    CallAnswered | CallResumed | MoveProposed | ReplyHeard | CallerSilent | DtmfPressed | CallEnded
)
