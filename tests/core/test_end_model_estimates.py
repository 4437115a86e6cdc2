"""The shipped end-of-turn model: what it says of words, of pauses and of callers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from media_gateway.ears.end_model import MODELS, OnnxEndModel
from media_gateway.ears.ports import Expectation, PauseCheck

OWNS = "Do you own the house you live in?"
BILL = "About how much do you pay for electricity a month?"
PHONE = "What phone number can we reach you at?"
EAGER, COMMIT = 0.4, 0.7


@pytest.fixture(scope="module")
def model() -> OnnxEndModel:
    return OnnxEndModel()


def p(
    model: OnnxEndModel,
    words: str,
    silence_ms: int,
    *,
    question: str = OWNS,
    expectation: Expectation = Expectation.YES_NO,
    pauses: tuple[int, ...] = (),
    words_age_ms: int | None = None,
) -> float:
    """With words that came 100 ms after the last sound, as a recogniser's do."""
    return float(
        model.estimate(
            [
                PauseCheck(
                    audio=None,
                    text=model.text_score(words, question=question, expectation=expectation),
                    words_are_final=silence_ms >= 250,
                    words_age_ms=max(0, silence_ms - 100) if words_age_ms is None else words_age_ms,
                    silence_ms=silence_ms,
                    turn_ms=1500,
                    expectation=expectation,
                    pauses_ms=pauses,
                )
            ]
        )[0]
    )


@pytest.mark.parametrize("words", ["yes we do", "no we rent", "I guess I have two minutes"])
def test_whole_answers_are_begun_at_once_and_committed_within_450_ms(
    model: OnnxEndModel, words: str
) -> None:
    assert p(model, words, 130) >= EAGER
    assert p(model, words, 450) >= COMMIT


@pytest.mark.parametrize(
    "words",
    [
        "yes we own the house since about",
        "and",
        "um",
        "it belongs to my",
        "Honestly, honestly, honestly",
    ],
)
def test_words_that_are_not_over_hold_for_a_second_and_a_half(
    model: OnnxEndModel, words: str
) -> None:
    assert p(model, words, 1500) < COMMIT
    assert p(model, words, 1000) < EAGER


def test_p_never_falls_with_silence_alone(model: OnnxEndModel) -> None:
    chance = np.random.default_rng(0)
    for _ in range(200):
        text = None if chance.random() < 0.2 else float(chance.normal(0, 4))
        audio = None if chance.random() < 0.5 else float(chance.normal(0, 2))
        expectation = list(Expectation)[int(chance.integers(len(Expectation)))]
        lag_ms, is_final = int(chance.integers(-300, 800)), bool(chance.random() < 0.5)
        pauses = tuple(int(x) for x in chance.integers(100, 4000, int(chance.integers(0, 6))))
        checks = [
            PauseCheck(
                audio=audio,
                text=text,
                words_are_final=is_final,
                words_age_ms=max(0, silence_ms + lag_ms),
                silence_ms=silence_ms,
                turn_ms=2000,
                expectation=expectation,
                pauses_ms=pauses,
            )
            for silence_ms in range(max(0, -lag_ms), 3000, 32)
        ]
        estimates = model.estimate(checks)
        assert (np.diff(estimates) >= -1e-6).all()
        assert ((estimates >= 0) & (estimates <= 1)).all()


def test_silence_itself_is_evidence(model: OnnxEndModel) -> None:
    assert p(model, "sorry wait", 1800) - p(model, "sorry wait", 250) > 0.2
    assert p(model, "um", 2000) > 3 * p(model, "um", 250)


def test_digits_that_are_dictated_are_waited_for(model: OnnxEndModel) -> None:
    asked = {"question": PHONE, "expectation": Expectation.NUMBER}
    assert p(model, "five five five", 1000, **asked) < EAGER  # type: ignore[arg-type]
    assert p(model, "212 555 0199", 450, **asked) >= COMMIT  # type: ignore[arg-type]


def test_a_number_is_not_over_before_its_unit_is_likely(model: OnnxEndModel) -> None:
    asked = {"question": BILL, "expectation": Expectation.NUMBER}
    begun = p(model, "we pay about", 600, **asked)  # type: ignore[arg-type]
    whole = p(model, "we pay about two hundred dollars a month", 600, **asked)  # type: ignore[arg-type]
    assert begun < EAGER < COMMIT < whole


def test_a_caller_who_pauses_long_is_given_longer(model: OnnxEndModel) -> None:
    words = "sorry wait"
    hasty = p(model, words, 700, pauses=(300, 250, 350, 300))
    slow = p(model, words, 700, pauses=(1500, 1800, 1200, 1600))
    assert slow < p(model, words, 700) < hasty


def test_words_that_sound_went_on_after_are_not_believed(model: OnnxEndModel) -> None:
    assert p(model, "yes we do", 0, words_age_ms=900) < 0.1


def test_a_pause_without_words_is_no_end_for_a_second(model: OnnxEndModel) -> None:
    check = PauseCheck(
        audio=None,
        text=None,
        words_are_final=False,
        words_age_ms=0,
        silence_ms=1000,
        turn_ms=300,
        expectation=Expectation.FREE,
    )
    assert float(model.estimate([check])[0]) < COMMIT


def test_a_batch_says_what_single_checks_say(model: OnnxEndModel) -> None:
    checks = [
        PauseCheck(
            audio=0.1 * n,
            text=float(n - 4),
            words_are_final=True,
            words_age_ms=10,
            silence_ms=100 * n,
            turn_ms=1000,
            expectation=list(Expectation)[n % 6],
        )
        for n in range(9)
    ]
    alone = [float(model.estimate([check])[0]) for check in checks]
    assert model.estimate(checks).tolist() == pytest.approx(alone, abs=1e-6)
    assert model.estimate([]).shape == (0,)


def test_sound_that_is_too_short_says_nothing_and_the_rest_keeps_its_place(
    model: OnnxEndModel,
) -> None:
    sound = np.random.default_rng(1).random((60, 130), dtype=np.float32)
    scores = model.audio_scores([sound[:2], sound, sound[:0]])
    assert scores[0] == scores[2] == 0
    assert scores[1] == pytest.approx(float(model.audio_scores([sound])[0]), abs=1e-5)


def test_a_missing_file_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is missing: reinstall"):
        OnnxEndModel(tmp_path)


def test_what_is_shipped_stays_below_three_megabytes() -> None:
    assert 0 < sum(file.stat().st_size for file in MODELS.glob("*.onnx")) < 3_000_000


@pytest.mark.parametrize("part", ["text", "sound", "hazard"])
@pytest.mark.parametrize("damage", ["cut", "another", "old"])
def test_a_file_that_is_not_what_it_is_called_is_refused_by_name(
    tmp_path: Path, part: str, damage: str
) -> None:
    for path in MODELS.glob("*.onnx"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    file = tmp_path / f"end_of_turn_{part}_v1.onnx"
    whole = file.read_bytes()
    other = tmp_path / f"end_of_turn_{'sound' if part == 'text' else 'text'}_v1.onnx"
    damaged = {
        "cut": whole[: len(whole) // 2],
        "another": other.read_bytes(),
        "old": whole.replace(b"\x07version\x12\x02v1", b"\x07version\x12\x02v0"),
    }[damage]
    assert damaged != whole
    file.write_bytes(damaged)
    with pytest.raises(ValueError, match=file.name):
        OnnxEndModel(tmp_path)
