"""PURE. What a flight recorder is told of one call's turn machine: everything that goes in, everything that comes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from media_gateway.turns.types import Command, Event, Ms, TurnPolicy


class CallRecorder(Protocol):
    """One stream of one call. Neither blocks nor raises.

    The machine hands out the id of `AgentTurnOpened` just before that event is taken; a replay asks for it the same way.
    """

    def took(self, event: Event, now: Ms) -> None:
        """The machine is about to receive this."""

    def timer(self, now: Ms) -> None:
        """The machine's deadline came."""

    def commands(self, commands: Sequence[Command]) -> None:
        """What the machine answered, before any of it is carried out. Carrying it out may tell the machine more."""

    def close(self) -> None:
        """The stream is over. Idempotent."""


class Recorder(Protocol):
    """Of a whole process."""

    def open(self, call_id: str, epoch: int, policy: TurnPolicy) -> CallRecorder:
        """Begin a stream; `epoch` tells a call's streams apart."""


class NoRecorder:
    """Keeps nothing; implements Recorder and CallRecorder."""

    def open(self, call_id: str, epoch: int, policy: TurnPolicy) -> NoRecorder:
        """See Recorder."""
        return self

    def took(self, event: Event, now: Ms) -> None:
        """See CallRecorder."""

    def timer(self, now: Ms) -> None:
        """See CallRecorder."""

    def commands(self, commands: Sequence[Command]) -> None:
        """See CallRecorder."""

    def close(self) -> None:
        """See CallRecorder."""
