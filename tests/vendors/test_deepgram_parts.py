"""The pure parts: which key terms are asked for, which audio is kept, when a socket is dead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_gateway.speech.deepgram_listen.added_silence import AddedSilence
from media_gateway.speech.deepgram_listen.nova import NovaReading
from media_gateway.speech.deepgram_listen.options import ListenOptions, fitting
from media_gateway.speech.deepgram_listen.unfinished import UnfinishedAudio
from media_gateway.speech.deepgram_listen.watch import ANSWER_WITHIN_S, SocketWatch
from tests.simulators.deepgram_nova import results
from tests.simulators.spoken import silence, spoken

SPEECH = spoken([8])[: 160 * 8]
"""160 ms of it."""


def test_key_terms_are_each_asked_for_once_and_no_more_than_the_service_takes() -> None:
    assert fitting(["Solar", "  ", "solar ", "roof"]) == ["Solar", "roof"]
    assert len(fitting([f"t{number}" for number in range(150)])) == 100
    assert len(fitting([f"{number:040d}" for number in range(150)])) == 50  # ten tokens each


def test_the_older_model_has_another_name_for_them() -> None:
    assert "keywords=roof" in ListenOptions(model="nova-2-phonecall").target(["roof"])
    assert "keyterm=roof" in ListenOptions().target(["roof"])


@given(
    st.lists(st.tuples(st.binary(max_size=30), st.integers(0, 200)), max_size=30),
    st.integers(1, 60),
)
def test_the_ring_holds_the_newest_audio_that_is_not_finished(
    steps: list[tuple[bytes, int]], most_bytes: int
) -> None:
    ring, whole, dropped = UnfinishedAudio(most_bytes=most_bytes), b"", 0
    for audio, finished in steps:
        dropped += ring.add(audio)
        whole += audio
        ring.finished(finished)
        assert ring.end == len(whole)
        assert ring.end - ring.begin <= most_bytes
        assert ring.after(ring.begin, most_bytes=most_bytes) == whole[ring.begin :]
    assert dropped <= len(whole)


def test_the_ring_says_when_audio_is_gone() -> None:
    ring = UnfinishedAudio(most_bytes=4)
    assert ring.add(b"abcdef") == 2
    assert ring.after(4, most_bytes=1) == b"e"
    with pytest.raises(ValueError, match="gone"):
        ring.after(1, most_bytes=1)


def watch() -> SocketWatch:
    return SocketWatch(silent_after_s=2.0)


def test_silence_never_kills_a_socket() -> None:
    watched = watch()
    for _ in range(1000):
        watched.heard(silence(20), 0.0)
    watched.asked(0.0)
    assert not watched.is_dead(1000.0)


def test_speech_without_an_answer_does() -> None:
    watched = watch()
    for number in range(12):
        watched.heard(SPEECH, 0.16 * number)
    assert not watched.is_dead(2.0)
    watched.heard(SPEECH, 2.0)
    assert watched.is_dead(2.0)
    watched.answered()
    assert not watched.is_dead(2.0)


def test_speech_that_is_sent_at_once_is_given_the_time_that_it_takes_to_say_it() -> None:
    watched = watch()
    watched.heard(SPEECH * 20, 10.0)
    assert not watched.is_dead(11.9)
    assert watched.is_dead(12.0)


def test_silence_of_our_own_counts_in_no_time_that_is_told() -> None:
    silence = AddedSilence()
    silence.added(1000, 500)
    silence.added(2500, 200)
    assert [silence.without(at) for at in (900, 1000, 1200, 1500, 2500, 2600, 3000)] == [
        900,
        1000,
        1000,
        1000,
        2000,
        2000,
        2300,
    ]


def test_a_word_and_an_unanswered_finalize_do_it_sooner() -> None:
    watched = watch()
    watched.heard(SPEECH, 9.0)
    watched.heard(SPEECH, 9.0)
    watched.asked(10.0)
    assert not watched.is_dead(10.0 + ANSWER_WITHIN_S - 0.01)
    assert watched.is_dead(10.0 + ANSWER_WITHIN_S)


def test_the_connection_after_a_dead_one_has_to_answer_soon() -> None:
    watched = watch()
    watched.was_dead(10.0)
    assert watched.is_dead(10.0 + ANSWER_WITHIN_S)
    watched.answered()
    assert not watched.is_dead(100.0)


def test_the_answer_to_an_older_request_is_none_to_the_last() -> None:
    nova = NovaReading()
    nova.connected(0)
    nova.finish_at(1000)
    nova.finish_at(3000)
    nova.read(results([], 0, 1000, is_final=True, from_finalize=True))
    assert nova.wanted_ms == 3000
    nova.read(results([], 1000, 2990, is_final=True, from_finalize=True))
    assert nova.wanted_ms is None


def test_a_span_that_is_missing_matters_only_where_something_could_not_be_read() -> None:
    nova = NovaReading()
    nova.connected(0)
    nova.read(results([], 0, 1000, is_final=True))
    assert not nova.read(results([], 2000, 3000, is_final=True)).has_gap
    nova.read("{")
    assert not nova.read(results([], 3000, 3500)).has_gap, "it was no final"
    assert nova.read(results([], 4000, 4500)).has_gap
    nova.connected(3000)
    assert not nova.read(results([], 500, 900)).has_gap
