"""PURE. What a stereo recording shows: who made sound when, and the utterances and gaps that follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from rehearsal.audio import LINE_HZ, Samples

FRAME_MS = 20
LOUD = 0.01
"""Root mean square of a frame that holds sound."""
JOIN_MS = 1300
"""Sounds of one speaker nearer than this, with none of the other between them, are one utterance."""
SHORTEST_MS = 60
Speaker = Literal["caller", "agent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Milliseconds from the answer."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        """Its duration."""
        return self.end_ms - self.start_ms

    def overlap_ms(self, other: Span) -> int:
        """How much of it lies within another."""
        return max(0, min(self.end_ms, other.end_ms) - max(self.start_ms, other.start_ms))


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What one speaker said in one go."""

    speaker: Speaker
    span: Span
    sounds: tuple[Span, ...]


def sounds_of(samples: Samples) -> list[Span]:
    """Stretches with sound; gaps of less than a tenth of a second do not part them."""
    frame = LINE_HZ * FRAME_MS // 1000
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.sqrt(np.mean(np.square(whole), axis=1)) >= LOUD
    found: list[Span] = []
    for index in np.flatnonzero(loud):
        start, end = int(index) * FRAME_MS, (int(index) + 1) * FRAME_MS
        if found and start - found[-1].end_ms < 100:
            found[-1] = Span(start_ms=found[-1].start_ms, end_ms=end)
        else:
            found.append(Span(start_ms=start, end_ms=end))
    return [span for span in found if span.length_ms >= SHORTEST_MS]


def utterances_of(caller: list[Span], agent: list[Span]) -> list[Utterance]:
    """Both sides' utterances by their beginning."""
    return sorted(
        [*_joined("caller", caller, agent), *_joined("agent", agent, caller)],
        key=lambda utterance: utterance.span.start_ms,
    )


def _joined(speaker: Speaker, own: list[Span], other: list[Span]) -> list[Utterance]:
    groups: list[list[Span]] = []
    for span in own:
        if groups:
            gap = Span(start_ms=groups[-1][-1].end_ms, end_ms=span.start_ms)
            if gap.length_ms < JOIN_MS and not any(gap.overlap_ms(sound) for sound in other):
                groups[-1].append(span)
                continue
        groups.append([span])
    return [
        Utterance(
            speaker=speaker,
            span=Span(start_ms=group[0].start_ms, end_ms=group[-1].end_ms),
            sounds=tuple(group),
        )
        for group in groups
    ]


def cut(samples: Samples, span: Span, margin_ms: int = 150) -> Samples:
    """The samples of a span and a little around it."""
    per_ms = LINE_HZ // 1000
    start = max(0, (span.start_ms - margin_ms) * per_ms)
    return samples[start : (span.end_ms + margin_ms) * per_ms]
