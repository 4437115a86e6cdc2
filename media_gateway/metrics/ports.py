"""What the edges tell of vendors and of turns: metrics and traces implement these ports, and by default nobody does.

Whatever is told holds no words, numbers or names. No method raises or waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from workflows.contracts.payloads import TurnKind, TurnTimings


class VendorMeter(Protocol):
    """Told how vendors do. `vendor` is one of the few names that the settings know, e.g. `deepgram`."""

    def first_byte(self, vendor: str, seconds: float) -> None:
        """From asking to the first of the answer: audio of a voice, a model's token, the words asked for by a flush."""

    def connected(self, vendor: str, seconds: float) -> None:
        """A connection was opened; it took so long."""

    def failed(self, vendor: str, reason: str) -> None:
        """It refused, broke off or was too late. `reason` as in our errors; see `kinds.kind_of`."""

    def reconnected(self, vendor: str) -> None:
        """What had broken off is open again."""

    def spent(self, vendor: str, *, prompt_tokens: int, tokens_written: int) -> None:
        """A model read and wrote so much, whether its answer was used or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSeen:
    """An agent turn that was told to the workflow and is over."""

    kind: TurnKind
    seq: int
    timings: TurnTimings
    over_at_ms: int
    """Stream time."""
    stage: str
    move: str
    refusal: str
    """Empty when the model's answer was used."""
    has_opener: bool
    prompt_tokens: int
    """Of all clients that were asked; see `ClientUsage`."""
    tokens_written: int


class StreamObserver(Protocol):
    """Told of one media stream."""

    def commanded(self, command: str) -> None:
        """The turn machine gave a command of this type. On the spoken path: count, nothing else."""

    def turn_over(self, turn: TurnSeen) -> None:
        """Off the spoken path: its last audio was played or cleared."""

    def closed(self, *, turns: int, is_lost: bool) -> None:
        """The stream is over. `is_lost`: the line broke, or the caller hung up without a `stop`."""


class Observers(Protocol):
    """Told of every stream of a process."""

    def open(
        self, call_id: str, *, epoch: int, started_s: float, is_resumed: bool
    ) -> StreamObserver:
        """A stream was attached. `started_s` is its time 0 on the loop's clock."""


class NoMeter:
    """Implements VendorMeter; keeps nothing."""

    def first_byte(self, vendor: str, seconds: float) -> None:
        """See VendorMeter."""

    def connected(self, vendor: str, seconds: float) -> None:
        """See VendorMeter."""

    def failed(self, vendor: str, reason: str) -> None:
        """See VendorMeter."""

    def reconnected(self, vendor: str) -> None:
        """See VendorMeter."""

    def spent(self, vendor: str, *, prompt_tokens: int, tokens_written: int) -> None:
        """See VendorMeter."""


class Several:
    """Implements Observers: each of these is told. None of them: nothing is kept."""

    def __init__(self, *observers: Observers) -> None:
        self._observers = observers

    def open(
        self, call_id: str, *, epoch: int, started_s: float, is_resumed: bool
    ) -> StreamObserver:
        """See Observers."""
        return _SeveralOfAStream(
            [
                one.open(call_id, epoch=epoch, started_s=started_s, is_resumed=is_resumed)
                for one in self._observers
            ]
        )


class _SeveralOfAStream:
    def __init__(self, observers: Sequence[StreamObserver]) -> None:
        self._observers = observers

    def commanded(self, command: str) -> None:
        for one in self._observers:
            one.commanded(command)

    def turn_over(self, turn: TurnSeen) -> None:
        for one in self._observers:
            one.turn_over(turn)

    def closed(self, *, turns: int, is_lost: bool) -> None:
        for one in self._observers:
            one.closed(turns=turns, is_lost=is_lost)
