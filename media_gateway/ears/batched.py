"""The ears on the event loop: one timer for the process, armed only when something is ready or expected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from media_gateway.ears.counts import EarCounts
from media_gateway.ears.pipeline import Pipeline
from media_gateway.ears.ports import Ear, EarEvent, EndModel
from media_gateway.ears.speech import SpeechModel


class BatchedEars:
    """Implements `media_gateway.ears.ports.Ears`."""

    def __init__(self, end: EndModel | None = None, *, speech: SpeechModel | None = None) -> None:
        """Without an end-of-turn model no `EndEstimate` is told: the turn machine's fixed pauses decide."""
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0
        """Of the timer. Kept here: uvloop's handle of a time that has come does not know it."""
        self._is_closed = False
        self._pipeline = Pipeline(speech or SpeechModel(), end, clock=self._now_s, wake=self._wake)

    def open(self, tell: Callable[[EarEvent], None]) -> Ear:
        """See `Ears`."""
        return self._pipeline.open(tell)

    @property
    def counts(self) -> EarCounts:
        """See `Ears`."""
        return self._pipeline.counts()

    def close(self) -> None:
        """See `Ears`: no more ticks, whatever is still heard."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    def _wake(self, at_s: float) -> None:
        if self._is_closed:
            return
        if self._timer is not None:
            if self._due_s <= at_s:
                return
            self._timer.cancel()
        self._due_s = at_s
        self._timer = asyncio.get_running_loop().call_at(at_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._pipeline.tick()
