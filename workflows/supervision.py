"""What the workflow tells the gateway: a supervisor's orders, and the right state when the gateway's differs.

An order goes to the gateway that carries the audio, as an activity on that gateway's own task queue. When nobody takes
it there the gateway is gone, and the carrier does what can be done without a voice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from workflows import activity_calls
    from workflows.contracts.payloads import Directive, SuperviseAnswer, SuperviseRequest
    from workflows.script.events import Order, SupervisorOrdered
    from workflows.turn_book import TurnBook

MOST_ORDERS = 20
"""Orders that may wait for one call: more is a mistake, not supervision."""


@dataclass(frozen=True, kw_only=True)
class MediaOwner:
    """The stream that has the call's media."""

    gateway_id: str
    call_sid: str
    is_open: bool


class Supervision:
    """One call's orders, carried out one after the other."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._waiting: deque[tuple[int, SuperviseRequest]] = deque()
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
        self._waiting.append((self._count, request))
        return self._count

    async def carry_out_next(self, book: TurnBook, owner: MediaOwner) -> None:
        """Carry out the oldest order."""
        number, request = self._waiting[0]
        event = SupervisorOrdered(order=request.order, target=request.stage or request.number)
        by = await self._tell(book, owner, event)
        if by is None:
            by = await self._without_gateway(book, owner, event)
        self._waiting.popleft()
        self.answers[number] = SuperviseAnswer(by=by)

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
            self.answers[number] = SuperviseAnswer(by="nobody")
        self._waiting.clear()

    async def _tell(
        self, book: TurnBook, owner: MediaOwner, event: SupervisorOrdered
    ) -> str | None:
        if not owner.is_open:
            return None
        directive = Directive(
            call_id=self._call_id, epoch=book.epoch, order=event.order, target=event.target
        )
        return "gateway" if await _deliver(owner.gateway_id, directive) else None

    async def _without_gateway(
        self, book: TurnBook, owner: MediaOwner, event: SupervisorOrdered
    ) -> str:
        book.order(event)
        try:
            if event.order is Order.HANG_UP and owner.call_sid:
                await activity_calls.end_call(owner.call_sid)
                return "carrier"
            if book.state.transfer_to and owner.call_sid:
                await activity_calls.connect_person(owner.call_sid, book.state.transfer_to)
                return "carrier"
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("the carrier did not carry the order out")
            return "nobody"
        return "next stream"


async def _deliver(gateway_id: str, directive: Directive) -> bool:
    try:
        done = await activity_calls.direct(gateway_id, directive)
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.warning("no gateway took the directive")
        return False
    if not done.accepted:
        workflow.logger.warning("the gateway refused the directive: %s", done.reason)
    return done.accepted
