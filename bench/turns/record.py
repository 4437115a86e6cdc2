"""PURE. What is kept of a call: what its caller did, and what passed on its line."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

FRAME_MS = 20


class Kind(Enum):
    """Of an act."""

    ANSWER = "answer"
    INTERRUPTION = "interruption"
    BACKCHANNEL = "backchannel"
    NOISE = "noise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Something that a caller did. Times are ms of the stream."""

    kind: Kind
    what: str
    parts_ms: tuple[tuple[int, int], ...]
    """First and last sound of each breath."""
    pauses_whole: tuple[bool, ...] = ()
    fault: str = ""
    has_background: bool = False

    @property
    def first_ms(self) -> int:
        """Its first sound."""
        return self.parts_ms[0][0]

    @property
    def last_ms(self) -> int:
        """Its last sound."""
        return self.parts_ms[-1][1]


@dataclass(slots=True, kw_only=True)
class Record:
    """What passed on one call's line. The zero of all ms is the first frame's beginning; frame i holds ms 20 i to 20 i + 20.

    What the caller says in frame i goes out when the frame is full, so that is when `sent_s[i]` is; what is played with
    it is heard in the 20 ms that follow.
    """

    call: int
    sent_s: list[float] = field(default_factory=list)
    played: bytearray = field(default_factory=bytearray)
    clears_s: list[float] = field(default_factory=list)
    marks_lost: int = 0
    dry_frames: int = 0

    def caller_s(self, ms: float) -> float:
        """When the caller's ear and mouth were at this ms of what he says."""
        index = min(int(ms // FRAME_MS), len(self.sent_s) - 1)
        return self.sent_s[index] - (FRAME_MS - (ms - index * FRAME_MS)) / 1000

    def agent_s(self, ms: float) -> float:
        """When this ms of what was played was heard."""
        index = min(int(ms // FRAME_MS), len(self.sent_s) - 1)
        return self.sent_s[index] + (ms - index * FRAME_MS) / 1000
