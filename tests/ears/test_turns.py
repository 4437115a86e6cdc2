"""What the end-of-turn model is asked, how often, and when its estimates are told."""

from __future__ import annotations

import numpy as np
import pytest

from media_gateway.ears.ports import STEP_MS, EarEvent, EndEstimate, Expectation
from media_gateway.ears.speech import Floats, SpeechModel
from media_gateway.ears.turn_watch import WATCHED_MS
from media_gateway.ears.voicing import STOPS_AFTER
from media_gateway.speech.ports import VoiceChange
from rehearsal.audio import Samples, to_mulaw
from tests.ears.line import Line, RuleModel, kinds, silence


@pytest.fixture(scope="module")
def sentence(spoken: Samples) -> bytes:
    return to_mulaw(spoken)


def spoken_to(model: RuleModel, audio: bytes) -> Line:
    line = Line(model)
    line.play((line.open(), audio))
    return line


def test_without_words_nothing_is_estimated(sentence: bytes) -> None:
    model = RuleModel()
    line = spoken_to(model, silence(320) + sentence + silence(640))
    assert line.estimates() == []
    assert model.batches == []
    assert len(model.sounds) == 1, "the sound is scored when it stops, words or not"


def test_every_step_of_a_pause_is_estimated_and_the_words_are_scored_once(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, silence(320) + sentence))
    ear.expect(Expectation.YES_NO, "Do you own the house?")
    ear.habits([420, 650])
    ear.words("we own the house", is_final=False)
    line.play((ear, silence(960)))
    steps = 960 // STEP_MS
    assert steps - 4 <= len(line.estimates()) <= steps + 1
    assert model.texts == ["we own the house"]
    assert len(model.sounds) == 1
    last = model.checks[-1]
    assert last.expectation is Expectation.YES_NO
    assert last.pauses_ms == (420, 650)
    assert (last.text, last.audio) == (-2.0, 0.5)
    assert 800 <= last.silence_ms <= 1000
    assert 1200 <= last.turn_ms <= 1500
    assert 900 <= last.words_age_ms <= 980
    silences = [check.silence_ms for check in model.checks]
    assert silences == sorted(silences)


def test_estimates_begin_before_the_stop_is_told(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, silence(320) + sentence[:-800]))
    ear.words("we own the house", is_final=False)
    line.run_to(line.now_s + 0.005)
    told = len(line.told)
    line.play((ear, silence(640)))
    kinds_told = [type(event) for _, _, event in line.told[told:]]
    stop = kinds_told.index(VoiceChange)
    assert kinds_told[:stop].count(EndEstimate) == STOPS_AFTER - 1


def test_new_words_are_estimated_at_once_also_while_he_speaks(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, silence(320) + sentence[:8000]))
    before = len(line.estimates())
    ear.words("we own", is_final=False)
    assert line.due_s == line.now_s
    line.run_to(line.now_s)
    assert len(line.estimates()) == before + 1
    assert (model.checks[-1].silence_ms, model.checks[-1].audio) == (0, None)
    ear.words("we own", is_final=False)
    line.run_to(line.now_s + 0.005)
    assert len(line.estimates()) == before + 1, "the same words again are no news"


def test_a_final_of_the_same_words_is_estimated_again_without_scoring_them_again() -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    for is_final in (False, True):
        ear.words("Yes.", is_final=is_final)
        line.run_to(line.now_s)
    assert [check.words_are_final for check in model.checks] == [False, True]
    assert model.texts == ["Yes."]


def test_another_question_makes_the_words_mean_something_else() -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    ear.words("Yes.", is_final=True)
    line.run_to(line.now_s)
    for is_final in (False, True):
        ear.expect(Expectation.NUMBER, "How old is the roof?")
        ear.words("Yes.", is_final=is_final)
        line.run_to(line.now_s)
    assert model.texts == ["Yes.", "Yes."]


def test_an_answered_turn_is_estimated_no_more(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, silence(320) + sentence))
    ear.words("we own the house", is_final=True)
    line.play((ear, silence(320)))
    count = len(line.estimates())
    ear.words("", is_final=False)
    line.play((ear, silence(320)))
    assert len(line.estimates()) == count
    line.play((ear, sentence))
    ear.words("and a garage", is_final=True)
    line.play((ear, silence(320)))
    assert model.checks[-1].turn_ms < 1500, "the next turn's length counts from its own first sound"


def test_a_pause_is_watched_for_some_seconds_only(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, silence(320) + sentence))
    ear.words("we own the house", is_final=True)
    line.play((ear, silence(WATCHED_MS + 3000)))
    assert max(check.silence_ms for check in model.checks) < WATCHED_MS + STEP_MS


def test_calls_that_pause_together_are_estimated_together(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ears = [line.open() for _ in range(20)]
    line.play(*((ear, silence(320) + sentence) for ear in ears))
    for ear in ears:
        ear.words("we own the house", is_final=True)
    line.play(*((ear, silence(320)) for ear in ears))
    assert 20 in model.batches
    assert len(model.texts) == 20


def test_the_sound_that_is_scored_ends_with_the_sound(sentence: bytes) -> None:
    model = RuleModel()
    spoken_to(model, silence(320) + sentence + silence(640))
    steps = (320 + len(sentence) / 8) / STEP_MS
    assert abs(model.sounds[0] - steps) <= 2
    spoken_to(model, silence(6000) + sentence + silence(640))
    assert 110 <= model.sounds[1] <= 122


def test_the_rows_of_a_long_sound_are_in_order(sentence: bytes) -> None:
    model = RuleModel()
    spoken_to(model, silence(6000) + sentence + silence(640))
    p = model.frames[0][:, 128]
    assert p[:70].max() < 0.35
    assert p[-30:-4].min() > 0.5


def test_a_closed_ear_gets_nothing_more_of_the_same_tick(sentence: bytes) -> None:
    line, told = Line(RuleModel()), []

    def tell(event: EarEvent) -> None:
        told.append(event)
        if isinstance(event, VoiceChange) and not event.speaking:
            ear.close()

    ear = line.pipeline.open(tell)
    line.play((ear, silence(320) + sentence[:-800]))
    ear.words("we own the house", is_final=True)
    line.play((ear, silence(640)))
    assert isinstance(told[-1], VoiceChange)


def test_a_place_that_is_given_away_knows_nothing_of_who_had_it(sentence: bytes) -> None:
    audio = silence(64) + sentence + silence(640)
    fresh, used = RuleModel(), RuleModel()
    spoken_to(fresh, audio)
    line = Line(used)
    gone = line.open()
    line.play((gone, sentence[:8000]))
    gone.close()
    line.play((line.open(), audio))
    np.testing.assert_array_equal(used.frames[-1], fresh.frames[-1])


def test_a_cough_long_ago_is_no_part_of_the_turn(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, sentence[:4000] + silence(3000) + sentence))
    ear.words("we own the house", is_final=True)
    line.play((ear, silence(320)))
    assert model.checks[-1].turn_ms < 1500


def test_a_sound_without_words_a_moment_ago_is_a_part_of_it(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, sentence[:4000] + silence(900) + sentence))
    ear.words("well we own the house", is_final=True)
    line.play((ear, silence(320)))
    assert model.checks[-1].turn_ms > 2000


def test_babble_over_the_agent_is_faint_and_the_callers_own_voice_is_not(
    sentence: bytes, other: Samples
) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, silence(320) + sentence + silence(960)))
    ear.agent_speaks(True)
    babble = to_mulaw(other * 0.08)
    line.play((ear, babble + silence(960) + sentence + silence(640)))
    changes = line.voices()
    assert not any(change.is_faint for change in changes[:2])
    own = len(sentence) / 8 + len(babble) / 8 + 320 + 2 * 960
    over = [change for change in changes[2:] if change.at_ms < own - 100]
    assert over
    assert all(change.is_faint for change in over)
    after = [change for change in changes if change.at_ms >= own - 100]
    assert kinds(after) == [True, False]
    assert not after[0].is_faint


def test_a_faint_sound_over_which_the_caller_speaks_is_told_again(
    spoken: Samples, other: Samples
) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, silence(320) + to_mulaw(spoken) + silence(2400)))
    ear.agent_speaks(True)
    mixed = np.concatenate((other, other)) * np.float32(0.09)
    mixed[1600 : 1600 + len(spoken)] += spoken
    began_ms = line.now_s * 1000
    line.play((ear, to_mulaw(mixed)))
    faint, loud = line.voices()[2:4]
    assert (faint.speaking, faint.is_faint) == (True, True)
    assert (loud.speaking, loud.is_faint) == (True, False)
    assert 150 <= loud.at_ms - began_ms <= 450


def test_what_is_heard_over_the_agent_teaches_nothing_about_the_caller(
    sentence: bytes, other: Samples
) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, silence(320) + sentence + silence(2400)))
    ear.agent_speaks(True)
    babble = to_mulaw(other * 0.08) + silence(2400)
    line.play((ear, babble * 4))
    over = [change for change in line.voices()[2:] if change.speaking]
    assert len(over) >= 4
    assert all(change.is_faint for change in over)


def test_before_the_caller_was_heard_nothing_is_faint(other: Samples) -> None:
    line = Line()
    ear = line.open()
    ear.agent_speaks(True)
    line.play((ear, silence(320) + to_mulaw(other * 0.08) + silence(640)))
    assert line.voices()
    assert not any(change.is_faint for change in line.voices())


def test_a_turn_ends_although_somebody_talks_on_in_the_background(
    spoken: Samples, other: Samples
) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, to_mulaw(spoken) + silence(960)))
    behind = to_mulaw(other * 0.1)
    line.play((ear, to_mulaw(spoken) + behind))
    last = [change for change in line.voices() if not change.speaking][-1]
    end_ms = 2 * len(spoken) / 8 + 960
    assert abs(last.at_ms - end_ms) <= 200
    assert not ear.is_watched


def test_the_model_is_asked_about_a_callers_habits_as_they_change() -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    habits = [300]
    ear.habits(habits)
    habits.append(900)
    ear.words("Yes.", is_final=True)
    line.run_to(line.now_s)
    assert model.checks[-1].pauses_ms == (300,)


class Scripted(SpeechModel):
    """Says what it is told to, one step after the other."""

    def __init__(self, p: list[float]) -> None:
        super().__init__()
        self.p = p

    def run(self, chunks: Floats, state: Floats) -> tuple[Floats, Floats]:
        _, new = super().run(chunks, state)
        return np.array([self.p.pop(0)], dtype=np.float32), new


def test_the_sound_before_a_pause_says_nothing_once_he_goes_on() -> None:
    """Worked off late, a short pause and what follows it fall into one tick."""
    model = RuleModel()
    line = Line(model, Scripted([1.0] * 16 + [0.0] * 3 + [1.0] * 5))
    ear = line.open()
    ear.words("we own", is_final=False)
    for n in range(16):
        line.run_to(0.032 * n)
        ear.hear(silence(32), 32 * n)
    line.run_to(0.55)
    ear.hear(silence(4 * 32), 16 * 32)
    line.run_to(line.now_s)
    assert kinds(line.voices()) == [True, False, True]
    assert ear.watch.audio is None
