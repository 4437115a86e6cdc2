"""When an order was carried out without a gateway, read from what a history has of it."""

from __future__ import annotations

import pytest

from callspine.orders_in_history import OrdersInHistory
from workflows.contracts.activities import CONNECT_PERSON, END_CALL, RECONNECT_CALL
from workflows.contracts.payloads import (
    Directive,
    DirectiveDone,
    SuperviseAnswer,
    SuperviseRequest,
)
from workflows.retelling import OrderCarriedOut
from workflows.script.events import Order, SupervisorOrdered

HANG_UP = OrderCarriedOut(event=SupervisorOrdered(order=Order.HANG_UP))
TO_ROOF = OrderCarriedOut(event=SupervisorOrdered(order=Order.FORCE_STAGE, target="roof"))
FORCE_ROOF = SuperviseRequest(order=Order.FORCE_STAGE, stage="roof")
ELSEWHERE = DirectiveDone(accepted=False, is_here=False)
REFUSED = DirectiveDone(accepted=False, reason="the script is over")
NEXT_STREAM = SuperviseAnswer(by="next stream")
CARRIER = SuperviseAnswer(by="carrier")
NOBODY = SuperviseAnswer(by="nobody", reason="the call is over")


class Told(OrdersInHistory):
    """Orders u1, u2, ... of a call that had a stream; what happens gets events of its own."""

    def __init__(self, *requests: SuperviseRequest) -> None:
        super().__init__()
        self._event_id = 0
        for number, request in enumerate(requests, start=1):
            self.asked(f"u{number}", request)

    def directive(self, done: OrderCarriedOut | None, answer: DirectiveDone | None) -> None:
        """A gateway is told, and answers; `done` None: it is told of the right state."""
        event = done.event if done else None
        under_way = self.begin(event)
        self.done_with(under_way)
        self.gateway_answered(under_way, answer)

    def begin(self, event: SupervisorOrdered | None) -> int:
        self._event_id += 1
        target = event.target if event else ""
        order = event.order if event else None
        self.told(self._event_id, Directive(call_id="c1", epoch=1, order=order, target=target))
        return self._event_id

    def carrier(self, activity: str, *, was_attached: bool = True) -> list[OrderCarriedOut]:
        self._event_id += 1
        return self.carrier_asked(self._event_id, activity, was_attached=was_attached)


def test_an_order_that_a_gateway_took_comes_back_as_a_turn_and_is_none_here() -> None:
    orders = Told(SuperviseRequest(order=Order.HANG_UP))
    orders.directive(HANG_UP, DirectiveDone(accepted=True))
    assert orders.carrier(END_CALL) == [], "the call's own deadline"
    assert orders.answered("u1", SuperviseAnswer(by="gateway")) == []
    assert orders.carrier(END_CALL) == []


def test_an_order_that_a_gateway_refused_is_not_carried_out() -> None:
    orders = Told(SuperviseRequest(order=Order.HANG_UP))
    orders.directive(HANG_UP, REFUSED)
    assert orders.carrier(END_CALL) == [], "the call's own deadline"
    assert orders.answered("u1", SuperviseAnswer(by="nobody", reason="the script is over")) == []


@pytest.mark.parametrize("answer", [ELSEWHERE, None], ids=["elsewhere", "gone"])
def test_an_order_that_no_gateway_could_be_given_is_carried_out_as_the_carrier_is_asked(
    answer: DirectiveDone | None,
) -> None:
    orders = Told(FORCE_ROOF, SuperviseRequest(order=Order.HANG_UP))
    orders.directive(TO_ROOF, answer)
    assert orders.carrier(END_CALL) == [], "the call's own deadline: the older order comes first"
    assert orders.carrier(RECONNECT_CALL) == [TO_ROOF]
    assert orders.answered("u1", NEXT_STREAM) == []
    orders.directive(HANG_UP, answer)
    assert orders.carrier(END_CALL) == [HANG_UP]
    assert orders.carrier(END_CALL) == [], "the call's own deadline came meanwhile"
    assert orders.answered("u2", CARRIER) == []


@pytest.mark.parametrize("answer", [ELSEWHERE, None], ids=["elsewhere", "gone"])
def test_an_order_that_died_with_its_gateway_is_carried_out_though_its_supervisor_was_answered(
    answer: DirectiveDone | None,
) -> None:
    orders = Told(FORCE_ROOF)
    orders.directive(TO_ROOF, DirectiveDone(accepted=True))
    assert orders.answered("u1", SuperviseAnswer(by="gateway")) == []
    orders.asked("u2", SuperviseRequest(order=Order.HANG_UP))
    orders.directive(TO_ROOF, answer)
    assert orders.carrier(RECONNECT_CALL) == [TO_ROOF]
    assert orders.carrier(END_CALL) == [], "the newer one waits for the new stream"


def test_without_an_open_stream_nobody_is_told_and_the_carrier_or_the_answer_shows_it() -> None:
    orders = Told(FORCE_ROOF, SuperviseRequest(order=Order.HANG_UP))
    assert orders.carrier(END_CALL) == [], "the older one comes first"
    assert orders.answered("u1", NEXT_STREAM) == [TO_ROOF]
    assert orders.carrier(CONNECT_PERSON) == []
    orders = Told(SuperviseRequest(order=Order.HANG_UP))
    assert orders.carrier(END_CALL) == [HANG_UP]
    assert orders.answered("u1", CARRIER) == []
    assert orders.answered("u9", NEXT_STREAM) == []


def test_forcing_the_stage_that_connects_a_person_asks_the_carrier() -> None:
    orders = Told(FORCE_ROOF)
    assert orders.carrier(CONNECT_PERSON) == [TO_ROOF]
    assert orders.answered("u1", CARRIER) == []


def test_before_the_first_stream_a_telephone_is_made_to_stop_and_no_script_is_moved() -> None:
    orders = Told(SuperviseRequest(order=Order.HANG_UP))
    assert orders.carrier(END_CALL, was_attached=False) == []
    assert orders.carrier(END_CALL) == [], "a stream came meanwhile, and the call's own deadline"
    assert orders.answered("u1", CARRIER) == []


def test_a_call_that_is_ended_while_a_gateway_is_being_told_is_not_ended_for_the_order() -> None:
    orders = Told(SuperviseRequest(order=Order.HANG_UP))
    under_way = orders.begin(HANG_UP.event)
    assert orders.carrier(END_CALL) == []
    orders.call_is_over()
    orders.done_with(under_way)
    orders.gateway_answered(under_way, None)
    assert orders.carrier(END_CALL) == [], "nothing is carried out after the end"
    orders.asked("u2", SuperviseRequest(order=Order.HANG_UP))
    assert orders.carrier(END_CALL) == []
    assert orders.answered("u1", NOBODY) == []


def test_an_order_that_was_carried_out_in_the_task_of_the_end_is_answered_after_it() -> None:
    orders = Told(FORCE_ROOF, FORCE_ROOF)
    orders.call_is_over()
    assert orders.answered("u1", NEXT_STREAM) == [TO_ROOF]
    assert orders.answered("u2", NOBODY) == []


def test_a_state_that_is_put_right_is_no_order_but_orders_wait_for_it() -> None:
    orders = Told(SuperviseRequest(order=Order.HANG_UP))
    under_way = orders.begin(None)
    assert orders.carrier(END_CALL) == [], "the call's own deadline"
    orders.done_with(under_way)
    orders.gateway_answered(under_way, ELSEWHERE)
    assert orders.carrier(RECONNECT_CALL) == []
    orders = Told(SuperviseRequest(order=Order.HANG_UP))
    orders.directive(None, None)
    assert orders.carrier(END_CALL) == [HANG_UP]
