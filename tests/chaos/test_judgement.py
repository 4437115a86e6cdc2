"""Each thing that must hold is seen when it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chaos import judgement
from chaos.judgement import Phase
from tests.chaos.calls import (
    METAL,
    MINUTES,
    OURS,
    OWN,
    QUESTIONS,
    ROOF,
    ROOF_AGAIN,
    YES,
    broken_call,
    call,
    line,
    signal,
    stream,
    strike,
    turn,
    utterance,
)


def test_a_calm_call_has_no_fault() -> None:
    calm = call()
    assert judgement.is_reached(calm)
    assert judgement.asked_twice(calm, QUESTIONS) == []
    assert not judgement.has_gaps(calm)
    assert judgement.words_lost(calm) == judgement.words_doubled(calm) == 0
    assert [gap.ms for gap in judgement.gaps_of(calm)] == [1000, 1000]
    assert judgement.breaks(calm, [strike(6000)], QUESTIONS) == []


@pytest.mark.parametrize(
    ("outcome", "status"), [("hung_up", "COMPLETED"), ("", "RUNNING"), ("appointment", "FAILED")]
)
def test_a_call_is_lost_unless_its_workflow_ends_with_the_outcome(
    outcome: str, status: str
) -> None:
    assert not judgement.is_reached(call(outcome=outcome, workflow_status=status))


def test_who_spoke_at_a_moment() -> None:
    calm = call(agent_sounds=(*call().agent_sounds[:2], line("", 7200, 7400).span))
    times = {1000: Phase.AGENT, 3500: Phase.CALLER, 2500: Phase.BETWEEN, 7100: Phase.AGENT}
    assert {at: judgement.phase_at(calm, at) for at in times} == times


def test_a_break_is_measured_from_the_strike_to_the_next_sound_and_the_next_question() -> None:
    (broken,) = judgement.breaks(broken_call(asks=line(OWN, 6400, 8000)), [strike(6000)], QUESTIONS)
    assert (broken.phase, broken.audible_after_ms, broken.asked_after_ms) == (Phase.AGENT, 400, 400)
    assert (broken.stage_before, broken.stage_after) == ("homeowner", "homeowner")
    assert judgement.keeps_stage(broken, QUESTIONS)


def test_a_call_that_goes_back_to_an_earlier_question_does_not_keep_its_stage() -> None:
    (broken,) = judgement.breaks(
        broken_call(asks=line(MINUTES, 6400, 8000)), [strike(6000)], QUESTIONS
    )
    assert not judgement.keeps_stage(broken, QUESTIONS)


def test_a_question_of_which_too_little_was_heard_may_be_asked_from_the_one_before() -> None:
    made = broken_call(asks=line(MINUTES, 6400, 8000))
    made = replace(made, lines=(made.lines[0], line(OWN, 5900, 6000, ""), made.lines[2]))
    (broken,) = judgement.breaks(made, [strike(6000)], QUESTIONS)
    assert broken.stage_before == "permission"
    assert judgement.keeps_stage(broken, QUESTIONS)


def test_a_call_that_is_never_audible_again_is_seen() -> None:
    made = broken_call(asks=line(OWN, 6400, 8000), outcome="hung_up")
    made = replace(made, agent_sounds=made.agent_sounds[:2], lines=made.lines[:2])
    (broken,) = judgement.breaks(made, [strike(6000)], QUESTIONS)
    assert (broken.audible_after_ms, broken.was_over) == (None, False)
    assert not judgement.keeps_stage(broken, QUESTIONS)


def test_a_strike_breaks_only_streams_that_end_with_it() -> None:
    made = broken_call(asks=line(OWN, 6400, 8000))
    assert judgement.breaks(made, [strike(2000)], QUESTIONS) == []
    assert judgement.breaks(made, [strike(9000)], QUESTIONS) == []


def test_a_question_whose_answer_was_recorded_is_asked_twice() -> None:
    late = call(lines=(*call().lines, line(OWN, 14_000, 14_900)))
    assert judgement.asked_twice(late, QUESTIONS) == [OWN]


def test_a_question_is_not_asked_twice_while_its_answer_is_on_the_way() -> None:
    turns = (*call().turns[:2], turn(3, "roof", OURS, at_ms=14_030))
    made = call(turns=turns, lines=(line(OWN, 5000, 7000), line(OWN, 14_000, 14_900)))
    assert judgement.asked_twice(made, QUESTIONS) == []


def test_the_resume_line_of_the_recorded_stage_is_no_second_question() -> None:
    turns = (*call().turns[:2], turn(3, "roof", OURS, at_ms=10_000))
    made = call(turns=turns, lines=(line(ROOF, 9990, 12_000), line(ROOF_AGAIN, 13_000, 14_900)))
    assert judgement.asked_twice(made, QUESTIONS) == []


@pytest.mark.parametrize("seqs", [(1, 3), (1, 1, 2), (2, 3)])
def test_turns_must_be_recorded_without_gaps_and_once(seqs: tuple[int, ...]) -> None:
    assert judgement.has_gaps(call(turns=tuple(turn(seq, "roof") for seq in seqs)))


def test_words_that_no_turn_holds_are_lost() -> None:
    assert judgement.words_lost(call(turns=call().turns[:2])) == 4
    assert judgement.words_doubled(call(turns=(*call().turns, turn(4, "roof", OURS)))) == 4


def test_words_in_another_turn_than_their_own_are_not_lost() -> None:
    assert judgement.words_lost(call(turns=(turn(1, "roof", f"{YES} {OURS}"),))) == 0


def test_a_turn_that_took_longer_has_grown() -> None:
    usual = judgement.usual_gaps([call(), call()])
    sounds = (*call().agent_sounds[:2], line("", 10_300, 14_000).span)
    slow = call(agent_sounds=sounds)
    assert judgement.growth_ms(slow, usual, struck=False) == [0, 300]
    assert judgement.growth_ms(slow, usual, [strike(8500, 8600)], struck=True) == []
    assert judgement.growth_ms(slow, usual, [strike(9500, 9600)], struck=True) == [300]
    assert judgement.growth_ms(slow, usual, [strike(9500, 9600)], struck=False) == [0]


def test_a_gap_over_a_broken_stream_is_no_turn() -> None:
    made = call(streams=(stream(0, 9200), stream(9400, 15_000)))
    assert [gap.words for gap in judgement.gaps_of(made)] == [YES]


def test_stale_turns_are_counted() -> None:
    stale = turn(3, "roof", METAL, is_stale=True)
    assert judgement.stale_accepted(call(turns=(*call().turns[:2], stale))) == 1
    assert judgement.stale_sent(call(signals=(signal(1), signal(2, is_stale=True)))) == 1


def test_a_line_that_broke_off_without_the_caller_was_cut() -> None:
    cut = line(OWN, 5000, 6000, "Do you own")
    made = call(lines=(cut,), said=())
    assert judgement.cut_lines(made, [strike(5500, 7000)]) == [OWN]
    assert judgement.cut_lines(made, [strike(9000, 9500)]) == []
    interrupted = call(lines=(cut,), said=(utterance("wait", 5900, 6500),))
    assert judgement.cut_lines(interrupted, [strike(5500, 7000)]) == []


@pytest.mark.parametrize(
    ("statuses", "times"),
    [
        (("", "initiated", "ringing", "in-progress", "completed"), 0),
        (("ringing", "initiated"), 1),
        (("in-progress", "completed", "in-progress"), 1),
        (("completed", "busy"), 1),
    ],
)
def test_a_status_must_not_go_back(statuses: tuple[str, ...], times: int) -> None:
    assert judgement.regressions(statuses) == times


def test_questions_are_known_by_their_words() -> None:
    assert QUESTIONS.stage("So that is Friday, November 27 at 2 PM. Is that right?") == "confirm"
    assert QUESTIONS.stage("How old is the roof?") == "roof"
    assert QUESTIONS.stage("Got it.") is None
    assert QUESTIONS.rank("permission") < QUESTIONS.rank("roof") < QUESTIONS.rank("booked")
