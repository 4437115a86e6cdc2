"""PURE. When steps of the speech model become a sound, and when the sound is over."""

from __future__ import annotations

from enum import Enum

STEP_MS = 32
STARTS_ABOVE, STOPS_BELOW = 0.5, 0.35
STARTS_AFTER = 2
"""Steps in a row above."""
STARTS_AT_ONCE = 0.9
"""One step so sure is enough: 25 ms sooner at the slowest twentieth, no more false starts in 33 minutes of noises."""
STOPS_AFTER = 3
"""Steps in a row below. Of 14 meeting clips' stops, those that speech goes on after within 250 ms: 23 of 110 with two
steps, 10 of 97 with three, 4 of 91 with four; each costs 32 ms."""
BACKGROUND_AFTER = 8
"""Steps in a row that are speech but far below the caller's own: a voice in the background talks on after him. Own
sentences lose nothing by it (29 pauses within 64 of them, with and without); with a meeting 15 dB below the caller's
voice, 96 % of their ends are told within 0.6 s, and 78 % without."""
BACKGROUND_GONE_AFTER = 62
"""Steps in a row without it, 2 s: it pauses between its sentences, too."""
HANG_OVER_MS = 100
"""The graph's own: it goes on seeing speech this long after the last sound (measured median 0.1 s)."""


class Turned(Enum):
    """What a step changed."""

    ON = "on"
    OFF = "off"


class Voicing:
    """One call's hysteresis."""

    def __init__(self) -> None:
        self.is_on = False
        """A sound is going on."""
        self.began_ms = 0
        """When the present or last sound began."""
        self.last_sound_ms: int | None = None
        """When the last speech was heard, dated back from the step that went below; None before the first."""
        self._in_a_row = 0
        self._low_in_a_row = 0
        self.is_masked = False
        """The sound was ended by its level, and what is in the background goes on."""

    @property
    def is_quiet(self) -> bool:
        """Nothing is heard at this step: also before that is sure enough to be told."""
        return not self.is_on or self._in_a_row > 0

    def step(self, p: float, end_ms: int, *, is_low: bool = False) -> Turned | None:
        """Take p(speech) of the step that ended at `end_ms`; `is_low`: far below the caller's own level."""
        return (
            self._while_on(p, end_ms, is_low) if self.is_on else self._while_off(p, end_ms, is_low)
        )

    def end(self, at_ms: int) -> Turned | None:
        """The audio broke off at `at_ms`."""
        if not self.is_on:
            self._in_a_row = 0
            return None
        return self._turn_off(max(self.began_ms, at_ms) if self._in_a_row == 0 else None)

    def set_back(self, by_ms: int) -> None:
        """The stream's clock was: what was heard was as long ago as before."""
        self.began_ms -= by_ms
        if self.last_sound_ms is not None:
            self.last_sound_ms -= by_ms

    def _while_off(self, p: float, end_ms: int, is_low: bool) -> Turned | None:
        if self.is_masked:
            self._low_in_a_row = self._low_in_a_row + 1 if p < STOPS_BELOW else 0
            self.is_masked = self._low_in_a_row < BACKGROUND_GONE_AFTER
            if is_low:
                self._in_a_row = 0
                return None
        self._in_a_row = self._in_a_row + 1 if p >= STARTS_ABOVE else 0
        if self._in_a_row < STARTS_AFTER and p < STARTS_AT_ONCE:
            return None
        self.is_on, self.is_masked = True, False
        self._in_a_row = self._low_in_a_row = 0
        self.began_ms = max(0, end_ms - STARTS_AFTER * STEP_MS)
        return Turned.ON

    def _while_on(self, p: float, end_ms: int, is_low: bool) -> Turned | None:
        is_below = p < STOPS_BELOW
        self._low_in_a_row = self._low_in_a_row + 1 if is_below or is_low else 0
        self._in_a_row = self._in_a_row + 1 if is_below else 0
        if self._in_a_row == 1:
            self.last_sound_ms = max(self.began_ms, end_ms - STEP_MS - HANG_OVER_MS)
        if self._in_a_row >= STOPS_AFTER:
            return self._turn_off(None)
        if self._low_in_a_row >= BACKGROUND_AFTER and not is_below:
            self.is_masked = True
            # Half of them: a last syllable may be as soft as the background, and silence counted double cuts in.
            loud_ms = end_ms - BACKGROUND_AFTER // 2 * STEP_MS
            return self._turn_off(max(self.began_ms, loud_ms))
        return None

    def _turn_off(self, last_sound_ms: int | None) -> Turned:
        if last_sound_ms is not None:
            self.last_sound_ms = last_sound_ms
        self.is_on = False
        self._in_a_row = self._low_in_a_row = 0
        return Turned.OFF
