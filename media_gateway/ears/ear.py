"""One call's ear: from messages to steps, from steps to events. It holds the call's state and waits for nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from media_gateway.ears.counts import EarCounts
from media_gateway.ears.features import LEAST_STEPS
from media_gateway.ears.framing import Framing
from media_gateway.ears.gate import LevelGate
from media_gateway.ears.levels import CallerLevel
from media_gateway.ears.ports import STEP_MS, EarEvent, Expectation, Frames, PauseCheck
from media_gateway.ears.turn_watch import WATCHED_MS, TurnWatch
from media_gateway.ears.voicing import STARTS_ABOVE, STOPS_BELOW, Turned, Voicing
from media_gateway.speech.ports import VoiceChange

KEPT_STEPS = 125
"""4 s of rows for the end-of-turn model: 65 kB, the most of what a call's ear weighs."""
ROW = 130
LEARNS_EVERY = 4
"""Steps of a voice in the background: it becomes the caller's own after some 9 s without a louder one."""
STEADY_STEPS = 3
"""Of a tone, before it is called one."""


class Schedule(Protocol):
    """What an ear asks of the process."""

    def step(self, ear: CallEar) -> None:
        """A step of audio is ready."""

    def tell(self, ear: CallEar) -> None:
        """There are events to be told, or scores to be made, now."""

    def forget(self, ear: CallEar) -> None:
        """The model's state is of audio that broke off: begin afresh."""

    def close(self, ear: CallEar) -> None:
        """Never ask this ear again."""


class CallEar:
    """Implements `media_gateway.ears.ports.Ear`."""

    def __init__(
        self,
        schedule: Schedule,
        slot: int,
        tell: Callable[[EarEvent], None],
        clock: Callable[[], float],
    ) -> None:
        self.slot = slot
        """Of the model's state in the pipeline."""
        self.tell = tell
        self._counts = EarCounts()
        self.framing = Framing(self._counts)
        self.watch = TurnWatch()
        self.events: list[EarEvent] = []
        """Not told yet."""
        self.covered_s = clock()
        """The clock when the newest audio came, or silence was put in its place."""
        self.is_starved = False
        """Silence was put in its place."""
        self.is_closed = False
        self.wants_audio_score = self.wants_estimate = False
        self._schedule = schedule
        self._clock = clock
        self._voicing = Voicing()
        self._level = CallerLevel()
        self._gate = LevelGate()
        self._rows: npt.NDArray[np.float32] = np.zeros((KEPT_STEPS, ROW), dtype=np.float32)
        self._steps = 0
        """Of audio since the last gap; the next row is written at this, modulo the ring."""
        self._step_end_ms = 0
        self._tones = 0
        self._told_ms = 0
        self._behind_ms = 0.0
        """Of the stream's time: see `Framing.behind_ms`."""

    @property
    def counts(self) -> EarCounts:
        """See `Ear`."""
        return self._counts

    # --- the port ------------------------------------------------------------------------------------------------

    def hear(self, mulaw: bytes, at_ms: int) -> None:
        """See `Ear`."""
        if self.is_closed:
            return
        before_ms = int(self.framing.end_ms)
        self.covered_s = self._clock()
        self.is_starved = False
        if self.framing.take(mulaw, at_ms, self.covered_s * 1000):
            self.break_off(before_ms)  # by the clock as it ran until then
            if at_ms < before_ms:
                for part in (self._voicing, self._gate, self.watch):
                    part.set_back(before_ms - at_ms)
        self._behind_ms = self.framing.behind_ms
        if self.framing.is_ready:
            self._schedule.step(self)

    def words(self, text: str, *, is_final: bool) -> None:
        """See `Ear`."""
        now_ms = int(self.framing.end_ms)
        is_new = self.watch.hear_words(
            text, is_final=is_final, now_ms=now_ms, is_speaking=self._voicing.is_on
        )
        if is_new and not self.is_closed:
            self.wants_estimate = True
            self._schedule.tell(self)

    def expect(self, expectation: Expectation, question: str) -> None:
        """See `Ear`."""
        self.watch.expect(expectation, question)

    def habits(self, pauses_ms: Sequence[int]) -> None:
        """See `Ear`."""
        self.watch.habits(pauses_ms)

    def agent_speaks(self, is_speaking: bool) -> None:
        """See `Ear`."""
        self._gate.agent_speaks(is_speaking, int(self.framing.end_ms))

    def close(self) -> None:
        """See `Ear`."""
        if not self.is_closed:
            self.is_closed = True
            self.events.clear()
            self._schedule.close(self)

    # --- for the pipeline ----------------------------------------------------------------------------------------

    @property
    def is_watched(self) -> bool:
        """Something is pending that silence would decide: if no audio comes, it is missed."""
        voicing = self._voicing
        return voicing.is_on or (bool(self.watch.words) and self._silence_ms() < WATCHED_MS)

    def step(self, row: npt.NDArray[np.float32], p: float, level_db: float, end_ms: int) -> None:
        """Take the model's answer about the step that ended at `end_ms`."""
        self._rows[self._steps % KEPT_STEPS] = row
        self._steps += 1
        self._step_end_ms = end_ms
        voicing, gate, level = self._voicing, self._gate, self._level
        gate.hear(level_db)
        last_sound_ms = voicing.last_sound_ms
        caller_db = level.speech_db
        is_low = (voicing.is_on or voicing.is_masked) and gate.is_background(caller_db)
        turned = voicing.step(p, end_ms, is_low=is_low)
        is_speech = p >= STARTS_ABOVE
        if turned is Turned.ON:
            is_faint = gate.begins(caller_db, end_ms)
            self._began(voicing.began_ms, last_sound_ms, is_faint=is_faint)
        elif voicing.is_on and is_speech and gate.grew(caller_db, end_ms):
            self._began(end_ms - STEP_MS, last_sound_ms, is_faint=False)
        if is_speech and not gate.is_over_agent(end_ms):
            # A voice in the background is learnt from slowly: it may be the caller's, who stepped back.
            if not voicing.is_masked or self._steps % LEARNS_EVERY == 0:
                level.speech(level_db)
        elif p < STOPS_BELOW:
            level.quiet(level_db)
        if turned is Turned.OFF:
            self.wants_audio_score = True
            self._stopped()
        if self.watch.words and voicing.is_quiet and self._silence_ms() < WATCHED_MS:
            self.wants_estimate = True

    def hum(self, *, is_tone: bool) -> None:
        """Whether the step is a tone: a few in a row are, and one may be anything."""
        self._tones = self._tones + 1 if is_tone else 0
        self._counts.tones += self._tones >= STEADY_STEPS

    def break_off(self, at_ms: int) -> None:
        """What went before is not joined to what follows: a gap, or a model that failed. A sound ends at `at_ms`."""
        if self._voicing.end(at_ms) is Turned.OFF:
            self._stopped()
        self._steps = 0
        self._schedule.forget(self)
        if self.events:
            self._schedule.tell(self)

    def sound(self) -> Frames | None:
        """`[T <= 125, 130]`: the rows up to the last sound, to half a step; None when there are too few."""
        if self._voicing.last_sound_ms is None:
            return None
        kept = min(self._steps, KEPT_STEPS)
        rows = np.roll(self._rows, -self._steps, axis=0)[KEPT_STEPS - kept :]
        after = round((self._step_end_ms - self._voicing.last_sound_ms) / STEP_MS)
        rows = rows[: max(0, kept - after)]
        return rows if len(rows) >= LEAST_STEPS else None

    def check(self) -> PauseCheck:
        """For the end-of-turn model, as of the newest audio."""
        voicing = self._voicing
        return self.watch.check(
            int(self.framing.end_ms),
            last_sound_ms=voicing.last_sound_ms,
            is_quiet=voicing.is_quiet,
        )

    def _silence_ms(self) -> int:
        return self.watch.silence_ms(int(self.framing.end_ms), self._voicing.last_sound_ms)

    def _began(self, at_ms: int, last_sound_ms: int | None, *, is_faint: bool) -> None:
        if not is_faint:
            self.watch.sound_began(at_ms, last_sound_ms)
            self.wants_audio_score = False  # of the pause before, if no tick had time for it
        self._happened(speaking=True, at_ms=at_ms, is_faint=is_faint)

    def _stopped(self) -> None:
        at_ms = self._voicing.last_sound_ms or 0
        self._happened(speaking=False, at_ms=at_ms, is_faint=self._gate.is_faint)

    def _happened(self, *, speaking: bool, at_ms: int, is_faint: bool) -> None:
        at_s = (at_ms + self._behind_ms) / 1000
        # A clock that was set back, or silence that stood in for late audio: time never goes back for the listener.
        self._told_ms = max(self._told_ms, at_ms)
        self.events.append(
            VoiceChange(speaking=speaking, at_ms=self._told_ms, at_s=at_s, is_faint=is_faint)
        )
