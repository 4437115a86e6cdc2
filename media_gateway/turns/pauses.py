"""PURE. How long this caller pauses in mid-turn: the silence that one has to leave him before an answer.

caller ▇▇▇▇ pause ▇▇▇▇           he went on before the agent spoke: his way of speaking
caller ▇▇▇▇ pause [answer] ▇▇▇▇  he went on though the turn was taken for over: a false cut-in
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 40
"""Pauses of a call that the ear is shown: the newest."""
DRIFT = 0.1
"""Share of the way that one ordinary pause draws the learnt silence towards itself."""
CUT_IN_MARGIN_MS = 100
"""A caller who was cut in on is left this much more than the pause that was too short for him."""
DECAY = 0.85
"""What a turn that ended well leaves of the learnt silence."""


class Pauses:
    """One caller's pauses within turns."""

    def __init__(self, *, most_ms: int) -> None:
        """`most_ms` caps what is learnt."""
        self._most_ms = most_ms
        self._pauses: deque[int] = deque(maxlen=REMEMBERED)
        self._learnt_ms = 0.0

    @property
    def all_ms(self) -> tuple[int, ...]:
        """The pauses after which he went on, oldest first."""
        return tuple(self._pauses)

    @property
    def learnt_ms(self) -> int:
        """Silence that this caller is to be left; 0 while nothing is known against less."""
        return int(self._learnt_ms)

    def went_on(self, pause_ms: int) -> None:
        """He paused and went on, and nobody had taken the turn for over."""
        self._pauses.append(pause_ms)
        wanted = min(pause_ms, self._most_ms)
        if wanted > self._learnt_ms:
            self._learnt_ms += DRIFT * (wanted - self._learnt_ms)

    def cut_in(self, pause_ms: int) -> None:
        """He went on after the turn had been taken for over: too short a silence for him, and that counts at once."""
        self._pauses.append(pause_ms)
        wanted = min(pause_ms + CUT_IN_MARGIN_MS, self._most_ms)
        self._learnt_ms = max(self._learnt_ms, wanted)

    def ended_well(self) -> None:
        """A turn was answered, and he let it be."""
        self._learnt_ms *= DECAY
