"""The calls that this gateway carries: which there are, what they are told, and how they are given away."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Protocol

import structlog

from media_gateway.turn_totals import TurnTotals
from workflows.contracts.payloads import AfterStream, Directive, DirectiveDone

log = structlog.get_logger(__name__)

CUT_WITHIN_S = 3.0
"""For calls that are broken off to tell of their last turn."""
MOST_ENDINGS = 1000
"""Calls whose end is remembered: the carrier asks for it within a second or two."""


class LiveCall(Protocol):
    """What is asked of a call's session here."""

    @property
    def call_id(self) -> str:
        """Our id of the call."""

    @property
    def ending(self) -> AfterStream | None:
        """What has to follow the stream because the script is over; None while it is not."""

    @property
    def totals(self) -> TurnTotals:
        """What became of its turns so far."""

    def direct(self, directive: Directive) -> DirectiveDone:
        """Carry out what the workflow wants."""

    def hand_over(self) -> None:
        """Give the call away at the next turn's boundary."""

    def break_off(self) -> None:
        """Give the call away now."""


class Sessions:
    """Every live session of this process."""

    def __init__(self) -> None:
        self._by_call: dict[str, LiveCall] = {}
        self._live: dict[int, LiveCall] = {}
        """Those that a newer stream of their call has replaced, too, until they are gone."""
        self._endings: OrderedDict[str, AfterStream] = OrderedDict()
        self._mute: OrderedDict[str, None] = OrderedDict()
        self._changed = asyncio.Event()
        self.totals = TurnTotals()
        """Of all calls that have ended since the start of this process."""
        self.is_leaving = False
        """A balancer is to send nothing new here; what comes all the same is taken."""
        self.is_draining = False
        """No new calls are taken."""

    def __len__(self) -> int:
        return len(self._by_call)

    def add(self, session: LiveCall) -> None:
        """A stream was attached. A newer stream of the same call takes the older one's place."""
        self._by_call[session.call_id] = session
        self._live[id(session)] = session
        if self.is_draining:
            session.hand_over()

    def remove(self, session: LiveCall) -> None:
        """Its stream is over, and `totals` has its turns: nothing may be waited for between the two."""
        self._live.pop(id(session), None)
        if (ending := session.ending) is not None:
            self._endings[session.call_id] = ending
            while len(self._endings) > MOST_ENDINGS:
                self._endings.popitem(last=False)
        if self._by_call.get(session.call_id) is session:
            del self._by_call[session.call_id]
        self._changed.set()

    def totals_so_far(self) -> TurnTotals:
        """Of all calls since the start of this process, those that are carried now included. It only grows."""
        so_far = TurnTotals()
        so_far.add(self.totals)
        for session in self._live.values():
            so_far.add(session.totals)
        return so_far

    def ending_of(self, call_id: str) -> AfterStream | None:
        """What follows a call whose script ended here: for when its workflow cannot be asked."""
        return self._endings.get(call_id)

    def ended_mute(self, call_id: str) -> None:
        """The call's stream was given up because no voice spoke."""
        self._mute[call_id] = None
        while len(self._mute) > MOST_ENDINGS:
            self._mute.popitem(last=False)

    def take_mute(self, call_id: str) -> bool:
        """Whether that is how the call's last stream ended here; told once."""
        return call_id in self._mute and self._mute.pop(call_id) is None

    def direct(self, directive: Directive) -> DirectiveDone:
        """Hand a directive to its call."""
        session = self._by_call.get(directive.call_id)
        if session is None:
            return DirectiveDone(
                accepted=False, reason="this gateway does not carry the call", is_here=False
            )
        return session.direct(directive)

    def break_off(self, call_id: str) -> None:
        """The workflow cannot be told of this stream any more: the carrier's next question says what follows."""
        session = self._by_call.get(call_id)
        if session is not None:
            log.error("stream_broken_off", call_id=call_id)
            session.break_off()

    async def drain(self, *, within_s: float) -> int:
        """Take no new calls, give away those that there are, each between two of its turns.

        Returns how many had to be broken off in the middle because `within_s` was over.
        """
        self.is_leaving = self.is_draining = True
        for session in list(self._by_call.values()):
            session.hand_over()
        if await self._empty(within_s):
            return 0
        left = list(self._by_call.values())
        log.warning("calls_broken_off", calls=len(left), after_s=within_s)
        for session in left:
            session.break_off()
        await self._empty(CUT_WITHIN_S)
        return len(left)

    async def _empty(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                while self._by_call:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True
