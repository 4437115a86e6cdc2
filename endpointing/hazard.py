"""PURE. From evidence and silence to p(the turn ends in this pause): the parameters, and the rule that the graph repeats.

At the start of a pause the odds of an end are those of words and sound. Each moment of silence takes from the holds
those who would have gone on by then, and nothing from the ends: odds divided by the share of holds that pause longer.
So p never falls with silence, and is calibrated as far as the odds and the lengths of pauses are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.special import erfc

from media_gateway.ears.features import CHECK_COLUMNS
from media_gateway.ears.ports import Expectation

Floats = npt.NDArray[np.float32]
SHORTEST_S = 0.2
"""A silence shorter than this is a gap between words as often as a pause."""
LEAST_SHARE = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """What turns a row of `features.check_row` into a probability."""

    pause_bias: float
    pause_text: float
    """Log odds at a pause: bias + weight x the text score."""
    speech_bias: float
    speech_text: float
    """The same at any word's end, whether a pause follows or not: before there is silence."""
    audio: float
    """Weight of the sound's score."""
    wordless: float
    """Log odds at a pause when no words are known."""
    hold_log_s: float = -0.545
    """Mean of ln(seconds) of pauses within turns: e to it is the median, 0.58 s."""
    hold_spread: float = 0.888
    """Their spread: the tenth that is longest pauses 1.81 s and more."""
    habit: float = 4.0
    """So many of a caller's own pauses weigh as much as everybody else's."""
    less: dict[str, float] = field(default_factory=dict)
    """Taken off the words' log odds, by what was asked: who speaks freely goes on after whole sentences."""
    longer: dict[str, float] = field(
        default_factory=lambda: {Expectation.NUMBER.value: 0.15, Expectation.SPELLED.value: 0.25}
    )
    """Added to `hold_log_s` for what is dictated in groups. An assumption, not measured."""

    def log_odds(self, rows: Floats) -> Floats:
        """`[N]`, before what is still unheard is taken off."""
        column = {name: rows[:, at].astype(np.float64) for at, name in enumerate(CHECK_COLUMNS)}
        asked = rows[:, len(CHECK_COLUMNS) :]
        less = asked @ self.kinds(self.less)
        pause = np.where(
            column["has_text"] > 0,
            self.pause_bias + self.pause_text * column["text"] - less,
            self.wordless,
        )
        pause = pause + self.audio * column["audio"]
        speech = np.where(
            column["has_text"] > 0,
            self.speech_bias + self.speech_text * column["text"] - less,
            self.wordless,
        )
        speech = np.minimum(speech, pause)
        silence = column["silence_s"]
        odds = speech + (pause - speech) * np.clip(silence / SHORTEST_S, 0, 1)
        share = np.clip(
            self._longer_than(silence, rows, column) / self._longer_than(SHORTEST_S, rows, column),
            LEAST_SHARE,
            1,
        )
        return np.asarray(odds - np.log(share), dtype=np.float32)

    def p(self, rows: Floats) -> Floats:
        """`[N]` probabilities."""
        unheard = rows[:, CHECK_COLUMNS.index("unheard")]
        return np.asarray((1 - unheard) / (1 + np.exp(-self.log_odds(rows))), dtype=np.float32)

    @staticmethod
    def kinds(of: dict[str, float]) -> Floats:
        """`[len(Expectation)]`, in the order of a row's last columns."""
        return np.array([of.get(kind.value, 0.0) for kind in Expectation], dtype=np.float32)

    def _longer_than(
        self,
        silence: npt.NDArray[np.float64] | float,
        rows: Floats,
        column: dict[str, npt.NDArray[np.float64]],
    ) -> npt.NDArray[np.float64]:
        usual = self.hold_log_s + rows[:, len(CHECK_COLUMNS) :] @ self.kinds(self.longer)
        own = (self.habit * usual + column["pause_logs"]) / (self.habit + column["pauses"])
        z = (np.log(np.maximum(silence, SHORTEST_S)) - own) / self.hold_spread
        return np.asarray(0.5 * erfc(z / np.sqrt(2)))

    def told(self) -> dict[str, object]:
        """For the model card and the graph's metadata."""
        return asdict(self)
