"""In which order streams and orders had the call, read from what a history has of them."""

from __future__ import annotations

from callspine.messages_in_history import MessagesInHistory
from workflows.contracts.payloads import MediaLost
from workflows.retelling import LineGone, OrderCarriedOut, StreamAttached
from workflows.script.events import Order, SupervisorOrdered

STREAM = StreamAttached()
ORDER = OrderCarriedOut(event=SupervisorOrdered(order=Order.HANG_UP))
LOST = MediaLost(epoch=1, stream_sid="MZ1", clean=False)


def first_stream() -> MessagesInHistory:
    messages = MessagesInHistory()
    assert not messages.was_attached
    messages.attached(1)
    assert messages.was_attached
    return messages


def test_what_came_after_each_other_is_told_so() -> None:
    messages = first_stream()
    messages.told(LOST)
    messages.carried_out([ORDER])
    messages.attached(3)
    messages.carried_out([ORDER])
    assert messages.line_gone()
    assert not messages.line_gone()
    assert messages.all == (STREAM, LOST, ORDER, STREAM, ORDER, LineGone())


def test_an_order_that_is_answered_after_the_end_was_carried_out_before_it() -> None:
    messages = first_stream()
    messages.line_gone()
    messages.carried_out([ORDER])
    messages.told(LOST)
    assert messages.all == (STREAM, ORDER, LineGone(), LOST)


def test_an_order_of_which_the_carrier_heard_before_the_stream_was_answered_may_be_the_later() -> (
    None
):
    messages = first_stream()
    messages.told(LOST)
    messages.carried_out([ORDER])
    messages.attached(2)
    assert messages.all == (STREAM, LOST, STREAM, ORDER)


def test_an_order_that_is_answered_after_a_stream_that_it_came_before_was_carried_out_first() -> (
    None
):
    messages = first_stream()
    messages.told(LOST)
    messages.attached(3)
    messages.carried_out([ORDER])
    assert messages.all == (STREAM, LOST, ORDER, STREAM)
