"""Lines that are spoken before they are needed: once, one at a time, whatever the voice does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from functools import partial
from pathlib import Path

import pytest

from media_gateway.errors import VendorUnavailable
from media_gateway.speech import line_audio
from media_gateway.speech.line_audio import LineAudioCache
from media_gateway.speech.line_shelf import LineShelf
from media_gateway.speech.ports import ReadyAudio, SegmentDone, SpokenAudio, WordTime
from tests.gateway.fakes import FakeVoice


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_WAIT_S", "MOST_WAIT_S", "LOOK_EVERY_S"):
        monkeypatch.setattr(line_audio, name, 0.001)


async def test_lines_are_spoken_once_in_their_order_and_then_ready() -> None:
    voice = FakeVoice()
    cache = LineAudioCache(voice)
    assert cache.ready("Got it.") is None
    cache.want(["Got it.", "Good question."])
    cache.want(["Good question.", "One moment please."])
    await until(lambda: cache.ready("One moment please.") is not None)
    assert voice.said == ["Got it.", "Good question.", "One moment please."]
    ready = cache.ready("Got it.")
    assert ready is not None
    assert len(ready.mulaw) == 2 * 160
    assert cache.ready("got it") is None, "the very words, or none"
    await cache.close()


async def test_a_voice_that_fails_costs_the_line_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_audio, "TRIES", 2)
    voice = FakeVoice()
    voice.refusals, voice.breaks = 1, 1
    cache = LineAudioCache(voice)
    cache.want(["Got it.", "Thanks."])
    await until(lambda: cache.ready("Thanks.") is not None)
    assert cache.ready("Got it.") is None, "tried twice, then said live"
    assert voice.cancelled == 2, "and nothing of it goes on"
    cache.want(["Fine."])
    await until(lambda: cache.ready("Fine.") is not None)
    await cache.close()


async def test_closing_in_the_middle_stops_the_voice() -> None:
    voice = FakeVoice()
    voice.latency_s = 60
    cache = LineAudioCache(voice)
    cache.want(["Got it."])
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await cache.close()
        await cache.close()
    assert cache.ready("Got it.") is None


async def test_calls_come_first() -> None:
    voice, calls = FakeVoice(), [1]
    cache = LineAudioCache(voice, calls=lambda: calls[0])
    cache.want(["Got it."])
    for _ in range(20):
        await asyncio.sleep(0.002)
    assert not voice.said
    calls[0] = 0
    await until(lambda: cache.ready("Got it."))
    await cache.close()


async def test_a_gateway_that_is_never_without_calls_gets_its_lines_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_audio, "PATIENCE_S", 0.01)
    cache = LineAudioCache(FakeVoice(), calls=lambda: 7)
    cache.want(["Got it.", "Thanks."])
    await until(lambda: cache.ready("Thanks."))
    await cache.close()


async def test_what_does_not_fit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_audio, "MOST_BYTES", 3 * 160)
    voice = FakeVoice()
    cache = LineAudioCache(voice)
    cache.want(["Got it.", "Good question.", "Fine."])
    await until(lambda: len(voice.said) == 2)
    await until(lambda: cache._task is not None and cache._task.done())
    assert cache.ready("Got it.") is not None
    assert cache.ready("Good question.") is None
    assert voice.said == ["Got it.", "Good question."], "nothing more is paid for"
    await cache.close()


class SlowStart(FakeVoice):
    """Fifty milliseconds of near silence, then sound; with word times."""

    async def begin(self) -> SlowStartSpeech:  # type: ignore[override]
        return SlowStartSpeech()


class SlowStartSpeech:
    async def say(self, segment: int, text: str) -> None:
        return

    async def finish(self) -> None:
        return

    async def cancel(self) -> None:
        return

    async def __aiter__(self) -> AsyncGenerator[SpokenAudio | SegmentDone, None]:
        yield SpokenAudio(segment=0, mulaw=b"\xff\x7e" * 200 + b"\x10" * 800)
        times = (WordTime(word="Thanks.", start_ms=50, end_ms=150),)
        yield SpokenAudio(segment=0, mulaw=b"", words=times)
        yield SegmentDone(segment=0)


async def test_a_line_begins_with_its_first_sound() -> None:
    cache = LineAudioCache(SlowStart())
    cache.want(["Thanks."])
    await until(lambda: cache.ready("Thanks.") is not None)
    assert cache.ready("Thanks.") == ReadyAudio(
        mulaw=b"\xff\x7e" * 80 + b"\x10" * 800,
        words=(WordTime(word="Thanks.", start_ms=20, end_ms=120),),
    )
    await cache.close()


async def test_a_second_process_takes_the_lines_from_disk(tmp_path: Path) -> None:
    voice = FakeVoice()
    for _ in range(2):
        cache = LineAudioCache(voice, LineShelf(tmp_path, voice="vendor model Joe"))
        cache.want(["Got it."])
        await until(partial(cache.ready, "Got it."))
        await cache.close()
    assert voice.said == ["Got it."]
    other = LineAudioCache(voice, LineShelf(tmp_path, voice="vendor model Ann"))
    other.want(["Got it."])
    await until(lambda: other.ready("Got it.") is not None)
    assert voice.said == ["Got it."] * 2, "another voice says it anew"
    await other.close()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"mulaw": "!", "words": []}', b"\xff"])
def test_a_damaged_file_is_no_line(tmp_path: Path, content: bytes) -> None:
    shelf = LineShelf(tmp_path, voice="Joe")
    audio = ReadyAudio(mulaw=b"\x10" * 80, words=(WordTime(word="Hi.", start_ms=0, end_ms=9),))
    shelf.put("Hi.", audio)
    assert shelf.take("Hi.") == audio
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert shelf.take("Hi.") is None


def test_a_disk_that_refuses_costs_nothing_but_the_file(tmp_path: Path) -> None:
    there = tmp_path / "a file"
    there.touch()
    shelf = LineShelf(there / "folder", voice="Joe")
    shelf.put("Hi.", ReadyAudio(mulaw=b"\x10"))
    assert shelf.take("Hi.") is None


def test_the_folder_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media_gateway.speech.line_shelf.MOST_FILES", 2)
    shelf = LineShelf(tmp_path, voice="Joe")
    for number in range(4):
        shelf.put(f"Line {number}.", ReadyAudio(mulaw=b"\x10"))
    assert len(list(tmp_path.iterdir())) == 2


async def test_a_voice_without_audio_makes_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_audio, "TRIES", 1)
    voice = FakeVoice()
    voice.slowness = 0
    cache = LineAudioCache(voice)
    with pytest.raises(VendorUnavailable):
        await cache._speak("Hi.")
