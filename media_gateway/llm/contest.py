"""One turn's contest between clients: the next is asked when one fails or is slow; the first token wins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import structlog

from media_gateway.errors import NoUsableReply
from media_gateway.llm.failures import CompletionFailed, Failure, FailureKind, failed
from media_gateway.llm.health import ClientHealth
from media_gateway.ports import ClientUsage, ReplyTrace

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 2
Ask = Callable[[ClientUsage], Awaitable[AsyncGenerator[str, None]]]
"""Builds a client's request and gives its tokens; the generator raises CompletionFailed."""


class Contender:
    """A client that is asked: its first token in a task, the others by whoever reads on."""

    def __init__(self, ask: Ask, usage: ClientUsage, *, pause_s: float, deadline_s: float) -> None:
        self.usage = usage
        self.tokens: AsyncGenerator[str, None] | None = None
        self.first = asyncio.create_task(self._first(ask, pause_s, deadline_s), name="first token")

    async def rest(self) -> str | None:
        """The next token behind the first; None at the end. Raises CompletionFailed."""
        return None if self.tokens is None else await anext(self.tokens, None)

    async def leave(self) -> None:
        """Close its connection, wherever it stands. Idempotent."""
        self.first.cancel()
        await asyncio.gather(self.first, return_exceptions=True)
        if self.tokens is not None:
            await self.tokens.aclose()

    async def _first(self, ask: Ask, pause_s: float, deadline_s: float) -> str:
        if pause_s:
            await asyncio.sleep(pause_s)
        try:
            # The request takes time, too, before it is sent: a role's credentials come from a vendor of their own.
            async with asyncio.timeout_at(deadline_s):
                self.tokens = await ask(self.usage)
            token = await anext(self.tokens, None)
        except NoUsableReply:
            raise
        except TimeoutError:
            raise failed(FailureKind.SILENT) from None
        except Exception as error:
            # A task's top: whatever it was, the next client is asked.
            log.warning("model_not_asked", client=self.usage.client, error=type(error).__name__)
            raise failed(FailureKind.UNREACHABLE) from error
        if token is None:
            raise failed(FailureKind.MALFORMED)
        return token


class Contest:
    """Who loses is cancelled. Close it when the turn is over: nobody is asked any more then. Of one task."""

    def __init__(
        self,
        ask: Ask,
        *,
        chosen: str,
        health: ClientHealth,
        trace: ReplyTrace,
        deadline_s: float,
        hedge_after_s: float,
    ) -> None:
        """`deadline_s`: on the loop's clock; nobody is asked after it. `hedge_after_s` 0: the next only after a failure."""
        self._loop = asyncio.get_running_loop()
        self._ask = ask
        self._health = health
        self._trace = trace
        self._deadline_s = deadline_s
        self._hedge_after_s = hedge_after_s
        self._hedge_at_s = 0.0
        self._queue = health.order(chosen, self._loop.time())
        self._running: list[Contender] = []
        self._all: list[Contender] = []
        self._leaving: list[asyncio.Task[None]] = []
        self._has_asked_again = False

    async def winner(self, after: NoUsableReply | None = None) -> Contender:
        """The next client that answers; `after`: what became of the last winner.

        Raises the last failure when nobody is left to ask, or it is too late.
        """
        self._start_next(after)
        while True:
            done, _ = await asyncio.wait(
                {contender.first for contender in self._running},
                timeout=self._until_hedge_s(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not done:
                self._start(self._queue.pop(0))
            for contender in [one for one in self._running if one.first in done]:
                self._running.remove(contender)
                try:
                    contender.first.result()
                except NoUsableReply as error:
                    self.broke(contender, error)
                    if not self._running:
                        self._start_next(error)
                else:
                    self._won(contender)
                    return contender

    def broke(self, contender: Contender, error: NoUsableReply) -> None:
        """A client gave no answer that can be used; the others may."""
        failure = _failure(error)
        contender.usage.outcome, contender.usage.failure = "failed", failure.kind.value
        self._health.failed(contender.usage.client, failure, self._loop.time())

    async def aclose(self) -> None:
        """Cancel whoever is asked. Idempotent."""
        for contender in self._all:
            contender.first.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        for contender in self._all:
            await contender.leave()

    def _won(self, winner: Contender) -> None:
        winner.usage.outcome = "used"
        self._health.answered(winner.usage.client)
        for loser in self._running:
            if not loser.first.cancel():  # else its connection closes with the task's next step
                # It was second by so little that its first token is here: it would write on, unread, to the turn's end.
                self._leaving.append(asyncio.create_task(loser.leave(), name="loser"))
            loser.usage.outcome = "lost"
            self._queue.append(loser.usage.client)  # slow, not broken: should the winner break off
        self._running.clear()

    def _until_hedge_s(self) -> float | None:
        """None: nobody is asked beside those that are."""
        is_alone = len(self._running) < MOST_AT_ONCE
        if not (self._hedge_after_s and self._queue and is_alone):
            return None
        if self._hedge_at_s >= self._deadline_s:
            return None
        return max(0.0, self._hedge_at_s - self._loop.time())

    def _start_next(self, after: NoUsableReply | None) -> None:
        """The next of the queue, or the one that failed last, where another try may help. Raises `after` otherwise."""
        now_s = self._loop.time()
        if self._queue and (after is None or now_s < self._deadline_s):
            self._start(self._queue.pop(0))
            return
        pause_s = None if after is None else _failure(after).pause_s()
        if pause_s is None or self._has_asked_again or now_s + pause_s >= self._deadline_s:
            raise after or failed(FailureKind.SILENT)
        self._has_asked_again = True
        self._start(self._all[-1].usage.client, pause_s)

    def _start(self, name: str, pause_s: float = 0.0) -> None:
        usage = ClientUsage(client=name)
        self._trace.clients.append(usage)
        self._hedge_at_s = self._loop.time() + pause_s + self._hedge_after_s
        contender = Contender(self._ask, usage, pause_s=pause_s, deadline_s=self._deadline_s)
        self._running.append(contender)
        self._all.append(contender)


def _failure(error: NoUsableReply) -> Failure:
    if isinstance(error, CompletionFailed):
        return error.failure
    return Failure(kind=FailureKind.MALFORMED)
