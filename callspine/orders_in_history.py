"""Decides, from a call's history alone, when its workflow carried a supervisor's order out without a gateway.

No event says so. An order that a gateway took changes nothing yet: it comes back as a turn. Otherwise the workflow
moves the script in the moment in which it turns to the carrier, or, where there is nothing to ask of it, answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from workflows.contracts import activities as contract
from workflows.contracts.payloads import SuperviseRequest
from workflows.retelling import OrderCarriedOut
from workflows.script.events import Order, SupervisorOrdered


@dataclass
class _Waiting:
    update_id: str
    request: SuperviseRequest
    is_done: bool = False
    """The script was moved for it."""


class OrdersInHistory:
    """The orders of one call, oldest first: they are carried out one after the other."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._directives: set[int] = set()
        """Under way, by the event that scheduled them: what is asked of the carrier now is not for an order."""

    def asked(self, update_id: str, request: SuperviseRequest) -> None:
        """An order was accepted."""
        self._waiting.append(_Waiting(update_id=update_id, request=request))

    def told(self, event_id: int) -> None:
        """A gateway is being told of an order, or given the right state."""
        self._directives.add(event_id)

    def gateway_answered(self, event_id: int) -> None:
        """It obeyed, refused, or is gone."""
        self._directives.discard(event_id)

    def carrier_asked(self, activity: str) -> list[OrderCarriedOut]:
        """The carrier is to end the call or connect a person: for the oldest order, if it is one that asks for that."""
        if not self._waiting or self._directives:
            return []
        oldest = self._waiting[0]
        wanted = contract.END_CALL if _hangs_up(oldest.request) else contract.CONNECT_PERSON
        return [] if activity != wanted else _done(oldest)

    def answered(self, update_id: str, by: str) -> list[OrderCarriedOut]:
        """The supervisor got an answer."""
        found = next((each for each in self._waiting if each.update_id == update_id), None)
        if found is None:
            return []
        self._waiting.remove(found)
        return _done(found) if by == "next stream" else []


def _hangs_up(request: SuperviseRequest) -> bool:
    return request.order is Order.HANG_UP


def _done(order: _Waiting) -> list[OrderCarriedOut]:
    if order.is_done:
        return []
    order.is_done = True
    request = order.request
    event = SupervisorOrdered(order=request.order, target=request.stage or request.number)
    return [OrderCarriedOut(event=event)]
