"""Reads what a carrier left of a call: the witness's events and the two channels of the recording."""

from __future__ import annotations

import json
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rehearsal.audio import Samples
from rehearsal.evidence.line import Utterance, sounds_of, utterances_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WireEvent:
    """One line of the witness."""

    t_ms: float | None
    """From the answer; None before it."""
    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A call as the carrier saw it."""

    events: tuple[WireEvent, ...]
    caller: Samples
    agent: Samples
    utterances: tuple[Utterance, ...]

    @property
    def duration_ms(self) -> int:
        """Of the recording."""
        return len(self.caller) // 8

    def of_kind(self, kind: str) -> list[WireEvent]:
        """Events of one kind, in order."""
        return [event for event in self.events if event.kind == kind]


def read_wire(folder: Path) -> Wire:
    """Raises FileNotFoundError when the call was never answered, or its evidence is missing."""
    events = []
    for line in (folder / "witness.jsonl").read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        events.append(WireEvent(t_ms=fields.pop("t_ms"), kind=fields.pop("kind"), fields=fields))
    with wave.open(str(folder / "call.wav"), "rb") as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).reshape(-1, 2)
    both = pcm.astype(np.float32) / np.float32(32768)
    caller, agent = np.ascontiguousarray(both[:, 0]), np.ascontiguousarray(both[:, 1])
    return Wire(
        events=tuple(events),
        caller=caller,
        agent=agent,
        utterances=tuple(utterances_of(sounds_of(caller), sounds_of(agent))),
    )
