"""PURE. Turns played word by word to the model, with a recogniser's lag and the ear's: what thresholds would do in a call.

Words end when their sound does; the recogniser shows them 100 ms later; the ear knows of a silence 130 ms after the
last sound. Pauses fall where `pauses_in_text` has them, as long as people's pauses are. Half real: the words are
people's, the times are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from endpointing.hazard import SHORTEST_S, Hazard
from endpointing.pauses_in_text import Place
from endpointing.text_examples import Example
from media_gateway.ears.features import rows
from media_gateway.ears.ports import STEP_MS, PauseCheck

Floats = npt.NDArray[np.float64]

WORDS_LATE_MS, FINAL_LATE_MS, QUIET_LATE_MS = 100, 250, 130
SETTLED_MS = 200
"""After the last sound: then words are taken as settled, though not final."""
LONGEST_MS = 2000
AHEAD_PER_TURN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The end of one word: its example, and what follows."""

    example: Example
    pause_ms: int
    """0: the next word follows at once; of a turn's end: more than anybody waits."""
    next_words_ms: int
    """From this word's end until the recogniser shows the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one pair of thresholds does to the turns."""

    eager: float
    commit: float
    least_pause_ms: int
    cut_inside: float
    """Share of pauses inside a clause that are cut into."""
    cut_clause: float
    """The same after a clause, a connective's turn, a group of digits."""
    cut_sentence: float
    """The same between whole sentences of one turn."""
    delay_p50_ms: float
    delay_p95_ms: float
    delay_mean_ms: float
    ahead_p50_ms: float
    """From the last sound to the start of a reply ahead, at ends."""
    wasted_per_turn: float
    """Replies begun ahead and dropped, at most two a turn."""


def drawn_lengths(count: int, chance: np.random.Generator, hazard: Hazard) -> Floats:
    """Seconds of `count` pauses within turns, of the people's distribution, `SHORTEST_S` at least."""
    found: Floats = np.zeros(0)
    while len(found) < count:
        more = np.exp(chance.normal(hazard.hold_log_s, hazard.hold_spread, count))
        found = np.concatenate((found, more[more >= SHORTEST_S]))
    return found[:count]


def play(examples: Sequence[Example], chance: np.random.Generator, hazard: Hazard) -> list[Moment]:
    """Every word's end of turns whose prefixes follow one another in `examples`."""
    lengths = drawn_lengths(len(examples), chance, hazard)
    moments = []
    for at, example in enumerate(examples):
        spoken_ms = int(chance.uniform(180, 380))
        pauses = not example.is_end and chance.random() < example.weight
        pause_ms = 10 * LONGEST_MS if example.is_end else int(lengths[at] * 1000) if pauses else 0
        moments.append(
            Moment(
                example=example,
                pause_ms=pause_ms,
                next_words_ms=pause_ms + spoken_ms + WORDS_LATE_MS,
            )
        )
    return moments


def judge(
    moments: Sequence[Moment],
    scores: npt.NDArray[np.float32],
    hazard: Hazard,
    policies: Sequence[tuple[float, float, int]],
) -> list[Outcome]:
    """One outcome a policy: eager p, commit p, least pause in ms."""
    ticks = np.arange(WORDS_LATE_MS, LONGEST_MS + STEP_MS, STEP_MS)
    p = np.zeros((len(moments), len(ticks)))
    for column, tick in enumerate(ticks.tolist()):
        asked = [at for at, moment in enumerate(moments) if tick < moment.next_words_ms]
        checks = [_check(moments[at], float(scores[at]), tick) for at in asked]
        p[asked, column] = hazard.p(rows(checks))
    return [_outcome(moments, ticks, p, *policy) for policy in policies]


def _check(moment: Moment, score: float, tick_ms: int) -> PauseCheck:
    is_quiet = QUIET_LATE_MS <= tick_ms <= moment.pause_ms
    silence_ms = tick_ms if is_quiet else 0
    return PauseCheck(
        audio=None,
        text=score,
        words_are_final=is_quiet and tick_ms >= FINAL_LATE_MS,
        words_age_ms=tick_ms - WORDS_LATE_MS,
        silence_ms=silence_ms,
        turn_ms=2000,
        expectation=moment.example.expectation,
    )


def _outcome(
    moments: Sequence[Moment],
    ticks: npt.NDArray[np.int64],
    p: Floats,
    eager: float,
    commit: float,
    least_pause_ms: int,
) -> Outcome:
    place = np.array([m.example.place.value for m in moments])
    pause = np.array([m.pause_ms for m in moments])
    ends = place == Place.END.value
    turn = np.cumsum(np.concatenate(([0], ends[:-1].astype(int))))
    may = (ticks[None, :] >= max(SETTLED_MS, least_pause_ms)) & (p >= commit)
    may[:, -1] = True
    fired = ticks[may.argmax(axis=1)]
    began = np.where((p >= eager).any(axis=1), ticks[(p >= eager).argmax(axis=1)], 10**6)
    holds = ~ends & (pause > 0)

    def cut(where: Place) -> float:
        mine = holds & (place == where.value)
        return float((fired < pause)[mine].mean()) if mine.any() else float("nan")

    dropped = np.bincount(turn, weights=(~ends & (began < 10**6)).astype(float))
    return Outcome(
        eager=eager,
        commit=commit,
        least_pause_ms=least_pause_ms,
        cut_inside=cut(Place.INSIDE),
        cut_clause=cut(Place.CLAUSE),
        cut_sentence=cut(Place.SENTENCE),
        delay_p50_ms=float(np.quantile(fired[ends], 0.5)),
        delay_p95_ms=float(np.quantile(fired[ends], 0.95)),
        delay_mean_ms=float(fired[ends].mean()),
        ahead_p50_ms=float(np.quantile(np.minimum(began, fired)[ends], 0.5)),
        wasted_per_turn=float(np.minimum(dropped, AHEAD_PER_TURN).mean()),
    )
