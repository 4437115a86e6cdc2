"""Dialogue turns read aloud by the demo's voice, cut where a pause may stand. Made speech: for volume, never to judge by.

A hold is the beginning of a turn read as one that goes on (the voice's melody stays up before a comma); an end is a
whole turn.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from endpointing.channel import LINE_HZ, Samples
from endpointing.data import SEED
from endpointing.dialogues import Turn
from endpointing.pauses_in_text import prefixes

PITCHES = (0.85, 1.0, 1.12, 1.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenTurn:
    """8 kHz samples up to a pause, the words in them, and whether the turn was over."""

    samples: Samples
    words: str
    is_end: bool
    voice: str


def read_aloud(turns: list[Turn], count: int, shelf: Path) -> list[SpokenTurn]:
    """`count` of each label; what was read lies in `shelf` and is not read again."""
    from rehearsal.shelf import Shelf
    from rehearsal.voice import LocalVoice

    chance = random.Random(SEED)
    chosen = chance.sample([turn for turn in turns if 3 <= len(turn.text.split()) <= 25], 2 * count)
    voices = {p: LocalVoice(pitch=p, shelf=Shelf(shelf / f"pitch-{p}")) for p in PITCHES}
    spoken: list[SpokenTurn] = []
    for number, turn in enumerate(chosen):
        found = prefixes(turn.text, turn.expectation)
        is_end = number % 2 == 0
        if not is_end:
            holds = [p for p in found if not p.is_end]
            if not holds:
                continue
            pick = chance.choices(holds, [p.weight for p in holds])[0]
            text, words = pick.words.rstrip(".,?!;:") + ",", pick.words
        else:
            text = words = found[-1].words
            text = text if text[-1] in ".?!" else text + "."
        pitch = chance.choice(PITCHES)
        samples = _without_tail(voices[pitch].say(text))
        if len(samples) > LINE_HZ // 3:
            spoken.append(
                SpokenTurn(samples=samples, words=words, is_end=is_end, voice=f"piper-{pitch}")
            )
    return spoken


def _without_tail(samples: Samples) -> Samples:
    """Up to the last sound above a fiftieth of the loudest."""
    if not len(samples):
        return samples
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return samples[: int(loud[-1]) + 1]
