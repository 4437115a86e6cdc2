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
        self._closed_at: int | None = None
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
        """The workflow carried orders out; whatever the events say, before the script was closed."""
        for order in orders:
            self._begin_epoch(order)

    def line_gone(self) -> bool:
        """The script was closed. False: it was before."""
        if self._closed_at is not None:
            return False
        self._closed_at = len(self._messages)
        self._messages.append(LineGone())
        return True

    def _begin_epoch(self, message: StreamAttached | OrderCarriedOut) -> None:
        self._epoch += 1
        at = len(self._messages) if self._closed_at is None else self._closed_at
        self._messages.insert(at, message)
        if self._closed_at is not None:
            self._closed_at += 1
        newest = slice(max(at - 1, 0), at + 1)
        match self._messages[newest]:
            case [StreamAttached(), OrderCarriedOut()]:
                is_swapped = self._attached_epoch == self._epoch
            case [OrderCarriedOut(), StreamAttached()]:
                is_swapped = self._attached_epoch == self._epoch - 1
            case _:
                return
        if is_swapped:
            self._messages[newest] = reversed(self._messages[newest])
