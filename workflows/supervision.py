"""What the workflow tells the gateway: a supervisor's orders, and the right state when the gateway's differs.

An order goes to the gateway that carries the audio, as an activity on that gateway's own task queue. When it is not
there the carrier does what can be done without a voice. An order that a gateway took, and died before it was heard of
as a turn, is given to the next one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import activity_calls
    from workflows.contracts.payloads import (
        Directive,
        DirectiveDone,
        SuperviseAnswer,
        SuperviseRequest,
    )
    from workflows.script.events import Order, SupervisorOrdered
    from workflows.turn_book import TurnBook

MOST_ORDERS = 20
"""Orders that may wait for one call: more is a mistake, not supervision."""
GONE = DirectiveDone(accepted=False, reason="no gateway answers", is_here=False)


@dataclass(frozen=True, kw_only=True)
class MediaOwner:
    """The stream that has the call's media."""

    gateway_id: str
    call_sid: str
    is_open: bool
    was_ever: bool
    """Some stream was attached before: the call was answered, and spoken to."""


class Supervision:
    """One call's orders, carried out one after the other."""

    def __init__(self, call_id: str, end_call: Callable[[], Awaitable[None]]) -> None:
        self._call_id = call_id
        self._end_call = end_call
        self._waiting: deque[tuple[int, SupervisorOrdered]] = deque()
        self._delivering: SupervisorOrdered | None = None
        """On its way to a gateway; None again as soon as a turn tells of it, which may be before the answer comes."""
        self._taken: SupervisorOrdered | None = None
        """By a gateway, and not yet told of as a turn."""
        self._count = 0
        self.answers: dict[int, SuperviseAnswer] = {}

    @property
    def is_full(self) -> bool:
        """No more orders are taken now."""
        return len(self._waiting) >= MOST_ORDERS

    @property
    def has_orders(self) -> bool:
        """Something is to be done."""
        return bool(self._waiting)

    def put(self, request: SuperviseRequest) -> int:
        """Queue an order; its number is where the answer will be."""
        self._count += 1
        event = SupervisorOrdered(order=request.order, target=request.stage or request.number)
        self._waiting.append((self._count, event))
        return self._count

    def told(self, event: SupervisorOrdered) -> None:
        """A gateway's turn says that it carried an order out."""
        if event == self._taken:
            self._taken = None
        if event == self._delivering:
            self._delivering = None

    def stream_began(self) -> None:
        """Another gateway has the call: what the one before took and never told of is to be done again.

        Unless the supervisor has ordered something else since.
        """
        if self._taken is not None and not self._waiting:
            self._waiting.append((0, self._taken))
        self._taken = None

    async def carry_out_next(self, book: TurnBook, owner: MediaOwner) -> bool:
        """Carry out the oldest order. True when it was done through the carrier: the stream is no more."""
        number, event = self._waiting[0]
        answer = await self._carry_out(book, owner, event)
        if answer is None:
            return False
        self._waiting.popleft()
        if number:
            self.answers[number] = answer
        return answer.by == "carrier"

    async def correct(self, book: TurnBook, owner: MediaOwner) -> None:
        """Give the gateway the state that its last turn should have left. One that is gone gets it when it attaches."""
        book.is_out_of_step = False
        if owner.is_open:
            directive = Directive(
                call_id=self._call_id,
                epoch=book.epoch,
                state=book.state,
                after_seq=book.next_seq - 1,
            )
            await _deliver(owner.gateway_id, directive)

    def nobody_is_there(self) -> None:
        """The call is over: what waits will not be done."""
        for number, _ in self._waiting:
            self.answers[number] = SuperviseAnswer(by="nobody", reason="the call is over")
        self._waiting.clear()

    async def _carry_out(
        self, book: TurnBook, owner: MediaOwner, event: SupervisorOrdered
    ) -> SuperviseAnswer | None:
        """None: another stream has the call by now, and is to be asked."""
        if not owner.was_ever:
            # Nobody was spoken to: there is no script to move, only a telephone that rings.
            await self._end_call()
            return SuperviseAnswer(by="carrier")
        done, epoch = GONE, book.epoch
        if owner.is_open:
            directive = Directive(
                call_id=self._call_id, epoch=book.epoch, order=event.order, target=event.target
            )
            self._delivering = event
            done = await _deliver(owner.gateway_id, directive)
            if self._delivering is None:
                # A turn has told of it already, whatever became of the answer.
                return SuperviseAnswer(by="gateway")
            self._delivering = None
        if book.epoch != epoch:
            return None
        if done.accepted:
            self._taken = event
            return SuperviseAnswer(by="gateway")
        if done.is_here:
            return SuperviseAnswer(by="nobody", reason=done.reason)
        return await self._without_gateway(book, owner, event)

    async def _without_gateway(
        self, book: TurnBook, owner: MediaOwner, event: SupervisorOrdered
    ) -> SuperviseAnswer:
        book.order(event)
        try:
            if event.order is Order.HANG_UP:
                await self._end_call()
                return SuperviseAnswer(by="carrier")
            if book.state.transfer_to:
                await activity_calls.connect_person(owner.call_sid, book.state.transfer_to)
                return SuperviseAnswer(by="carrier")
            if owner.is_open:
                # A gateway that is cut off from us, not dead, still talks: its stream has to end.
                await activity_calls.reconnect_call(self._call_id, owner.call_sid)
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("the carrier did not carry the order out")
            if book.state.transfer_to:
                return SuperviseAnswer(by="nobody", reason="the carrier did not carry it out")
        return SuperviseAnswer(by="next stream")


async def _deliver(gateway_id: str, directive: Directive) -> DirectiveDone:
    try:
        done = await activity_calls.direct(gateway_id, directive)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.warning("no gateway took the directive")
        return GONE
    if not done.accepted:
        workflow.logger.warning("the gateway refused the directive: %s", done.reason)
    return done
