"""Decides in which order a workflow took what its history tells it was given.

A task's signals stand before it; what it made of updates and activities, and so what they did to the call, stands behind
it; what came meanwhile comes after that. Of a stream and an order in one task the stream's epoch says which was first.
"""

from __future__ import annotations

from workflows.contracts.payloads import MediaLost, TurnCompleted
from workflows.retelling import LineGone, Message, OrderCarriedOut, StreamAttached


class MessagesInHistory:
    """What a call was given, oldest first."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._epoch = 0
        """Streams and orders so far: each fences off the stream before it."""
        self._attached_epoch = 0
        """What the newest stream was told that it has."""

    @property
    def all(self) -> tuple[Message, ...]:
        """All of them."""
        return tuple(self._messages)

    @property
    def was_attached(self) -> bool:
        """Some stream had the call."""
        return self._attached_epoch > 0

    def told(self, message: TurnCompleted | MediaLost) -> None:
        """A gateway's signal."""
        self._messages.append(message)

    def attached(self, epoch: int) -> None:
        """A stream was given the call, with this epoch."""
        self._attached_epoch = epoch
        self._begin_epoch(StreamAttached())

    def carried_out(self, orders: list[OrderCarriedOut]) -> None:
        """The workflow carried orders out."""
        for order in orders:
            self._begin_epoch(order)

    def line_gone(self) -> bool:
        """The script was closed. False: it was before."""
        if any(isinstance(message, LineGone) for message in self._messages):
            return False
        self._messages.append(LineGone())
        return True

    def _begin_epoch(self, message: StreamAttached | OrderCarriedOut) -> None:
        self._epoch += 1
        self._messages.append(message)
        match self._messages[-2:]:
            case [StreamAttached(), OrderCarriedOut()]:
                is_swapped = self._attached_epoch == self._epoch
            case [OrderCarriedOut(), StreamAttached()]:
                is_swapped = self._attached_epoch == self._epoch - 1
            case _:
                return
        if is_swapped:
            self._messages[-2:] = reversed(self._messages[-2:])
