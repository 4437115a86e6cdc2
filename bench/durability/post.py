"""A real link on a real outbox that notes, of every message, how long the workflow's side took to acknowledge it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from media_gateway.outbox.letter import Letter
from media_gateway.outbox.outbox import Outbox
from media_gateway.signals import SignalCourier
from media_gateway.workflow_link import TemporalLink
from workflows.contracts.payloads import TurnCompleted, TurnHeard, TurnKind


class TimedCourier(SignalCourier):
    """From the hand-over to the acknowledgement: encoding, the way to the disk, the queue of the call, the signal."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.took_ms: list[float] = []

    async def deliver(self, letter: Letter) -> None:
        """Signal; a try that fails counts for nothing yet."""
        await super().deliver(letter)
        self.took_ms.append(1000 * (time.time() - letter.at_s))


@asynccontextmanager
async def timed_link(
    client: Client, outbox_file: Path
) -> AsyncIterator[tuple[TemporalLink, TimedCourier]]:
    """Its outbox is on disk, as in a gateway."""
    courier = TimedCourier(client)
    link = TemporalLink(client, await Outbox.open(outbox_file, courier))
    try:
        yield link, courier
    finally:
        await link.close()


def usual_turn(seq: int, *, epoch: int = 1) -> TurnCompleted:
    """A turn of usual length that stays in its stage."""
    before = TurnHeard(
        seq=seq - 1,
        heard_words="Okay, thanks. Is now a good time for two minutes?",
        reply_words="Okay, thanks. Is now a good time for two minutes?",
    )
    return TurnCompleted(
        epoch=epoch,
        seq=seq,
        kind=TurnKind.REPLY,
        before=before if seq > 1 else None,
        caller_words="Well, the bill is about a hundred and eighty dollars a month, more in the summer.",
        move="continue_stage",
        saying="That is a good deal more than most of your neighbours pay. Is now a good time?",
    )
