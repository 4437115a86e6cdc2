"""When an order was carried out without a gateway, read from what a history has of it."""

from __future__ import annotations

from callspine.orders_in_history import OrdersInHistory
from workflows.contracts.activities import CONNECT_PERSON, END_CALL
from workflows.contracts.payloads import SuperviseRequest
from workflows.retelling import OrderCarriedOut
from workflows.script.events import Order, SupervisorOrdered

HANG_UP = OrderCarriedOut(event=SupervisorOrdered(order=Order.HANG_UP))
TO_ROOF = OrderCarriedOut(event=SupervisorOrdered(order=Order.FORCE_STAGE, target="roof"))


def asked(*requests: SuperviseRequest) -> OrdersInHistory:
    orders = OrdersInHistory()
    for number, request in enumerate(requests, start=1):
        orders.asked(f"u{number}", request)
    return orders


def test_an_order_that_a_gateway_took_comes_back_as_a_turn_and_is_none_here() -> None:
    orders = asked(SuperviseRequest(order=Order.HANG_UP))
    orders.told(7)
    orders.gateway_answered(7)
    assert orders.answered("u1", "gateway") == []
    assert orders.carrier_asked(END_CALL) == []


def test_a_hang_up_is_carried_out_when_the_carrier_is_asked_and_once() -> None:
    orders = asked(SuperviseRequest(order=Order.HANG_UP))
    assert orders.carrier_asked(CONNECT_PERSON) == []
    assert orders.carrier_asked(END_CALL) == [HANG_UP]
    assert orders.carrier_asked(END_CALL) == [], "the call's own deadline came meanwhile"
    assert orders.answered("u1", "carrier") == []


def test_a_call_that_is_ended_while_the_gateway_is_being_told_is_not_ended_for_the_order() -> None:
    orders = asked(SuperviseRequest(order=Order.HANG_UP))
    orders.told(7)
    assert orders.carrier_asked(END_CALL) == []
    assert orders.answered("u1", "nobody") == []


def test_a_stage_is_forced_when_the_supervisor_is_told_that_the_next_stream_will() -> None:
    orders = asked(
        SuperviseRequest(order=Order.FORCE_STAGE, stage="roof"),
        SuperviseRequest(order=Order.HANG_UP),
    )
    assert orders.carrier_asked(END_CALL) == [], "the older one comes first"
    assert orders.answered("u1", "next stream") == [TO_ROOF]
    assert orders.carrier_asked(END_CALL) == [HANG_UP]
    assert orders.answered("u9", "next stream") == []


def test_forcing_the_stage_that_connects_a_person_asks_the_carrier() -> None:
    orders = asked(SuperviseRequest(order=Order.FORCE_STAGE, stage="roof"))
    assert orders.carrier_asked(CONNECT_PERSON) == [TO_ROOF]
    assert orders.answered("u1", "carrier") == []
