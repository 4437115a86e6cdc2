"""Hears a voice as the playout does: audio by segment, taken back where it is, and the words in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from media_gateway.speech.ports import AudioTakenBack, SegmentDone, Speech, SpokenAudio, WordTime
from tests.simulators.steps import WordSounds, heard


@dataclass
class Listener:
    """Of one reply."""

    audio: dict[int, bytearray] = field(default_factory=dict)
    times: dict[int, list[WordTime]] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    taken_back: list[AudioTakenBack] = field(default_factory=list)
    at_s: list[float] = field(default_factory=list)
    """When audio came, on the loop's clock."""

    async def listen(self, speech: Speech) -> Listener:
        async for item in speech:
            match item:
                case SpokenAudio():
                    self.audio.setdefault(item.segment, bytearray()).extend(item.mulaw)
                    self.times.setdefault(item.segment, []).extend(item.words)
                    if item.mulaw:
                        self.at_s.append(asyncio.get_running_loop().time())
                case SegmentDone():
                    self.done.append(item.segment)
                case AudioTakenBack():
                    self.taken_back.append(item)
                    del self.audio[item.segment][item.at_ms * 8 :]
                    kept = [w for w in self.times[item.segment] if w.end_ms <= item.at_ms]
                    self.times[item.segment] = kept
        return self

    def words(self, *sounds: WordSounds) -> str:
        """All of it, in the order in which it is played."""
        parts = (heard(bytes(self.audio[segment]), *sounds) for segment in sorted(self.audio))
        return " ".join(word for part in parts for word in part)


async def spoken(speech: Speech, *texts: str) -> Listener:
    """A whole turn, heard to its end."""
    hearing = Listener()
    async with asyncio.TaskGroup() as group:
        group.create_task(_listen(hearing, speech))
        for segment, text in enumerate(texts):
            await speech.say(segment, text)
        await speech.finish()
    return hearing


async def _listen(hearing: Listener, speech: Speech) -> None:
    await hearing.listen(speech)
