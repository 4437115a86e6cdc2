"""Decides, from a call's history alone, when its workflow carried a supervisor's order out without a gateway.

No event says so. An order that a gateway took changes nothing yet: it comes back as a turn; one that a gateway refused
changes nothing at all. When the gateway is gone or has another stream, the workflow moves the script in the moment in
which it turns to the carrier. When no stream is open it asks no gateway: there it turns to the carrier, or, where there
is nothing to ask of it, answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from workflows.contracts import activities as contract
from workflows.contracts.payloads import (
    Directive,
    DirectiveDone,
    SuperviseAnswer,
    SuperviseRequest,
)
from workflows.retelling import OrderCarriedOut
from workflows.script.events import Order, SupervisorOrdered

FOR_ORDERS_ONLY = (
    contract.CARRY_OUT_DIRECTIVE,
    contract.CONNECT_PERSON,
    contract.RECONNECT_CALL,
)
"""Begun by what carries orders out, and by nothing else; cancelled only when that ends with the call."""


@dataclass
class _Waiting:
    update_id: str
    event: SupervisorOrdered
    is_told: bool = False
    """A gateway was asked."""
    is_done: bool = False
    """The script was moved for it, or did not have to be."""


class OrdersInHistory:
    """The orders of one call, oldest first: they are carried out one after the other."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._under_way: set[int] = set()
        """What is done for an order, by the event that scheduled it: what is asked meanwhile is not for the next one."""
        self._told: dict[int, SupervisorOrdered] = {}
        """The orders that gateways were given, likewise. One that died with its gateway is given to the next."""
        self._no_gateway_took: list[SupervisorOrdered] = []
        self._is_over = False

    def asked(self, update_id: str, request: SuperviseRequest) -> None:
        """An order was accepted."""
        if self._is_over:
            return
        event = SupervisorOrdered(order=request.order, target=request.stage or request.number)
        self._waiting.append(_Waiting(update_id=update_id, event=event))

    def told(self, event_id: int, directive: Directive) -> None:
        """A gateway is being told of an order, or given the right state."""
        self._under_way.add(event_id)
        if directive.order is None:
            return
        event = SupervisorOrdered(order=directive.order, target=directive.target)
        self._told[event_id] = event
        for order in self._waiting:
            if order.event == event and not order.is_told:
                order.is_told = True
                return

    def gateway_answered(self, event_id: int, done: DirectiveDone | None) -> None:
        """It obeyed, refused, or has another stream; None: it is gone."""
        event = self._told.pop(event_id, None)
        is_nowhere = done is None or not (done.accepted or done.is_here)
        if event is not None and is_nowhere:
            self._no_gateway_took.append(event)

    def done_with(self, event_id: int) -> None:
        """A directive, or what was asked of the carrier, came to its end."""
        self._under_way.discard(event_id)

    def carrier_asked(
        self, event_id: int, activity: str, *, was_attached: bool
    ) -> list[OrderCarriedOut]:
        """The carrier is to end the call, connect a person or begin a new stream: it may be for an order."""
        done = self._for_which(activity, was_attached=was_attached)
        if activity in FOR_ORDERS_ONLY:
            self._under_way.add(event_id)
        return done

    def answered(self, update_id: str, answer: SuperviseAnswer) -> list[OrderCarriedOut]:
        """The supervisor got an answer."""
        order = next((each for each in self._waiting if each.update_id == update_id), None)
        if order is None:
            return []
        self._waiting.remove(order)
        if order.is_done or answer.by != "next stream":
            return []
        return [OrderCarriedOut(event=order.event)]

    def call_is_over(self) -> None:
        """Nothing is carried out any more. What was, in the task of the end, is answered only after it."""
        self._is_over = True
        self._told.clear()
        self._no_gateway_took.clear()

    def _for_which(self, activity: str, *, was_attached: bool) -> list[OrderCarriedOut]:
        if self._is_over:
            return []
        is_hang_up = activity == contract.END_CALL
        if self._no_gateway_took:
            event = self._no_gateway_took[0]
            if (event.order is Order.HANG_UP) is not is_hang_up:
                return []
            del self._no_gateway_took[0]
            self._mark_done(event)
            return [OrderCarriedOut(event=event)]
        oldest = self._waiting[0] if self._waiting else None
        if oldest is None or oldest.is_told or oldest.is_done or self._under_way:
            return []
        if (oldest.event.order is Order.HANG_UP) is not is_hang_up:
            return []
        oldest.is_done = True
        # Before the first stream there is no script to move: a telephone is made to stop ringing.
        return [OrderCarriedOut(event=oldest.event)] if was_attached else []

    def _mark_done(self, event: SupervisorOrdered) -> None:
        for order in self._waiting:
            if order.event == event and order.is_told and not order.is_done:
                order.is_done = True
                return
