"""PURE. Speech of which no word came: whether the caller is asked about it, or left until he has been silent for long.

the recogniser said    nothing at all                              that there was nothing
it is asked about      from `unheard_speech_ms` on; once           once, from `clear_speech_ms` at his own level on
                       from `short_speech_ms` on
"""

from __future__ import annotations

from media_gateway.turns.types import TurnPolicy


class Unheard:
    """One caller's sounds since words of his were last answered or dismissed."""

    def __init__(self, policy: TurnPolicy) -> None:
        self._policy = policy
        self._ms = 0
        self._clear_ms = 0
        self._was_asked = False
        """And no word came since: a noise that comes again and again is not asked about again."""

    def sound(self, ms: int, *, is_faint: bool) -> None:
        """One of them is over."""
        self._ms += ms
        self._clear_ms += 0 if is_faint else ms

    def wants_question(self, *, was_answered: bool) -> bool:
        """Whether to ask; `was_answered`: the recogniser heard them, and knew no word."""
        policy = self._policy
        if was_answered:
            return not self._was_asked and self._clear_ms >= policy.clear_speech_ms
        return self._ms >= (policy.unheard_speech_ms if self._was_asked else policy.short_speech_ms)

    def asked(self) -> None:
        """The question is put."""
        self._was_asked = True

    def understood(self) -> None:
        """There are words of his again."""
        self._was_asked = False

    def forget(self) -> None:
        """What is heard from here on is something else."""
        self._ms = self._clear_ms = 0
