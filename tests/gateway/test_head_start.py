"""What is prepared while the caller speaks: the newest request, once, and never in the way."""

from __future__ import annotations

import asyncio

from media_gateway.head_start import HeadStart
from media_gateway.ports import PreparedReply, ReplyRequest
from tests.core.scripts import SAMPLE, move, run
from tests.gateway.fakes import FakeDialogue

FIRST = ReplyRequest(script=SAMPLE, state=run(SAMPLE), caller_words="")
LATER = ReplyRequest(script=SAMPLE, state=run(SAMPLE, move("permission_given")), caller_words="")


class SlowDialogue(FakeDialogue):
    """Prepares when it is let; `fails` times it cannot."""

    def __init__(self, fails: int = 0) -> None:
        super().__init__()
        self.may = asyncio.Semaphore(0)
        self.asked: list[ReplyRequest] = []
        self.cancelled = asyncio.Event()
        self._fails = fails

    async def prepare(self, request: ReplyRequest) -> PreparedReply:
        self.asked.append(request)
        try:
            await self.may.acquire()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self._fails:
            self._fails -= 1
            raise RuntimeError("no")
        return PreparedReply(request=request)


async def ready(head_start: HeadStart, request: ReplyRequest) -> PreparedReply:
    async with asyncio.timeout(5):
        while (found := head_start.take()) is None or not found.fits(request):
            await asyncio.sleep(0)
    return found


async def test_the_same_request_is_prepared_once() -> None:
    dialogue = SlowDialogue()
    dialogue.may.release()
    head_start = HeadStart(dialogue)
    assert head_start.take() is None
    for _ in range(5):
        head_start.want(FIRST)
    found = await ready(head_start, FIRST)
    head_start.want(FIRST)
    assert head_start.take() is found
    assert dialogue.asked == [FIRST]


async def test_a_request_that_changes_meanwhile_is_prepared_again() -> None:
    dialogue = SlowDialogue()
    head_start = HeadStart(dialogue)
    head_start.want(FIRST)
    while not dialogue.asked:
        await asyncio.sleep(0)
    head_start.want(LATER)
    dialogue.may.release()
    dialogue.may.release()
    await ready(head_start, LATER)
    assert dialogue.asked == [FIRST, LATER]


async def test_what_cannot_be_prepared_is_left_to_the_reply() -> None:
    dialogue = SlowDialogue(fails=1)
    head_start = HeadStart(dialogue)
    dialogue.may.release()
    dialogue.may.release()
    head_start.want(FIRST)
    while not dialogue.asked:
        await asyncio.sleep(0)
    assert head_start.take() is None
    head_start.want(LATER)
    await ready(head_start, LATER)


async def test_closing_stops_what_is_under_way() -> None:
    dialogue = SlowDialogue()
    head_start = HeadStart(dialogue)
    head_start.want(FIRST)
    while not dialogue.asked:
        await asyncio.sleep(0)
    head_start.close()
    async with asyncio.timeout(5):
        await dialogue.cancelled.wait()
