"""PURE. How long a voice may be silent before the next one is asked, too, and before the reply is given up.

A voice that was quicker than speech has earned time: while its audio lasts nobody hears that it is silent.

    asked              first audio late: the next voice is asked as well, the first to sound speaks
    ├──── first_audio_s ────┤
    ├──────────── give_up_s ────────────┤  neither sounded
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverPolicy:
    """Seconds."""

    first_audio_s: float = 0.8
    """From words to their first sound, and from one sound to the next one that is due."""
    give_up_s: float = 2.2
    """The same, when there is nobody else to ask. Below the three seconds of silence that a caller may hear."""


class Patience:
    """One reply's. Times are seconds of the driver's clock."""

    def __init__(self, policy: FailoverPolicy) -> None:
        self._policy = policy
        self._waits_since_s: float | None = None
        self._asked_s = 0.0
        self._dry_at_s = 0.0
        """When all the audio that was delivered has played, if it began to at once."""

    def wanted(self, now_s: float) -> None:
        """There are words that want a sound."""
        if self._waits_since_s is None:
            self._waits_since_s = self._asked_s = now_s

    def sounded(self, now_s: float, audio_s: float, *, is_pending: bool) -> None:
        """The voice gave something; `is_pending`: more is due."""
        self._dry_at_s = max(self._dry_at_s, now_s) + audio_s
        self._waits_since_s = now_s if is_pending else None
        self._asked_s = now_s

    def asked(self, now_s: float) -> None:
        """Another voice was asked."""
        self._asked_s = now_s

    @property
    def next_voice_due_s(self) -> float | None:
        """When to ask another one; None while nothing is due."""
        if self._waits_since_s is None:
            return None
        late_s = self._policy.first_audio_s
        return max(self._asked_s + late_s, self._dry_at_s - late_s)

    @property
    def give_up_due_s(self) -> float | None:
        """When the caller has waited too long."""
        if self._waits_since_s is None:
            return None
        return max(self._waits_since_s, self._dry_at_s) + self._policy.give_up_s
