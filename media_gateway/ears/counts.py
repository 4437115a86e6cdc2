"""What reached a call's ear that should not have: one counter for each kind of bad input."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(slots=True, kw_only=True)
class EarCounts:
    """Counters of one call, or, added up, of all calls of a process. They only grow."""

    frames: int = 0
    """Messages with audio, good or bad."""
    odd_sizes: int = 0
    """Of another size than 20 ms, or empty. Taken all the same."""
    late: int = 0
    """Arrived more than `framing.LATE_MS` later than the promptest of late. Taken all the same."""
    lost: int = 0
    """Holes in the stream's time, of any length."""
    gaps: int = 0
    """Of these, such as are too long to bridge: speech ends there, and the model begins afresh."""
    doubled: int = 0
    """Frames of a time that was heard already: dropped."""
    clock_jumps: int = 0
    """The stream's clock went back and stayed there: believed after a while."""
    overrun: int = 0
    """Audio came faster than it is worked through: the oldest was dropped."""
    starved: int = 0
    """Times that no audio came in the middle of a sound or a pause, so that silence was heard in its place."""
    clipped: int = 0
    """Steps of 32 ms with many samples at the very top of the scale."""
    shifted: int = 0
    """Steps with a clear DC offset. It is taken out of the level; the model does not mind it."""
    tones: int = 0
    """Steps of a loud, steady tone (fax, answering machine): never speech."""
    model_failures: int = 0
    """Runs of a model that raised or returned no numbers. The session goes on without what they would have said."""

    def add(self, other: EarCounts) -> None:
        """Add another call's counters to these."""
        for field in fields(self):
            name = field.name
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_fields(self) -> dict[str, int]:
        """By name, for a health check."""
        return {f"ear_{name}": count for name, count in asdict(self).items()}
