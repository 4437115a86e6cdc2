"""Real pauses: AMI meetings, where who spoke before and after a silence tells whether the turn was over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from endpointing.channel import LINE_HZ, Samples, resampled
from endpointing.speech_states import SpeechStates
from media_gateway.ears.ports import STEP_MS, Frames

SHORTEST_S, LONGEST_S = 0.2, 4.0
BEFORE_S, AFTER_S = 0.5, 0.5
"""Around a pause: who speaks here is who spoke before it and after it. Labels are not exact to the tenth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaks:
    """One speaker's turn by the labels."""

    who: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RealPause:
    """A pause of a recording: 8 kHz samples up to it and of all, when it began, how long it was, and what came of it."""

    meeting: str
    company: str
    """Meetings that share a speaker have the same: they are held out together."""
    before: Samples
    """Up to 20 ms after the last sound."""
    at_s: float
    length_s: float
    is_end: bool


def labels(folder: Path) -> dict[str, list[Speaks]]:
    """Per meeting, from all *.rttm of the folder."""
    found: dict[str, list[Speaks]] = {}
    for file in sorted(folder.glob("*.rttm")):
        for line in file.read_text(encoding="utf-8").splitlines():
            fields = line.split()
            start, length = float(fields[3]), float(fields[4])
            found.setdefault(fields[1], []).append(
                Speaks(who=fields[7], start_s=start, end_s=start + length)
            )
    return found


def pauses(folder: Path, states: SpeechStates) -> list[RealPause]:
    """Of every clip; those at which nobody or several speak before or after are left out."""
    found: list[RealPause] = []
    spoken = labels(folder)
    company = _companies(spoken)
    for meeting, speaks in sorted(spoken.items()):
        path = folder / f"{meeting}.flac"
        if not path.exists():
            continue
        samples, rate = soundfile.read(path, dtype="float32")
        narrow = resampled(np.asarray(samples), rate)
        (frames,) = states.frames([narrow])
        for start_s, end_s in silences(frames):
            before = _who(speaks, start_s - BEFORE_S, start_s)
            after = _who(speaks, end_s, end_s + AFTER_S)
            if before is None or after is None or not SHORTEST_S <= end_s - start_s <= LONGEST_S:
                continue
            found.append(
                RealPause(
                    meeting=meeting,
                    company=company[meeting],
                    before=narrow[: round((start_s + 0.02) * LINE_HZ)],
                    at_s=start_s,
                    length_s=end_s - start_s,
                    is_end=before != after,
                )
            )
    return found


def silences(frames: Frames, *, to_the_end: bool = False) -> Iterator[tuple[float, float]]:
    """From the last sound to the next, in seconds: where the speech model hears nobody, its hang-over taken off.

    `to_the_end`: with the last silence too, which ends with the audio.
    """
    voiced = frames[:, 128] >= 0.4
    edges = np.flatnonzero(np.diff(voiced.astype(np.int8)))
    for edge in edges:
        if not voiced[edge]:
            continue
        later: npt.NDArray[np.intp] = np.flatnonzero(voiced[edge + 1 :])
        stop = edge + 1 + int(later[0]) if len(later) else len(voiced)
        start = _last_sound(frames, int(edge))
        if stop < len(voiced) or to_the_end:
            yield (start + 1) * STEP_MS / 1000, stop * STEP_MS / 1000


def _last_sound(frames: Frames, edge: int) -> int:
    """The last step, of the quarter second before the edge, that is loud enough to be part of the word."""
    first = max(0, edge - 7)
    level = frames[first : edge + 1, 129]
    loud = np.median(frames[max(0, edge - 40) : edge + 1, 129])
    above = np.flatnonzero(level > loud - 0.15)
    return first + int(above[-1]) if len(above) else edge


def _who(speaks: list[Speaks], start_s: float, end_s: float) -> str | None:
    """The one who speaks for most of this time; None when others do too or nobody does."""
    shares: dict[str, float] = {}
    for one in speaks:
        shared = min(one.end_s, end_s) - max(one.start_s, start_s)
        if shared > 0:
            shares[one.who] = shares.get(one.who, 0.0) + shared
    if not shares:
        return None
    who = max(shares, key=lambda name: shares[name])
    others = sum(shares.values()) - shares[who]
    return who if others <= 0.3 * shares[who] and shares[who] >= 0.1 else None


def _companies(spoken: dict[str, list[Speaks]]) -> dict[str, str]:
    """Each meeting's first relative by common speakers, near or far."""
    company = {meeting: meeting for meeting in spoken}
    people = {meeting: {one.who for one in speaks} for meeting, speaks in spoken.items()}
    for one in sorted(spoken):
        for other in sorted(spoken):
            if people[one] & people[other] and company[one] != company[other]:
                joined, left = sorted((company[one], company[other]))
                company = {m: joined if c == left else c for m, c in company.items()}
    return company
