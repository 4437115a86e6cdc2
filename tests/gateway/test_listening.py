"""What is said between two recogniser streams is heard by the next one; who asks us to wait is obeyed, within reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest

from media_gateway import listening as module
from media_gateway.errors import VendorUnavailable
from media_gateway.listening import Listening
from tests.gateway.fakes import FakeRecognition


class SlowToEnd(FakeRecognition):
    """Takes its time to close."""

    def __init__(self) -> None:
        super().__init__([])
        self.is_closing = asyncio.Event()
        self.may_close = asyncio.Event()

    async def close(self) -> None:
        self.is_closing.set()
        await self.may_close.wait()


class Recogniser:
    """Hands out these streams, or refuses."""

    def __init__(self, *answers: FakeRecognition | VendorUnavailable) -> None:
        self._answers = list(answers)
        self.has_answered = asyncio.Event()

    async def open(self, *, key_terms: Sequence[str] = ()) -> FakeRecognition:
        answer = self._answers.pop(0)
        if not self._answers:
            self.has_answered.set()
        if isinstance(answer, VendorUnavailable):
            raise answer
        return answer


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_audio_that_comes_while_a_stream_is_ended_is_for_the_next_one() -> None:
    first, second = SlowToEnd(), FakeRecognition([])
    recogniser = Recogniser(first, second)
    listening = Listening(recogniser, (), lambda _: None, lambda: None)
    running = asyncio.create_task(listening.run())
    first.break_off()
    await first.is_closing.wait()
    listening.hear(b"between")
    first.may_close.set()
    async with asyncio.timeout(5):
        await recogniser.has_answered.wait()
        await asyncio.sleep(0)
    assert (bytes(first.heard), bytes(second.heard)) == (b"", b"between")
    await stopped(running)


async def test_a_recogniser_that_asks_us_to_wait_is_not_asked_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAIT_AS_ASKED_S", 0.4)
    busy = VendorUnavailable("fake", "busy", retry_after_s=60)
    recogniser = Recogniser(busy, FakeRecognition([]))
    listening = Listening(recogniser, (), lambda _: None, lambda: None)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    running = asyncio.create_task(listening.run())
    async with asyncio.timeout(5):
        await recogniser.has_answered.wait()
    assert loop.time() - began_s >= 0.39
    await stopped(running)


async def test_what_no_stream_has_said_a_word_of_is_heard_again_by_the_next() -> None:
    first, second = FakeRecognition([]), FakeRecognition([])
    told: list[str] = []
    recogniser = Recogniser(first, second)
    listening = Listening(recogniser, (), lambda one: told.append(one.text), lambda: None)
    running = asyncio.create_task(listening.run())
    async with asyncio.timeout(5):
        while listening._recognition is None:
            await asyncio.sleep(0)
        listening.hear(b"told")
        first.interim("we own")
        while not told:
            await asyncio.sleep(0)
        listening.hear(b"untold")
        first.break_off()
        await recogniser.has_answered.wait()
        while listening._recognition is None:
            await asyncio.sleep(0)
    assert bytes(second.heard) == b"untold", "and what was told, counts as it stands"
    await stopped(running)
