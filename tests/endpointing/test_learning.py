"""Learning from recorded calls: labels for free, refusals, and graphs that compute what was trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import soundfile

from endpointing import curves, graphs
from endpointing.calls import BEFORE_S, outcomes, pauses, recordings
from endpointing.channel import Samples
from endpointing.curves import Pauses
from endpointing.data import DataMissing, check
from endpointing.hazard import Hazard
from endpointing.learn import hold_lengths, learn, weighed
from endpointing.real_pauses import Judged
from endpointing.shipped import Shipped
from endpointing.speech_states import SpeechStates
from media_gateway.ears.end_model import MODELS
from media_gateway.ears.features import rows
from media_gateway.ears.ports import Expectation, PauseCheck
from rehearsal.voice import LocalVoice

QUIET = [(2.0, 3.0), (5.0, 8.0)]
ANSWER = [(5.5, 7.5)]


def test_a_caller_who_goes_on_before_the_agent_speaks_held() -> None:
    assert outcomes(QUIET, ANSWER, 20)[0] == (2.0, 3.0, False)


def test_a_caller_who_stays_silent_when_the_agent_answers_had_finished() -> None:
    assert outcomes(QUIET, ANSWER, 20)[1] == (5.0, 8.0, True)


def test_a_caller_who_is_back_over_the_first_words_of_the_answer_was_cut_into() -> None:
    assert outcomes([(5.0, 6.0)], [(5.5, 7.5)], 20) == [(5.0, 5.5, False)]


def test_a_caller_who_spoke_over_the_agent_labels_nothing() -> None:
    assert outcomes([(5.0, 6.0)], [(4.0, 9.0)], 20) == []


def test_a_short_sound_of_the_agent_is_no_answer() -> None:
    assert outcomes([(5.0, 8.0)], [(5.5, 5.8)], 20) == []


def test_the_silence_at_the_end_of_a_call_is_an_end_only_when_it_was_answered() -> None:
    assert outcomes([(5.0, 9.0)], [], 9) == []
    assert outcomes([(5.0, 9.0)], [(5.4, 8.8)], 9) == [(5.0, 9.0, True)]


def test_a_recording_with_one_channel_is_refused_by_name(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "call.wav", np.zeros(8000), 8000)
    with pytest.raises(DataMissing, match=r"call\.wav has 1 channel"):
        list(recordings(tmp_path))


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF\x00\x00\x00\x00WAVEfmt "])
def test_a_file_that_is_no_sound_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "call.wav").write_bytes(content)
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(DataMissing, match=r"call\.wav is no recording"):
        list(recordings(tmp_path))


def test_calls_are_read_one_after_the_other(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((800, 2)), 8000)
    (tmp_path / "b.wav").write_bytes(b"never looked at")
    assert next(iter(recordings(tmp_path)))[0] == "a.wav"


def test_a_pause_keeps_no_more_of_its_call_than_is_looked_at() -> None:
    spoken = LocalVoice(pitch=1.15).say("Yes, we own the house since twelve years or so.")
    quiet = np.random.default_rng(0).normal(0, 1e-3, 8000).astype(np.float32)
    caller = np.concatenate([quiet, spoken] * 8 + [quiet])
    found = pauses("call", caller, np.zeros_like(caller), SpeechStates())
    assert len(found[-1].before) == BEFORE_S * 8000
    assert all(pause.before.base is None for pause in found)


def test_a_folder_without_recordings_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="no recording"):
        learn(tmp_path, lambda _: None)


def test_channels_may_be_files_of_their_own(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.caller.wav", np.full(800, 0.5), 8000)
    soundfile.write(tmp_path / "a.agent.wav", np.zeros(800), 8000)
    ((name, caller, agent),) = recordings(tmp_path)
    assert (name, caller[0], agent[0]) == ("a.caller.wav", pytest.approx(0.5, abs=1e-3), 0)


@pytest.mark.slow
def test_a_spoken_call_gives_its_hold_and_its_end() -> None:
    caller, agent = LocalVoice(pitch=1.15), LocalVoice()

    def quiet(seconds: float) -> Samples:
        return np.random.default_rng(0).normal(0, 1e-3, int(8000 * seconds)).astype(np.float32)

    begun = caller.say("Yes, we own the house since about,")
    rest = caller.say("twelve years or so.")
    answer = agent.say("Thank you, that is very good to know.")
    spoken = np.concatenate((quiet(0.5), begun, quiet(0.9), rest, quiet(1.0)))
    heard = np.concatenate((spoken, quiet(len(answer) / 8000 + 1.5)))
    told = np.concatenate((quiet(len(spoken) / 8000), answer, quiet(1.5)))
    longest = max(pauses("call", heard, told, SpeechStates()), key=lambda pause: pause.length_s)
    holds = [p for p in pauses("call", heard, told, SpeechStates()) if not p.is_end]
    assert longest.is_end
    assert max(hold.length_s for hold in holds) == pytest.approx(0.9, abs=0.25)


def test_missing_data_is_named_with_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataMissing, match="Taskmaster") as told:
        check(tmp_path)
    assert "github.com" in str(told.value)
    assert "--data" in str(told.value)


def judged(sound_tells: float) -> Judged:
    chance = np.random.default_rng(1)
    is_end = chance.random(400) < 0.5
    return Judged(
        pauses=Pauses(
            length_s=np.where(is_end, 99.0, np.exp(chance.normal(-0.5, 0.8, 400)) + 0.2),
            is_end=is_end,
            weight=np.ones(400),
            group=np.arange(400) % 10,
        ),
        sound=(chance.normal(0, 1, 400) + sound_tells * is_end).astype(np.float32),
        text=chance.normal(0, 2, 400).astype(np.float32),
        has_words=np.ones(400, dtype=np.bool_),
    )


def test_sound_that_tells_is_given_weight_and_sound_that_does_not_is_given_none() -> None:
    present = Shipped(MODELS).hazard
    assert present.audio == 0
    assert weighed(judged(2.0), present).audio > 0.5
    assert weighed(judged(0.0), present).audio < 0.3


def test_lengths_of_pauses_are_found_though_short_ones_were_not_counted() -> None:
    seconds = np.exp(np.random.default_rng(0).normal(-0.2, 0.7, 5000))
    mean, spread = hold_lengths(seconds[seconds > 0.2])
    assert mean == pytest.approx(-0.2, abs=0.06)
    assert spread == pytest.approx(0.7, abs=0.06)


def test_a_written_hazard_computes_what_its_parameters_say(tmp_path: Path) -> None:
    hazard = replace(Shipped(MODELS).hazard, audio=0.4, less={"free": 0.7})
    graphs.write_hazard(tmp_path / "hazard.onnx", hazard, {})
    session = ort.InferenceSession(
        str(tmp_path / "hazard.onnx"), providers=["CPUExecutionProvider"]
    )
    chance = np.random.default_rng(2)
    checks = rows(
        [
            PauseCheck(
                audio=None if n % 3 == 0 else float(chance.normal()),
                text=None if n % 4 == 0 else float(chance.normal(0, 3)),
                words_are_final=n % 2 == 0,
                words_age_ms=int(chance.integers(0, 1000)),
                silence_ms=int(chance.integers(0, 3000)),
                turn_ms=1000,
                expectation=list(Expectation)[n % 6],
                pauses_ms=(700,) * (n % 5),
            )
            for n in range(60)
        ]
    )
    (computed,) = session.run(None, {"checks": checks})
    assert computed.tolist() == pytest.approx(hazard.p(checks).tolist(), abs=1e-4)


def test_the_shipped_graph_carries_the_parameters_that_it_was_written_with() -> None:
    assert isinstance(Shipped(MODELS).hazard, Hazard)


def test_an_endpointer_that_knows_beats_the_timeout_and_one_that_guesses_does_not() -> None:
    pauses = judged(0).pauses
    sure = np.where(pauses.is_end[:, None], 1.0, 0.0) * np.ones((1, len(curves.GRID_S)))
    guess = np.tile(np.linspace(0, 1, len(curves.GRID_S)), (400, 1))
    knowing = curves.gain(pauses, sure, None, [0.5], draws=50, seed=0)[0]
    guessing = curves.gain(pauses, guess, None, [0.5], draws=50, seed=0)[0]
    assert knowing[4] < 0
    assert guessing[3] <= 0 <= guessing[4] or abs(guessing[2]) < 0.05
