"""The bench's marks in audio: frames of callers by their stamps, words of the agent by their sounds."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from bench.turns.stamps import FRAME, Run, is_audible, read_stamp, runs, stamped, word_audio
from media_gateway.twilio.mulaw import decode, encode

SILENCE = b"\xff" * FRAME


@given(call=st.integers(0, 0xFFFF), index=st.integers(0, 0xFFFFFF))
def test_a_stamp_tells_call_and_frame_even_after_linear_and_back(call: int, index: int) -> None:
    frame = stamped(SILENCE, call, index)

    assert read_stamp(encode(decode(frame))) == (call, index)
    assert not is_audible(frame)


def test_audio_without_a_stamp_has_none() -> None:
    assert read_stamp(SILENCE) is None
    assert read_stamp(os.urandom(20)) is None


def test_words_are_told_apart_at_any_offset_after_linear_and_back() -> None:
    played = b"\xff" * 333 + word_audio(7, 240) + word_audio(8, 100)[: 8 * 60 + 3] + SILENCE * 9

    found = list(runs(encode(decode(played))))

    assert found == [Run(7, 333 / 8, 240), Run(8, 333 / 8 + 240, 60)]


def test_a_word_that_was_broken_off_and_said_again_is_two_runs() -> None:
    played = word_audio(7, 80) + SILENCE * 20 + word_audio(7, 240)

    assert [run.ms for run in runs(played)] == [80, 240]
