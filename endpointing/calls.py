"""Real pauses of recorded calls, caller and agent on a channel each: what came of a pause is its label.

    caller  ▁▁████▁▁▁▁███▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁██     the first pause is a hold: the same caller goes on before the agent speaks;
    agent   ██▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁██████▁▁▁▁       the second an end: the agent answers and the caller stays silent.

A caller who comes back over the agent's first words was cut into: that pause is a hold too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from endpointing.channel import KEPT_S, LINE_HZ, Samples
from endpointing.data import DataMissing
from endpointing.meetings import LONGEST_S, SHORTEST_S, silences
from endpointing.speech_states import SpeechStates
from media_gateway.ears.ports import STEP_MS

ANSWER_S = 0.6
"""An agent who speaks at least this long took the floor; less is "mm-hm"."""
CUT_IN_S = 1.0
"""A caller who is back so soon after the agent began had not finished."""

BEFORE_S = 12
"""Of sound before a pause: what its words are recognised from; the sound model looks at less."""

Span = tuple[float, float]
"""Begin and end in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPause:
    """A caller's pause."""

    call: str
    before: Samples
    """The caller's channel up to 20 ms after the last sound, `BEFORE_S` of it."""
    length_s: float
    """Of a hold; of one that was cut into, what of it was heard."""
    is_end: bool


def recordings(folder: Path) -> Iterator[tuple[str, Samples, Samples]]:
    """(name, caller, agent) of `NAME.wav` with two channels, or of `NAME.caller.wav` and `NAME.agent.wav`; 8 kHz.

    One after the other: a year of calls fits no memory. DataMissing at the first that cannot be used.
    """
    is_empty = True
    for path in sorted(path for path in folder.rglob("*.wav") if path.is_file()):
        if path.name.endswith(".agent.wav"):
            continue
        if path.name.endswith(".caller.wav"):
            other = path.with_name(path.name.replace(".caller.wav", ".agent.wav"))
            if not other.exists():
                raise DataMissing(
                    f"{other} is missing: {path.name} needs the agent's channel beside it"
                )
            is_empty = False
            yield str(path.relative_to(folder)), _mono(path), _mono(other)
            continue
        samples, rate = _read(path)
        if rate != LINE_HZ or samples.shape[1] != 2:
            raise DataMissing(
                f"{path} has {samples.shape[1]} channel(s) at {rate} Hz: calls are recorded at {LINE_HZ} Hz "
                "with the caller on the first channel and the agent on the second"
            )
        is_empty = False
        yield str(path.relative_to(folder)), samples[:, 0].copy(), samples[:, 1].copy()
    if is_empty:
        raise DataMissing(
            f"{folder} has no recording: *.wav with two channels, or *.caller.wav and *.agent.wav"
        )


def pauses(call: str, caller: Samples, agent: Samples, states: SpeechStates) -> list[CallPause]:
    """Every pause of the caller whose outcome is clear."""
    longest = max(len(caller), len(agent))
    both = [np.pad(channel, (0, longest - len(channel))) for channel in (caller, agent)]
    heard, answers = states.frames(both)
    found = []
    quiet, call_s = [*silences(heard, to_the_end=True)], len(heard) * STEP_MS / 1000
    for start_s, end_s, is_end in outcomes(quiet, spans(answers[:, 128] >= 0.5), call_s):
        # A copy of what is looked at later: a slice would keep the whole call.
        stop = round((start_s + KEPT_S) * LINE_HZ)
        before = caller[max(0, stop - BEFORE_S * LINE_HZ) : stop].copy()
        found.append(CallPause(call=call, before=before, length_s=end_s - start_s, is_end=is_end))
    return found


def spans(active: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[Span]:
    """Runs of active steps, those less than a third of a second apart joined."""
    found: list[Span] = []
    for at in np.flatnonzero(active).tolist():
        start_s, end_s = at * STEP_MS / 1000, (at + 1) * STEP_MS / 1000
        if found and start_s - found[-1][1] < 0.33:
            found[-1] = (found[-1][0], end_s)
        else:
            found.append((start_s, end_s))
    return found


def outcomes(
    quiet: Sequence[Span], agent: Sequence[Span], call_s: float
) -> list[tuple[float, float, bool]]:
    """(start, end, is_end) of each of the caller's silences that has a clear outcome; a last one ends with the call."""
    found: list[tuple[float, float, bool]] = []
    for start_s, end_s in quiet:
        if any(begin <= start_s < stop for begin, stop in agent):
            continue  # he spoke over the agent: whose turn it was is not clear
        answers = [(begin, stop) for begin, stop in agent if start_s < begin < end_s]
        if not answers:
            if SHORTEST_S <= end_s - start_s <= LONGEST_S and end_s < call_s:
                found.append((start_s, end_s, False))
            continue
        began_s, spoken_s = answers[0][0], sum(stop - begin for begin, stop in answers)
        if spoken_s >= ANSWER_S and began_s - start_s >= SHORTEST_S:
            is_back = end_s - began_s < CUT_IN_S and end_s < call_s
            found.append((start_s, began_s if is_back else end_s, not is_back))
    return found


def _mono(path: Path) -> Samples:
    samples, rate = _read(path)
    if rate != LINE_HZ or samples.shape[1] != 1:
        raise DataMissing(f"{path} is to have one channel at {LINE_HZ} Hz")
    return samples[:, 0].copy()


def _read(path: Path) -> tuple[Samples, int]:
    """`[T, channels]`, and the rate."""
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise DataMissing(f"{path} is no recording that can be read: {error}") from None
    return np.nan_to_num(samples, posinf=1.0, neginf=-1.0), int(rate)
