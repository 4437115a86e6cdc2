"""The simulated caller knows only what is on the line, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rehearsal.audio import Samples, level
from rehearsal.caller import FRAME, Act, HungUp, Pressed, Said, SimulatedCaller
from rehearsal.timeline import Pause, Step, Timeline, TimelineError, load_timeline

QUIET: Samples = np.zeros(FRAME, dtype=np.float32)
LOUD: Samples = np.full(FRAME, 0.3, dtype=np.float32)


def voice(words: str) -> Samples:
    """100 ms a word."""
    return np.full(800 * len(words.split()), 0.2, dtype=np.float32)


def play(caller: SimulatedCaller, *line: tuple[Samples, int]) -> list[tuple[int, Act]]:
    """What the caller did, with its time in ms; the line is frames and how long they last."""
    done, now_ms = [], 0
    for frame, ms in line:
        for _ in range(ms // 20):
            _, acts = caller.hear(frame)
            done += [(now_ms, act) for act in acts]
            now_ms += 20
    return done


def caller(*steps: Step, **changes: object) -> SimulatedCaller:
    given: dict[str, object] = {"name": "Test", "steps": steps, "reply_after_ms": 500}
    return SimulatedCaller(Timeline.model_validate(given | changes), voice)


def test_it_answers_when_the_agent_is_done() -> None:
    done = play(caller(Step(say=("yes of course",))), (LOUD, 1000), (QUIET, 2000))
    assert done == [(1500, Said(step=0, words="yes of course"))]


def test_a_gap_between_sentences_is_not_the_end() -> None:
    done = play(caller(Step(say=("yes",))), (LOUD, 600), (QUIET, 400), (LOUD, 600), (QUIET, 1000))
    assert [at for at, _ in done] == [2100]


def test_a_click_is_no_turn_of_the_agents() -> None:
    assert play(caller(Step(say=("yes",))), (LOUD, 100), (QUIET, 3000)) == []


def test_it_interrupts() -> None:
    done = play(caller(Step(say=("wait",), interrupt_after_ms=300)), (QUIET, 100), (LOUD, 1000))
    assert done == [(400, Said(step=0, words="wait"))]


def test_the_second_step_needs_another_turn_of_the_agents() -> None:
    steps = Step(say=("one",)), Step(say=("two",))
    done = play(caller(*steps), (LOUD, 400), (QUIET, 3000), (LOUD, 400), (QUIET, 1000))
    assert [(at, act.words) for at, act in done if isinstance(act, Said)] == [
        (900, "one"),
        (4300, "two"),
    ]


def test_a_pause_within_an_utterance_is_silence_on_the_line() -> None:
    someone = caller(Step(say=("one two", Pause(pause_ms=300), "three"), interrupt_after_ms=0))
    loud = [level(someone.hear(LOUD)[0]) > 0.1 for _ in range(40)]
    assert loud == [True] * 10 + [False] * 15 + [True] * 5 + [False] * 10


def test_it_presses_keys_and_hangs_up() -> None:
    done = play(caller(Step(press="9", interrupt_after_ms=100)), (LOUD, 1000))
    assert [act for _, act in done] == [Pressed(digit="9")]
    done = play(caller(Step(say=("bye",), hang_up=True)), (LOUD, 400), (QUIET, 2000))
    assert [type(act) for _, act in done] == [Said, HungUp]
    step = Step(say=("a very long sentence that is never finished",), hang_up_after_ms=200)
    done = play(caller(step), (LOUD, 400), (QUIET, 1000))
    assert done[-1] == (1100, HungUp(reason="in mid-sentence"))


def test_it_does_not_wait_for_ever() -> None:
    done = play(caller(patience_ms=2000), (LOUD, 400), (QUIET, 2020))
    assert done == [(2400, HungUp(reason="nothing was heard"))]


@pytest.mark.parametrize("path", sorted(Path("rehearsal/callers").glob("*.yaml")), ids=str)
def test_every_caller_that_ships_can_be_used(path: Path) -> None:
    assert load_timeline(path).name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name: [", "is not YAML"),
        ("steps: []", "name: Field required"),
        ("name: A\nsteps: [{shout: no}]", "steps.0.shout: Extra inputs"),
        ("name: A\npitch: 9", "pitch: Input should be less than"),
        ("name: A\nsteps: [{say: [{pause_ms: 1}]}]", "pause_ms"),
    ],
)
def test_a_wrong_time_line_is_refused_with_the_place(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "caller.yaml"
    path.write_text(text)
    with pytest.raises(TimelineError) as refused:
        load_timeline(path)
    assert reason in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_missing_time_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(TimelineError, match="cannot be read: No such file"):
        load_timeline(tmp_path / "none.yaml")


def test_a_murmur_is_said_over_the_agent_and_marked_as_one() -> None:
    step = Step(say=("okay",), interrupt_after_ms=300, murmur=True)
    done = play(caller(step, Step(say=("yes",))), (QUIET, 100), (LOUD, 2000), (QUIET, 2000))
    assert [(act.words, act.is_murmur) for _, act in done if isinstance(act, Said)] == [
        ("okay", True),
        ("yes", False),
    ]


def test_a_murmur_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="murmur"):
        Step(press="1", interrupt_after_ms=300, murmur=True)
