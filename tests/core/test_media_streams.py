"""Which stream has a call, and what follows one that is over: by written times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from workflows.contracts.payloads import AfterStream, NextStep
from workflows.media_streams import (
    QUICK_TRIES,
    RETRY_PAUSE_S,
    UNATTACHED_WITHIN_S,
    MediaStreams,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
AGAIN = AfterStream(step=NextStep.RECONNECT)
LATER = AfterStream(step=NextStep.RECONNECT, pause_s=RETRY_PAUSE_S)


def streams(most_resumes: int = 2) -> MediaStreams:
    made = MediaStreams(most_resumes=most_resumes, now=NOON)
    made.knock("n1")
    made.attach("n1", 1, "g1", NOON)
    return made


def test_a_token_opens_one_stream() -> None:
    of = streams()
    assert of.is_known("n1")
    assert not of.is_known("n2")
    of.remember("n2", AGAIN)
    assert of.is_known("n2"), "its stream is over before it came"
    assert of.is_over("n2")
    assert not of.is_over("n1")


def test_a_lost_stream_is_taken_up_so_often_and_no_more() -> None:
    of = streams(most_resumes=2)
    steps = []
    for number in range(2, 5):
        steps.append(of.go_on(f"n{number - 1}", NOON).step)
        of.attach(f"n{number}", number, "g1", NOON)
    assert steps == [NextStep.RECONNECT, NextStep.RECONNECT, NextStep.APOLOGISE]
    assert of.has_given_up
    assert of.resumes == 3


def test_a_stream_that_nobody_took_is_tried_again_with_patience() -> None:
    of = streams()
    for number in range(QUICK_TRIES):
        assert of.go_on(f"refused at once {number}", NOON) == AGAIN
    for second in range(UNATTACHED_WITHIN_S + 1):
        assert of.go_on(f"refused {second}", NOON + timedelta(seconds=second)) == LATER
    assert of.resumes == 0
    late = NOON + timedelta(seconds=UNATTACHED_WITHIN_S + 1)
    assert of.go_on("refused again", late).step is NextStep.APOLOGISE


def test_the_same_question_gets_the_same_answer() -> None:
    of = streams()
    assert of.answer_to("n1") is None
    of.remember("n1", AGAIN)
    assert of.answer_to("n1") == AGAIN


def test_the_end_of_an_older_stream_says_nothing_of_the_present_one() -> None:
    of = streams()
    of.attach("n2", 2, "g2", NOON)
    assert of.answer_to("n1") == AGAIN
    assert of.answer_to("n2") is None
    assert (of.is_open, of.gateway_id, of.count) == (True, "g2", 2)
