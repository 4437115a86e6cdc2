"""PURE. What the end-of-turn model sees of words, of sound and of a pause. Training and the running ear share it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from media_gateway.ears.ports import STEP_MS, Expectation, Frames, PauseCheck
from media_gateway.turns.words import looks_unfinished, unstammered

Row = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

# --- words ---------------------------------------------------------------------------------------------------------

LAST_WORDS = 10
"""Tokens from the end of the turn that the text graph reads one by one."""
LEFT_OPEN = 2.0
"""Weak evidence; set by hand, since typed commas say nothing about recognised ones."""
PAD, UNKNOWN = 0, 1
DIGIT, TENS, MAGNITUDE, ORDINAL = "<digit>", "<tens>", "<magnitude>", "<ordinal>"
SPECIAL = ("<pad>", "<unknown>", DIGIT, TENS, MAGNITUDE, ORDINAL, "<letter>")
"""First entries of every vocabulary, in this order."""

_WORD = re.compile(r"\d+(?:st|nd|rd|th)\b|\d|[^\W\d_]+(?:['’][^\W\d_]+)*|@")
_DIGITS = frozenset("zero oh one two three four five six seven eight nine".split())
_TENS = frozenset(
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen "
    "twenty thirty forty fifty sixty seventy eighty ninety".split()
)
_MAGNITUDES = frozenset("hundred thousand million hundreds thousands".split())
_YES_NO = frozenset("yes yeah yep yup no nope nah sure okay ok correct right exactly".split())
_HESITATIONS = frozenset("um uh er erm hmm mm ah eh uhm".split())
_FOLLOW_ON = frozenset("and but or so because if when that which the a an to of for with".split())

_ASKS = tuple(
    re.compile(pattern)
    for pattern in (
        r"phone|number (?:can|may|should)|call you",
        r"\bzip\b|post(?:al)? ?code",
        r"e-?mail",
        r"\bname\b|\bspell",
        r"\baddress\b|\bwhere\b|\bcity\b|location",
        r"how (?:many|much|old|long)|what(?:'s| is) (?:the|your) (?:price|budget|bill)",
        r"what time|which time|\bwhen\b",
        r"what day|which day|\bdate\b",
        r"\bor\b",
        r"anything else|help you|can i do",
        r"\bright\?|correct\?|look(?:s)? (?:right|good|correct)|confirm",
        r"\b(?:what|which|how|why|tell me)\b",
    )
)

TEXT_EXTRAS = 6 + len(_ASKS) + 1 + 18
"""Length of `text_inputs`' second part."""


def tokens(words: str) -> list[str]:
    """Lower-case words; punctuation away. Numbers only by kind, digit by digit: "12" and "twelve" are alike in what follows."""
    found = _WORD.findall(words.lower().replace("’", "'"))
    out: list[str] = []
    for word in found:
        if word.isdigit():
            out.append(DIGIT)
        elif word[0].isdigit():
            out.append(ORDINAL)
        elif word in _DIGITS:
            out.append(DIGIT)
        elif word in _TENS:
            out.append(TENS)
        elif word in _MAGNITUDES:
            out.append(MAGNITUDE)
        else:
            out.append(word)
    return out


def text_inputs(
    words: str, question: str, expectation: Expectation, vocabulary: Mapping[str, int]
) -> tuple[Ids, Row]:
    """`[LAST_WORDS]` ids, the last word last and `PAD` before the first, and `[TEXT_EXTRAS]` numbers of the whole."""
    words = unstammered(words)
    said = tokens(words)
    ids = np.zeros(LAST_WORDS, dtype=np.int64)
    tail = said[-LAST_WORDS:]
    if tail:
        ids[-len(tail) :] = [_id(token, vocabulary) for token in tail]
    return ids, np.array([*_asked(question, expectation), *_shape(words, said)], dtype=np.float32)


def left_open(words: str) -> float:
    """What to take off the log odds of words that the recogniser itself leaves open, with a comma or dots.

    Recognisers' full stops are not to be trusted: they close whatever stands before a pause.
    """
    return LEFT_OPEN if words.rstrip().endswith((",", "...", "…", "-", "–")) else 0.0


def _id(word: str, vocabulary: Mapping[str, int]) -> int:
    if len(word) == 1 and word not in "aio@":
        return SPECIAL.index("<letter>")
    return vocabulary.get(word, UNKNOWN)


def _asked(question: str, expectation: Expectation) -> list[float]:
    text = question.lower()
    return [
        *(float(expectation is kind) for kind in Expectation),
        *(float(ask.search(text) is not None) for ask in _ASKS),
        float(bool(text.strip())),
    ]


def _shape(words: str, said: list[str]) -> list[float]:
    count = len(said)
    first, last = (said[0], said[-1]) if said else ("", "")
    digits, run = _number_run(said)
    letters = 0
    for token in reversed(said):
        if len(token) != 1 or not token.isalpha():
            break
        letters += 1
    return [
        *(float(count == n) for n in (1, 2, 3, 4)),
        math.log1p(count) / 3,
        float(count > LAST_WORDS),
        float(first in _YES_NO),
        float(first in _YES_NO and count == 1),
        float(last in _YES_NO),
        float(last in _HESITATIONS),
        float(last in _FOLLOW_ON),
        float(looks_unfinished(" ".join(_WORD.findall(words.lower())))),
        min(digits, 12) / 10,
        min(run, 8) / 8,
        float(digits in (7, 10, 11)),
        float(digits == 5),
        min(letters, 8) / 8,
        float("@" in said or "at" in said or "dot" in said),
    ]


def _number_run(said: list[str]) -> tuple[int, int]:
    """Digits and tokens of the numbers at the end."""
    digits = run = 0
    width = {DIGIT: 1, TENS: 2, MAGNITUDE: 2}
    for token in reversed(said):
        if token not in width:
            break
        digits, run = digits + width[token], run + 1
    return digits, run


# --- sound ---------------------------------------------------------------------------------------------------------

STATE, PROBABILITY, LEVEL = slice(0, 128), 128, 129
LONGEST_STEPS = 4000 // STEP_MS
"""Steps before the last sound that are read."""
LEAST_STEPS = 8
"""Fewer than this (a quarter of a second) say nothing."""
_WINDOWS = (8, 16, 31, 62, 125)
SOUND_SHAPE = 17
SOUND_FEATURES = len(_WINDOWS) * 128 + 128 + SOUND_SHAPE


def sound_features(frames: Frames) -> Row:
    """`[SOUND_FEATURES]` of the steps up to a last sound; ValueError with fewer than `LEAST_STEPS`."""
    if len(frames) < LEAST_STEPS:
        raise ValueError(f"{len(frames)} steps of sound: at least {LEAST_STEPS} are needed")
    frames = frames[-LONGEST_STEPS:]
    state = frames[:, STATE]
    means = [state[-steps:].mean(axis=0) for steps in _WINDOWS]
    shape = _prosody(frames[:, PROBABILITY], frames[:, LEVEL])
    return np.concatenate((*means, state[-4:].mean(axis=0) - means[1], shape)).astype(np.float32)


def _prosody(p: Row, level: Row) -> Row:
    """How the voice goes down: levels relative to this speaker's own, pace, and how long it went on without a break."""
    voiced = p >= 0.5
    loud = float(np.median(level[voiced])) if voiced.any() else float(level.max())
    relative = np.clip(level - loud, -0.6, 0.4)
    gaps = np.flatnonzero(~voiced)
    run = len(p) - 1 - int(gaps[-1]) if len(gaps) else len(p)
    if not voiced[-1]:  # the last steps fade: the run before them
        ends = np.flatnonzero(voiced)
        run = 0 if not len(ends) else _run_before(voiced, int(ends[-1]))
    swing = np.diff(level[-62:])
    peaks = np.count_nonzero((swing[:-1] > 0.02) & (swing[1:] < -0.02))
    return np.array(
        [
            *(float(relative[-n:].mean()) for n in (2, 4, 8, 16, 31)),
            _slope(relative[-6:]),
            _slope(relative[-12:]),
            _slope(relative[-24:]),
            *(float(p[-n:].mean()) for n in (4, 8, 16, 62)),
            min(run, 125) / 125,
            float(voiced.mean()),
            peaks / 15,
            float(relative[-31:].std()),
            min(len(p), 125) / 125,
        ],
        dtype=np.float32,
    )


def _run_before(voiced: npt.NDArray[np.bool_], last: int) -> int:
    before = np.flatnonzero(~voiced[:last])
    return last - int(before[-1]) if len(before) else last + 1


def _slope(values: Row) -> float:
    """Per second."""
    if len(values) < 2:
        return 0.0
    at = np.arange(len(values), dtype=np.float32)
    at -= at.mean()
    return float((at @ values) / (at @ at) * (1000 / STEP_MS)) / 10


# --- a moment of a pause --------------------------------------------------------------------------------------------

CHECK_COLUMNS = "has_text text has_audio audio unheard silence_s pauses pause_logs".split()
CHECK_FEATURES = len(CHECK_COLUMNS) + len(Expectation)
_KINDS = {kind: at for at, kind in enumerate(Expectation)}
LATE_WORDS_MS = 200
"""How far interim words may lie behind the sound; so long after the last sound, what is there is what was said."""
_FIRM_MS = 60


def check_row(check: PauseCheck) -> list[float]:
    """`CHECK_FEATURES` numbers for the hazard graph. How long the turn was is not among them: nothing showed its worth."""
    row = [0.0] * CHECK_FEATURES
    if check.text is not None:
        row[0], row[1] = 1.0, check.text
    if check.audio is not None:
        row[2], row[3] = 1.0, check.audio
    row[4] = _share_unheard(check)
    row[5] = check.silence_ms / 1000
    if check.pauses_ms:
        row[6] = float(len(check.pauses_ms))
        row[7] = sum(math.log(max(pause, 200) / 1000) for pause in check.pauses_ms)
    row[len(CHECK_COLUMNS) + _KINDS[check.expectation]] = 1.0
    return row


def _share_unheard(check: PauseCheck) -> float:
    """0 to 1: how likely it is that sound after these words has its words still to come.

    Words that came well after the last sound cover it all; sound that went on after them was not covered; and words
    that did not come within the recogniser's lag will not come.
    """
    sounded_after_ms = check.words_age_ms - check.silence_ms
    if check.words_are_final and sounded_after_ms <= 0:
        return 0.0
    uncovered = 1 / (1 + math.exp(-(sounded_after_ms - LATE_WORDS_MS) / _FIRM_MS))
    waited = 1 / (1 + math.exp((check.silence_ms - 2 * LATE_WORDS_MS) / _FIRM_MS))
    return uncovered * waited


def rows(checks: Sequence[PauseCheck]) -> Row:
    """`[len(checks), CHECK_FEATURES]`."""
    return np.array([check_row(check) for check in checks], dtype=np.float32)
