"""Whose voice it is, by its level: written levels in dBFS."""

from __future__ import annotations

import numpy as np

from media_gateway.ears.gate import (
    AS_IT_GOES,
    BACKGROUND_BELOW_DB,
    ECHO_TAIL_MS,
    FAINT_BELOW_DB,
    LevelGate,
)
from media_gateway.ears.levels import KEPT, KNOWN_AFTER, SILENT_DB, CallerLevel
from media_gateway.ears.measures import measured

CALLER_DB = -26.0


def over_agent(*levels_db: float) -> LevelGate:
    gate = LevelGate()
    gate.agent_speaks(True, 0)
    for level_db in levels_db:
        gate.hear(level_db)
    return gate


def test_a_sound_clearly_below_the_caller_is_faint_over_the_agent() -> None:
    below = CALLER_DB - FAINT_BELOW_DB
    assert over_agent(-60, below - 3, below - 1).begins(CALLER_DB, 1000)
    assert not over_agent(-60, below + 1, below - 3).begins(CALLER_DB, 1000)


def test_nothing_is_faint_as_long_as_nothing_is_known_of_the_caller() -> None:
    assert not over_agent(-60, -60).begins(None, 1000)


def test_nothing_is_faint_when_the_agent_is_silent() -> None:
    gate = LevelGate()
    gate.hear(-60)
    assert not gate.begins(CALLER_DB, 1000)


def test_the_agents_echo_is_faint_for_a_while_after_it_ended() -> None:
    gate = over_agent(-50)
    gate.agent_speaks(False, 1000)
    assert gate.begins(CALLER_DB, 1000 + ECHO_TAIL_MS - 1)
    assert not gate.begins(CALLER_DB, 1000 + ECHO_TAIL_MS)


def test_a_faint_sound_that_grows_loud_is_told_once() -> None:
    gate = over_agent(-50)
    assert gate.begins(CALLER_DB, 1000)
    assert not gate.grew(CALLER_DB, 1032)
    for _ in range(AS_IT_GOES):
        gate.hear(CALLER_DB)
    assert gate.grew(CALLER_DB, 1200)
    assert not gate.grew(CALLER_DB, 1232)


def test_a_single_peak_of_babble_is_no_growth() -> None:
    gate = over_agent(*[-50.0] * AS_IT_GOES)
    assert gate.begins(CALLER_DB, 1000)
    gate.hear(CALLER_DB - FAINT_BELOW_DB + 3)
    assert not gate.grew(CALLER_DB, 1032)


def test_a_faint_sound_that_outlasts_the_agent_is_the_callers() -> None:
    gate = over_agent(-50)
    assert gate.begins(CALLER_DB, 1000)
    gate.agent_speaks(False, 1100)
    assert not gate.grew(CALLER_DB, 1100)
    assert gate.grew(CALLER_DB, 1100 + ECHO_TAIL_MS)


def test_the_background_is_far_below_the_caller() -> None:
    assert over_agent(*[CALLER_DB - BACKGROUND_BELOW_DB - 1] * 3).is_background(CALLER_DB)
    assert not over_agent(*[CALLER_DB - BACKGROUND_BELOW_DB + 1] * 3).is_background(CALLER_DB)
    assert not over_agent(-90).is_background(None)


def test_a_callers_level_is_known_after_half_a_second() -> None:
    level = CallerLevel()
    for _ in range(KNOWN_AFTER - 1):
        level.speech(-30)
    assert level.speech_db is None
    level.speech(-30)
    assert level.speech_db == -30


def test_a_second_voice_pulls_the_level_down_only_when_it_is_most_of_what_is_heard() -> None:
    level = CallerLevel()
    for n in range(KEPT):
        level.speech(-26 if n % 2 else -45)
    assert level.speech_db == -26
    for _ in range(KEPT):
        level.speech(-45)
    assert level.speech_db == -45


def test_the_floor_follows_the_line_slowly() -> None:
    level = CallerLevel()
    level.quiet(-60)
    level.quiet(-40)
    assert level.floor_db == -59


def test_levels_leave_out_the_offset_and_know_silence_clipping_and_tones() -> None:
    t = np.arange(256) / 8000
    tone = 0.1 * np.sin(2 * np.pi * 1100 * t)
    noise = np.random.default_rng(2).normal(0, 0.05, 256)
    steps = np.array(
        [np.zeros(256), np.full(256, 0.3), tone + 0.2, noise, np.clip(noise * 99, -1, 1)],
        dtype=np.float32,
    )
    seen = measured(steps, np.zeros(5, dtype=np.float32))
    assert seen.level_db[:2] == [SILENT_DB, SILENT_DB]
    assert abs(seen.level_db[2] - -23) < 0.2
    assert seen.is_shifted[:3] == [False, True, True]
    assert seen.is_tone == [False, False, True, False, False]
    assert seen.is_clipped == [False, False, False, False, True]
    spoken = measured(steps, np.ones(5, dtype=np.float32))
    assert not any(spoken.is_tone + spoken.is_shifted)
