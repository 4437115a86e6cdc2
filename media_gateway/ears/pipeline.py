"""One batch for all calls of a process: which steps run together, when, and what comes of them. No loop, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import numpy as np
import structlog

from media_gateway.ears.counts import EarCounts
from media_gateway.ears.ear import ROW, CallEar
from media_gateway.ears.framing import CONTEXT
from media_gateway.ears.measures import DECODED, measured
from media_gateway.ears.ports import STEP_MS, EarEvent, EndEstimate, EndModel
from media_gateway.ears.speech import CHUNK, HIDDEN, LARGEST_BATCH, Floats, SpeechModel

log = structlog.get_logger(__name__)

WAIT_S = 0.008
"""For other calls' steps to run with: at 60 calls 16 of them come meanwhile."""
FEW_CALLS = 4
"""As many run one by one sooner than they would meet."""
ENOUGH = 16
"""Steps that wait for no more: a run of them takes about 0.6 ms."""
MOST_RUNS = 4
"""Of a tick; what is left gets the next one, after everything else that the loop has to do."""
STARVED_S = 0.25
"""A dozen frames that did not come. A line that stalls for less is no silence of the caller's."""
MOST_TEXTS = 4
"""Of a tick: new words to score take a tenth of a millisecond each."""
MOST_SOUNDS = 2
"""Of a tick: a sound to score takes two."""
STEP_S = STEP_MS / 1000


class Pipeline:
    """The ears of a process. Its driver calls `tick` at the time that was last asked of `wake`."""

    def __init__(
        self,
        speech: SpeechModel,
        end: EndModel | None,
        *,
        clock: Callable[[], float],
        wake: Callable[[float], None],
    ) -> None:
        self._speech = speech
        self._end = end
        self._clock = clock
        self._wake = wake
        self._ears: dict[CallEar, None] = {}
        self._ready: dict[CallEar, None] = {}
        """Have a step; the longest waiting first."""
        self._telling: dict[CallEar, None] = {}
        """Have events, or want a score."""
        self._state: Floats = np.zeros((2, 8, HIDDEN), dtype=np.float32)
        self._free = list(range(8))
        self._texts_left = MOST_TEXTS
        self._closed_counts = EarCounts()
        self._logged: set[str] = set()

    # --- the ears' side --------------------------------------------------------------------------------------------

    def open(self, tell: Callable[[EarEvent], None]) -> CallEar:
        """An ear with fresh state."""
        if not self._free:
            slots = self._state.shape[1]
            self._state = np.concatenate((self._state, np.zeros_like(self._state)), axis=1)
            self._free = list(range(slots, 2 * slots))
        ear = CallEar(self, self._free.pop(), tell, self._clock)
        self._state[:, ear.slot] = 0.0
        self._ears[ear] = None
        return ear

    def step(self, ear: CallEar) -> None:
        """See `Schedule`."""
        if ear in self._ready:
            return
        self._ready[ear] = None
        is_due = len(self._ready) >= ENOUGH or len(self._ears) <= FEW_CALLS
        self._wake(self._clock() + (0.0 if is_due else WAIT_S))

    def tell(self, ear: CallEar) -> None:
        """See `Schedule`."""
        self._telling[ear] = None
        self._wake(self._clock())

    def forget(self, ear: CallEar) -> None:
        """See `Schedule`. A gap drops what waited before it: a step that was ready may be none any more."""
        self._state[:, ear.slot] = 0.0
        if not ear.framing.is_ready:
            self._ready.pop(ear, None)

    def close(self, ear: CallEar) -> None:
        """See `Schedule`."""
        self._ears.pop(ear, None)
        self._ready.pop(ear, None)
        self._telling.pop(ear, None)
        self._free.append(ear.slot)
        self._closed_counts.add(ear.counts)

    def counts(self) -> EarCounts:
        """Of all calls so far, added up."""
        total = EarCounts()
        total.add(self._closed_counts)
        for ear in self._ears:
            total.add(ear.counts)
        return total

    # --- the driver's side -----------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Run what is ready, tell what came of it, ask to be woken again."""
        self._feed_the_starved(self._clock())
        for _ in range(MOST_RUNS):
            if not self._ready:
                break
            batch = list(islice(self._ready, LARGEST_BATCH))
            for ear in batch:
                del self._ready[ear]
            self._run(batch)
            self._ready.update((ear, None) for ear in batch if ear.framing.is_ready)
        told, self._telling = list(self._telling), {}
        self._texts_left = MOST_TEXTS
        self._score(told)
        for ear in told:
            self._tell(ear)
        self._ask_to_be_woken()

    def _run(self, batch: list[CallEar]) -> None:
        steps = [ear.framing.next() for ear in batch]
        mulaw = b"".join([chunk for chunk, _ in steps])
        samples = DECODED[np.frombuffer(mulaw, dtype=np.uint8)].reshape(-1, CHUNK)
        slots = [ear.slot for ear in batch]
        try:
            p, state = self._speech.run(samples, self._state[:, slots])
        except Exception as error:  # noqa: BLE001  whatever the runtime raises, calls go on without
            self._failed("speech", error, batch)
            for ear, (_, end_ms) in zip(batch, steps, strict=True):
                ear.break_off(end_ms)
            return
        self._state[:, slots] = state
        seen = measured(samples[:, CONTEXT:], p)
        rows = np.empty((len(batch), ROW), dtype=np.float32)
        rows[:, :HIDDEN] = state[0]
        rows[:, HIDDEN] = p
        rows[:, HIDDEN + 1] = seen.level_db
        rows[:, HIDDEN + 1] /= 100.0
        for n, (ear, (_, end_ms), speech) in enumerate(zip(batch, steps, p.tolist(), strict=True)):
            if not 0.0 <= speech <= 1.0:
                self._failed("speech", ArithmeticError("no number"), [ear])
                ear.break_off(end_ms)
                continue
            ear.counts.clipped += seen.is_clipped[n]
            ear.counts.shifted += seen.is_shifted[n]
            ear.hum(is_tone=seen.is_tone[n])
            ear.step(rows[n], speech, seen.level_db[n], end_ms)
            if ear.events or ear.wants_estimate or ear.wants_audio_score:
                self._telling[ear] = None

    def _score(self, told: Iterable[CallEar]) -> None:
        """The end-of-turn model, for all that want it; each of its questions once for all."""
        model = self._end
        if model is None:
            return
        asking = [ear for ear in told if ear.wants_estimate or ear.wants_audio_score]
        if asking:
            self._score_audio(model, asking)
            self._estimate(model, [ear for ear in asking if self._knows_its_words(model, ear)])

    def _score_audio(self, model: EndModel, asking: list[CallEar]) -> None:
        """A few; the others get the next tick."""
        wanting = [ear for ear in asking if ear.wants_audio_score]
        self._telling.update((ear, None) for ear in wanting[MOST_SOUNDS:])
        sounds = []
        for ear in wanting[:MOST_SOUNDS]:
            ear.wants_audio_score = False
            sound = ear.sound()
            if sound is not None:
                sounds.append((ear, sound))
        if not sounds:
            return
        try:
            scores = model.audio_scores([sound for _, sound in sounds]).tolist()
        except Exception as error:  # noqa: BLE001  an estimate is made without
            self._failed("end_of_turn_audio", error, [ear for ear, _ in sounds])
            return
        for (ear, _), score in zip(sounds, scores, strict=True):
            ear.watch.audio = score

    def _knows_its_words(self, model: EndModel, ear: CallEar) -> bool:
        """Scored once; for the texts that a tick has no time for, in the next one."""
        watch = ear.watch
        if not watch.words:
            ear.wants_estimate = False
        if not ear.wants_estimate or ear.wants_audio_score:
            return False
        if watch.text is None:
            if self._texts_left == 0:
                self._telling[ear] = None
                return False
            self._texts_left -= 1
            try:
                watch.text = model.text_score(
                    watch.words, question=watch.question, expectation=watch.expectation
                )
            except Exception as error:  # noqa: BLE001  the turn machine has its fixed pauses
                self._failed("end_of_turn_text", error, [ear])
                ear.wants_estimate = False
                return False
        return True

    def _estimate(self, model: EndModel, asking: list[CallEar]) -> None:
        if not asking:
            return
        for ear in asking:
            ear.wants_estimate = False
        try:
            estimates = model.estimate([ear.check() for ear in asking]).tolist()
        except Exception as error:  # noqa: BLE001  the turn machine has its fixed pauses
            self._failed("end_of_turn", error, asking)
            return
        for ear, p in zip(asking, estimates, strict=True):
            ear.events.append(EndEstimate(p=p))

    def _tell(self, ear: CallEar) -> None:
        events, ear.events = ear.events, []
        for event in events:
            if ear.is_closed:
                return
            try:
                ear.tell(event)
            except Exception:
                # A bug in one call's session is no reason for the others to go deaf.
                log.exception("ear_listener_failed")

    def _feed_the_starved(self, now_s: float) -> None:
        """Silence in the place of audio that does not come, where something waits for silence."""
        for ear in self._ears:
            if now_s < self._starved_at_s(ear) or not ear.is_watched:
                continue
            if not ear.is_starved:
                ear.is_starved = True
                ear.counts.starved += 1
                ear.covered_s = max(ear.covered_s, now_s - STARVED_S)
            while ear.covered_s + STEP_S <= now_s and not ear.framing.is_full:
                ear.framing.fill()
                ear.covered_s += STEP_S
            self._ready[ear] = None

    def _ask_to_be_woken(self) -> None:
        now_s = self._clock()
        if self._ready or self._telling:
            self._wake(now_s)
            return
        starving = [self._starved_at_s(ear) for ear in self._ears if ear.is_watched]
        if starving:
            self._wake(max(now_s, min(starving)))

    def _starved_at_s(self, ear: CallEar) -> float:
        return ear.covered_s + (STEP_S if ear.is_starved else STARVED_S)

    def _failed(self, what: str, error: Exception, ears: list[CallEar]) -> None:
        for ear in ears:
            ear.counts.model_failures += 1
        if what not in self._logged:
            self._logged.add(what)
            log.error("ear_model_failed", model=what, kind=type(error).__name__, calls=len(ears))
