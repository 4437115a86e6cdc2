"""From p(speech) to sounds: written steps of 32 ms."""

from __future__ import annotations

from media_gateway.ears.voicing import (
    BACKGROUND_AFTER,
    BACKGROUND_GONE_AFTER,
    HANG_OVER_MS,
    STEP_MS,
    STOPS_AFTER,
    Turned,
    Voicing,
)

ON, OFF = Turned.ON, Turned.OFF


def run(voicing: Voicing, steps: list[float], start: int = 0, *, low: bool = False) -> list[Turned]:
    turns = []
    for n, p in enumerate(steps, start + 1):
        turned = voicing.step(p, n * STEP_MS, is_low=low)
        if turned is not None:
            turns.append(turned)
    return turns


def test_two_likely_steps_are_a_sound_and_one_is_none() -> None:
    voicing = Voicing()
    assert run(voicing, [0.6, 0.1, 0.6, 0.1]) == []
    assert run(voicing, [0.6, 0.6], 4) == [ON]
    assert voicing.began_ms == 4 * STEP_MS


def test_one_sure_step_is_a_sound() -> None:
    voicing = Voicing()
    assert run(voicing, [0.0, 0.0, 0.95]) == [ON]
    assert voicing.began_ms == STEP_MS


def test_a_sound_does_not_begin_before_the_stream() -> None:
    voicing = Voicing()
    assert run(voicing, [0.95]) == [ON]
    assert voicing.began_ms == 0


def test_a_sound_ends_after_steps_without_it_and_is_dated_back() -> None:
    voicing = Voicing()
    run(voicing, [0.9] * 10)
    assert run(voicing, [0.1] * (STOPS_AFTER - 1), 10) == []
    assert voicing.is_on
    assert voicing.is_quiet
    assert run(voicing, [0.1], 10 + STOPS_AFTER - 1) == [OFF]
    assert voicing.last_sound_ms == 10 * STEP_MS - HANG_OVER_MS


def test_a_dip_within_a_word_is_no_end() -> None:
    voicing = Voicing()
    run(voicing, [0.9] * 5)
    assert run(voicing, [0.1, 0.1, 0.4, 0.1, 0.1, 0.9], 5) == []
    assert not voicing.is_quiet


def test_a_voice_in_the_background_does_not_keep_a_sound_alive() -> None:
    voicing = Voicing()
    run(voicing, [0.9] * 10)
    assert run(voicing, [0.9] * (BACKGROUND_AFTER - 1), 10, low=True) == []
    assert run(voicing, [0.9], 17, low=True) == [OFF]
    assert voicing.last_sound_ms == (10 + BACKGROUND_AFTER // 2) * STEP_MS
    assert run(voicing, [0.99] * 50, 18, low=True) == []


def test_over_a_voice_in_the_background_only_a_loud_sound_begins() -> None:
    voicing = Voicing()
    run(voicing, [0.9] * 10)
    run(voicing, [0.9] * 20, 10, low=True)
    assert run(voicing, [0.6, 0.6], 30) == [ON]


def test_when_the_background_has_fallen_silent_a_soft_sound_begins_again() -> None:
    voicing = Voicing()
    run(voicing, [0.9] * 10)
    run(voicing, [0.9] * 20, 10, low=True)
    run(voicing, [0.1] * (BACKGROUND_GONE_AFTER - 1), 30, low=True)
    assert run(voicing, [0.6, 0.6, 0.6], 91, low=True) == []
    run(voicing, [0.1] * BACKGROUND_GONE_AFTER, 94, low=True)
    assert run(voicing, [0.6, 0.6], 156, low=True) == [ON]


def test_audio_that_breaks_off_ends_a_sound_where_it_was_heard_last() -> None:
    voicing = Voicing()
    run(voicing, [0.9] * 10)
    assert voicing.end(325) is OFF
    assert voicing.last_sound_ms == 325
    assert voicing.end(400) is None
    assert run(voicing, [0.6], 20) == []
