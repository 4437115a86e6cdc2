"""Whatever the line does: no exception, no sound that never ends, and a counter that says what it was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from media_gateway.ears.counts import EarCounts
from media_gateway.ears.ear import CallEar
from media_gateway.ears.framing import GAP_MS
from media_gateway.ears.speech import Floats, SpeechModel
from media_gateway.speech.ports import VoiceChange
from rehearsal.audio import Samples, to_mulaw
from tests.ears.line import Line, RuleModel, kinds, silence


@pytest.fixture(scope="module")
def sentence(spoken: Samples) -> bytes:
    return to_mulaw(spoken)


def counted(ear: CallEar) -> dict[str, int]:
    """The counters that are not zero, but for what is always there."""
    values = {name: getattr(ear.counts, name) for name in EarCounts.__dataclass_fields__}
    return {k: v for k, v in values.items() if v and k not in ("frames", "odd_sizes")}


def played(
    audio: bytes, *, arrives_s: Callable[[int], float] | None = None
) -> tuple[Line, CallEar]:
    """Frames of 20 ms; `arrives_s` says when the nth comes."""
    line = Line()
    ear = line.open()
    for n in range(len(audio) // 160):
        line.run_to((n + 1) / 50 if arrives_s is None else arrives_s(n))
        ear.hear(audio[160 * n : 160 * n + 160], 20 * n)
    line.run_to(line.now_s + 0.01)
    return line, ear


def is_in_order(changes: list[VoiceChange]) -> bool:
    times = [change.at_ms for change in changes]
    return times == sorted(times)


def test_a_line_that_falls_silent_in_mid_word_ends_the_sound(sentence: bytes) -> None:
    line, ear = played(silence(320) + sentence[:8000])
    assert kinds(line.voices()) == [True]
    last_ms = 320 + 1000
    line.run_to(line.now_s + 0.5)
    _, stop = line.voices()
    assert not stop.speaking
    assert last_ms - 60 <= stop.at_ms <= last_ms + 200
    assert line.told[-1][1] <= last_ms / 1000 + 0.45
    assert counted(ear) == {"starved": 1}
    line.run_to(line.now_s + 60)
    assert kinds(line.voices()) == [True, False]
    assert line.due_s is None, "a silent line needs no timer once nothing is pending"


def test_a_line_that_sends_no_silence_ends_every_sound(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    for n in range(3):
        line.run_to(2.5 * n)
        line.next_s = None
        line.play((ear, sentence))
    line.run_to(line.now_s + 1)
    assert kinds(line.voices()) == [True, False] * 3
    assert is_in_order(line.voices())
    assert ear.counts.starved == 3
    assert ear.counts.gaps == 2


def test_a_pause_is_estimated_although_no_audio_comes(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, silence(320) + sentence))
    ear.words("We own the house since six years.", is_final=True)
    line.run_to(line.now_s + 2)
    silences = [check.silence_ms for check in model.checks]
    assert silences[-1] > 1500
    assert silences == sorted(silences)
    assert len(line.estimates()) > 40


def test_ten_lost_seconds_end_the_sound_where_it_was_last_heard(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, silence(320) + sentence[:8000]))
    ear.hear(sentence[8000:8160], 11_320)
    line.run_to(line.now_s)
    start, stop = line.voices()
    assert (start.speaking, stop.speaking, stop.at_ms) == (True, False, 1320)
    assert counted(ear) == {"lost": 1, "gaps": 1}


def test_a_gap_right_behind_a_step_that_waits_deafens_no_call(sentence: bytes) -> None:
    line = Line()
    ears = [line.open() for _ in range(6)]
    line.play(*((ear, silence(320) + sentence[:4000]) for ear in ears))
    for ear in ears:
        ear.hear(sentence[4000:4256], 820)
    ears[0].hear(sentence[4000:4160], 20_000)
    line.play(*((ear, sentence[4256:] + silence(640)) for ear in ears[1:]), at_ms=852)
    for ear in ears[1:]:
        assert kinds(line.voices(ear)) == [True, False]
    assert kinds(line.voices(ears[0])) == [True, False]


def test_after_a_gap_speech_is_found_again_at_its_own_time(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, silence(320) + sentence[:8000]))
    line.play((ear, silence(320) + sentence + silence(640)), at_ms=21_000)
    assert kinds(line.voices()) == [True, False, True, False]
    assert abs(line.voices()[2].at_ms - 21_320) <= 100


def test_a_short_hole_does_not_end_the_sound(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    audio = silence(320) + sentence + silence(640)
    lost = range(36, 36 + GAP_MS // 20 - 2)
    for n in range(len(audio) // 160):
        line.run_to((n + 1) / 50)
        if n not in lost:
            ear.hear(audio[160 * n : 160 * n + 160], 20 * n)
    line.run_to(line.now_s + 0.01)
    # The clock that waited for them put silence in; the sound may pause there, and goes on.
    assert line.voices()[-1].speaking is False
    assert is_in_order(line.voices())
    assert ear.counts.lost == 1
    assert ear.counts.gaps == 0


def test_doubled_frames_change_nothing(sentence: bytes) -> None:
    audio = silence(320) + sentence + silence(640)
    clean, _ = played(audio)
    line = Line()
    ear = line.open()
    for n in range(len(audio) // 160):
        line.run_to((n + 1) / 50)
        for _ in range(2):
            ear.hear(audio[160 * n : 160 * n + 160], 20 * n)
    line.run_to(line.now_s + 0.01)
    assert line.voices() == clean.voices()
    assert counted(ear) == {"doubled": len(audio) // 160}


def test_a_clock_that_is_set_back_is_believed_after_a_while(sentence: bytes) -> None:
    line, ear = played(silence(500) + sentence + silence(640))
    line.play((ear, silence(500) + sentence + silence(640)), at_ms=0)
    assert kinds(line.voices()) == [True, False, True, False]
    assert is_in_order(line.voices())
    assert ear.counts.clock_jumps == 1
    assert ear.counts.doubled == 9


def test_a_pause_in_which_the_clock_is_set_back_grows_all_the_same(sentence: bytes) -> None:
    model = RuleModel()
    line = Line(model)
    ear = line.open()
    line.play((ear, silence(20_000) + sentence + silence(300)))
    ear.words("We own the house since six years.", is_final=True)
    line.play((ear, silence(2000)), at_ms=0)
    silences = [check.silence_ms for check in model.checks]
    assert silences == sorted(silences)
    assert silences[-1] > 1800
    assert model.checks[-1].words_age_ms > 1500
    assert 1000 < model.checks[-1].turn_ms < 2500


def test_a_stream_without_times_is_heard(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    audio = silence(320) + sentence + silence(640)
    for n in range(len(audio) // 160):
        line.run_to((n + 1) / 50)
        ear.hear(audio[160 * n : 160 * n + 160], 0)
    assert line.voices()[-1:] == [] or line.voices()[-1].speaking is False


@pytest.mark.parametrize("drift", [0.99, 1.01])
def test_a_clock_that_drifts_by_a_hundredth_shifts_no_sound_and_is_never_late(
    sentence: bytes, drift: float
) -> None:
    audio = silence(20_000) + sentence + silence(640)
    line, ear = played(audio, arrives_s=lambda n: (n + 1) / 50 * drift)
    clean, _ = played(audio)
    assert [c.at_ms for c in line.voices()] == [c.at_ms for c in clean.voices()]
    assert counted(ear) == {}
    for change, (_, told_s, _) in zip(line.voices(), line.told, strict=True):
        assert change.at_s == pytest.approx(change.at_ms / 1000 * drift, abs=0.01)
        assert change.at_s is not None
        assert 0 < told_s - change.at_s < 0.25


@pytest.mark.parametrize("at_ms", [lambda n: 20 * n * 0.99, lambda n: 20 * (n % 150), lambda _: 0])
def test_by_our_clock_a_sound_is_never_long_over(
    sentence: bytes, at_ms: Callable[[int], float]
) -> None:
    """A stream's clock that is slow, that is set back, that stands: a pause is no longer than it was."""
    audio = silence(2400) + sentence + silence(640)
    line = Line()
    ear = line.open()
    line.now_s = 600.0
    for n in range(30_000, 30_000 + len(audio) // 160):
        line.run_to((n + 1) / 50)
        at = 160 * (n - 30_000)
        ear.hear(audio[at : at + 160], int(at_ms(n)))
    line.run_to(line.now_s + 0.5)
    for _, told_s, change in line.told:
        assert isinstance(change, VoiceChange)
        assert change.at_s is not None
        assert told_s - change.at_s < 0.5


@pytest.mark.parametrize("drift", [0.99, 1.01])
def test_times_that_drift_by_a_hundredth_are_no_holes(sentence: bytes, drift: float) -> None:
    audio = silence(10_000) + sentence + silence(640)
    line = Line()
    ear = line.open()
    for n in range(len(audio) // 160):
        line.run_to((n + 1) / 50)
        ear.hear(audio[160 * n : 160 * n + 160], int(20 * n * drift))
    line.run_to(line.now_s + 0.01)
    assert kinds(line.voices()) == [True, False]
    assert abs(line.voices()[0].at_ms - 10_000 * drift) <= 100
    assert counted(ear) == {}


def test_late_frames_are_heard_and_counted(sentence: bytes) -> None:
    audio = silence(320) + sentence + silence(640)

    def with_a_hitch(n: int) -> float:
        return max((n + 1) / 50, 1.0) if 40 <= n < 50 else (n + 1) / 50

    line, ear = played(audio, arrives_s=with_a_hitch)
    clean, _ = played(audio)
    assert kinds(line.voices())[0] is True
    assert line.voices()[-1].speaking is False
    assert abs(line.voices()[-1].at_ms - clean.voices()[-1].at_ms) <= 64
    assert ear.counts.late > 0
    assert ear.counts.lost == 0


def test_ten_seconds_at_once_keep_the_newest_and_end_in_order(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    audio = silence(8000) + sentence + silence(9000 - len(sentence) // 8)
    for n in range(len(audio) // 160):
        ear.hear(audio[160 * n : 160 * n + 160], 20 * n)
    ticks = 0
    while line.due_s is not None and line.due_s <= line.now_s:
        line.due_s = None
        line.pipeline.tick()
        ticks += 1
    assert 1 < ticks <= 12, "a burst is worked off in pieces"
    assert ear.counts.overrun > 0
    assert line.voices() == []


def test_odd_sizes_are_counted_and_heard(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    line.play((ear, silence(320) + sentence + silence(640)), frame=133)
    ear.hear(b"", 5000)
    assert kinds(line.voices()) == [True, False]
    assert ear.counts.odd_sizes == ear.counts.frames


def test_a_message_of_a_minute_is_cut_to_its_newest_second(sentence: bytes) -> None:
    line = Line()
    ear = line.open()
    ear.hear(silence(60_000), 0)
    line.run_to(0.5)
    assert ear.framing.end_ms == 60_000
    assert counted(ear) == {"overrun": 1}


@pytest.mark.parametrize("gain", [4, 30])
def test_clipped_speech_is_found(spoken: Samples, gain: int) -> None:
    loud = np.clip(spoken * np.float32(gain), -1, 1)
    line, ear = played(silence(320) + to_mulaw(loud) + silence(640))
    assert kinds(line.voices()) == [True, False]
    assert ear.counts.clipped > 0


@pytest.mark.parametrize("offset", [0.02, -0.1])
def test_a_dc_offset_is_no_speech_and_hides_none(spoken: Samples, offset: float) -> None:
    quiet = np.zeros(8000, dtype=np.float32)
    samples = np.concatenate((quiet, spoken, quiet)) + np.float32(offset)
    line, ear = played(to_mulaw(samples))
    assert kinds(line.voices()) == [True, False]
    assert ear.counts.shifted > 40
    assert ear.counts.clipped == 0


@pytest.mark.parametrize("hertz", [1100, 2100, 440, 1000])
def test_a_steady_tone_is_counted_and_no_speech(hertz: int) -> None:
    t = np.arange(8000 * 6) / 8000
    beeps = (0.1 * np.sin(2 * np.pi * hertz * t) * (t % 3.5 < 0.5)).astype(np.float32)
    line, ear = played(to_mulaw(beeps))
    assert line.voices() == []
    assert ear.counts.tones >= 15


def test_speech_is_no_tone(sentence: bytes) -> None:
    _, ear = played(silence(320) + sentence + silence(640))
    assert ear.counts.tones == 0


class BrokenModel(SpeechModel):
    """Raises, or answers nonsense, from the nth run on."""

    def __init__(self, after: int, until: int, *, raises: bool) -> None:
        super().__init__()
        self._runs, self._after, self._until, self._raises = 0, after, until, raises

    def run(self, chunks: Floats, state: Floats) -> tuple[Floats, Floats]:
        self._runs += 1
        if self._after <= self._runs < self._until:
            if self._raises:
                raise RuntimeError("corrupt")
            p, new = super().run(chunks, state)
            return p * np.nan, new * np.nan
        return super().run(chunks, state)


@pytest.mark.parametrize("raises", [True, False])
def test_a_model_that_fails_ends_the_sound_and_is_tried_again(
    sentence: bytes, raises: bool, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line(speech=BrokenModel(after=30, until=60, raises=raises))
    ear = line.open()
    line.play((ear, silence(320) + sentence + silence(1000) + sentence + silence(640)))
    assert kinds(line.voices()) == [True, False, True, False]
    assert ear.counts.model_failures == 30
    assert line.pipeline.counts().model_failures == 30


class BrokenEnd(RuleModel):
    def text_score(self, words: str, **_: object) -> float:
        raise ValueError("corrupt")

    def audio_scores(self, frames: object) -> np.ndarray:
        raise ValueError("corrupt")


def test_an_end_of_turn_model_that_fails_leaves_the_voice_changes(sentence: bytes) -> None:
    line = Line(BrokenEnd())
    ear = line.open()
    line.play((ear, silence(320) + sentence))
    ear.words("We own the house", is_final=False)
    line.play((ear, silence(640)))
    assert kinds(line.voices()) == [True, False]
    assert line.estimates() == []
    assert ear.counts.model_failures > 0


def test_the_counts_of_closed_calls_are_kept(sentence: bytes) -> None:
    line = Line()
    one, two = line.open(), line.open()
    one.hear(b"", 0)
    two.hear(b"", 0)
    one.close()
    assert line.pipeline.counts().odd_sizes == 2


def test_any_garbage_is_survived() -> None:
    rng = np.random.default_rng(11)
    line = Line(RuleModel())
    ear = line.open()
    for _ in range(3000):
        size = int(rng.choice([0, 1, 13, 160, 160, 160, 800, 20_000]))
        line.run_to(line.now_s + float(rng.choice([0.0, 0.02, 0.02, 0.3])))
        ear.hear(
            rng.integers(0, 256, size, dtype=np.uint8).tobytes(), int(rng.integers(-500, 90_000))
        )
        if rng.random() < 0.05:
            ear.words("well " * int(rng.integers(0, 3)), is_final=bool(rng.integers(0, 2)))
    line.run_to(line.now_s + 30)
    assert line.due_s is None
    changes = line.voices()
    assert is_in_order(changes)
    assert not changes or changes[-1].speaking is False
