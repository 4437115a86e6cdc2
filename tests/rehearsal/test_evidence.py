"""The demo's checks: all hold for a call that shows everything, and each fails for the call that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rehearsal.audio import LINE_HZ, Samples
from rehearsal.evidence import murmurs_apart, turns_on_the_line
from rehearsal.evidence.checks import all_checks
from rehearsal.evidence.line import Span, sounds_of, utterances_of
from rehearsal.evidence.picture import draw_timeline
from rehearsal.evidence.report import Case
from rehearsal.evidence.transcript import transcript_markdown
from rehearsal.evidence.words import likeness, lost_words, plain, share_heard, share_in_order
from tests.rehearsal import cases
from tests.rehearsal.cases import event, good_case, spoken, swapped, with_events
from workflows.script.model import Outcome


def failed(case: Case) -> list[str]:
    return [check.name for check in all_checks(case) if not check.ok]


def test_a_call_that_shows_everything_passes() -> None:
    assert [(c.name, c.saw) for c in all_checks(good_case()) if not c.ok] == []
    assert len(all_checks(good_case())) == 14


def crm(**changes: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, crm=replace(case.crm, **changes))  # type: ignore[arg-type]


BREAKS: list[tuple[str, Callable[[Case], Case]]] = [
    (
        "real audio both ways",
        lambda case: replace(
            case, spoken=tuple(s for s in case.spoken if s.utterance.speaker == "agent")
        ),
    ),
    (
        "the caller's words came through the recogniser",
        lambda case: replace(case, turns=case.turns[:3] + case.turns[4:]),
    ),
    (
        "the disclosure was heard in full",
        lambda case: swapped(
            case, cases.OPENING, spoken("agent", "or just say stop", (5000, 8000))
        ),
    ),
    (
        "the disclosure was heard in full",
        lambda case: swapped(
            case,
            cases.OPENING,
            spoken("agent", cases.OPENING.words.rsplit(" ", 4)[0], (1000, 8000)),
        ),
    ),
    (
        "a pause in mid-sentence was respected",
        lambda case: replace(
            case, spoken=(*case.spoken, spoken("agent", "What kind", (11_200, 11_800)))
        ),
    ),
    (
        "a pause in mid-sentence was respected",
        lambda case: swapped(
            case, cases.PAUSED, spoken("caller", cases.PAUSED.words, (9000, 13_000))
        ),
    ),
    ("an interruption stopped the agent", lambda case: with_events(case, without="clear")),
    (
        "an interruption stopped the agent",
        lambda case: with_events(case, event(17_900, "clear"), without="clear"),
    ),
    (
        "an interruption stopped the agent",
        lambda case: swapped(
            case, cases.CUT_OFF, spoken("agent", "What kind of roof", (14_000, 18_500))
        ),
    ),
    (
        "an interruption stopped the agent",
        lambda case: swapped(
            case, cases.CUT_OFF, spoken("agent", "What kind of roof", (14_000, 16_000))
        ),
    ),
    (
        "an interruption stopped the agent",  # what was in the buffer was played after a breath
        lambda case: replace(
            case, spoken=(*case.spoken, spoken("agent", "do you have", (17_500, 17_700)))
        ),
    ),
    (
        "a murmur did not stop the agent",
        lambda case: swapped(
            case,
            cases.GUIDANCE,
            spoken("agent", "There is no money down, and most", (30_000, 32_100)),
        ),
    ),
    (
        "a murmur did not stop the agent",  # it began again from somewhere else
        lambda case: swapped(
            case,
            cases.GUIDANCE,
            spoken(
                "agent", "There is no money than their bill", (30_000, 32_100), (33_000, 34_000)
            ),
        ),
    ),
    (
        "a murmur did not stop the agent",
        lambda case: swapped(
            case,
            cases.GUIDANCE,
            spoken("agent", cases.GUIDANCE.words, (30_000, 32_100), (35_000, 36_000)),
        ),
    ),
    ("a murmur did not stop the agent", lambda case: replace(case, murmurs=())),
    ("a murmur did not stop the agent", lambda case: with_events(case, without="caller_murmurs")),
    (
        "a question was answered from the knowledge folder",
        lambda case: swapped(
            case, cases.ANSWER, spoken("agent", "I do not know that.", (21_000, 25_000))
        ),
    ),
    ("a question was answered from the knowledge folder", lambda case: replace(case, passages={})),
    (
        "a question was answered from the knowledge folder",  # of the folder, but of something else
        lambda case: replace(
            swapped(
                case,
                cases.ANSWER,
                spoken("agent", "A battery keeps the lights on at night.", (21_000, 25_000)),
            ),
            passages=cases.PASSAGES | {"battery.md": "A battery keeps the lights on at night."},
        ),
    ),
    (
        "a question was answered from the knowledge folder",  # answered before it was asked
        lambda case: swapped(
            swapped(case, cases.CUT_OFF, spoken("agent", cases.ANSWER.words, (14_000, 17_400))),
            cases.ANSWER,
            spoken("agent", "What kind of roof do you have?", (21_000, 25_000)),
        ),
    ),
    (
        "a question was answered from the knowledge folder",  # asked in the time line, not on the line
        lambda case: swapped(case, cases.QUESTION, spoken("caller", "Hm", (17_000, 20_000))),
    ),
    (
        "a question was answered from the knowledge folder",  # nobody asked
        lambda case: with_events(
            case,
            *(one for one in case.wire.of_kind("caller_says") if "?" not in one.fields["words"]),
            without="caller_says",
        ),
    ),
    (
        "an objection was handled",
        lambda case: swapped(
            case, cases.GUIDANCE, spoken("agent", "Would you like a visit?", (30_000, 36_000))
        ),
    ),
    (
        "an objection was handled",  # the answer came to something else
        lambda case: swapped(
            swapped(case, cases.GUIDANCE, spoken("agent", "Hm.", (30_000, 36_000))),
            cases.READ_BACK,
            spoken("agent", cases.GUIDANCE.words, (42_000, 60_000)),
        ),
    ),
    (
        "an objection was handled",
        lambda case: swapped(
            case, cases.OBJECTION, spoken("caller", "Let us do the visit", (26_000, 29_000))
        ),
    ),
    (
        "every required slot has a typed value",
        crm(slots={**cases.SLOTS, "monthly_bill_usd": "180"}),
    ),
    (
        "every required slot has a typed value",
        crm(slots={name: v for name, v in cases.SLOTS.items() if name != "roof_type"}),
    ),
    ("an appointment was made", crm(appointment_at="")),
    ("an appointment was made", crm(appointment_at="2026-12-01T15:30")),
    (
        "goodbye was heard to its last word",
        lambda case: replace(case, last_words="thank you and good"),
    ),
    (
        "goodbye was heard to its last word",
        lambda case: swapped(
            case, cases.READ_BACK, spoken("agent", cases.READ_BACK.words, (42_000, 61_990))
        ),
    ),
    (
        "audio was never far ahead of the playhead",
        lambda case: with_events(case, *(event(0, "media", waiting_ms=900) for _ in range(20))),
    ),
    ("the workflow completed with one signal a turn", lambda case: replace(case, signals=4)),
    ("the workflow completed with one signal a turn", crm(workflow_status="RUNNING")),
    ("the CRM row and the outcome were written", crm(outcome="")),
    (
        "the CRM row and the outcome were written",
        lambda case: replace(case, result=replace(case.result, outcome=Outcome.GOODBYE)),
    ),
]


@pytest.mark.parametrize(
    ("name", "broken"), BREAKS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(BREAKS)]
)
def test_a_call_that_lacks_it_fails(name: str, broken: Callable[[Case], Case]) -> None:
    assert name in failed(broken(good_case()))


def test_what_was_answered_is_seen_on_the_line_and_not_in_the_records() -> None:
    case = good_case()
    forgetful = tuple(
        replace(turn, record=replace(turn.record, move="", passages=[], objection=""))
        for turn in case.turns
    )
    assert failed(replace(case, turns=forgetful)) == []


HEARD = (
    "Hi, this is Joe and AI assistant calling from Brightfield Solar to opt out. "
    "Press 9 or just say stop is now a good time for two minutes."
)
"""What the recogniser makes of the disclosure and the question behind it in a demo's recording."""


@pytest.mark.parametrize(
    "heard",
    [
        HEARD,
        HEARD.replace("Brightfield", "bright field").replace("9", "nine"),
        f"Hi, this is Joe and AI {HEARD}",
        f"{HEARD} is now a good time for two minutes",
    ],
)
def test_a_disclosure_as_the_recogniser_hears_it(heard: str) -> None:
    case = swapped(good_case(), cases.OPENING, spoken("agent", heard, (1000, 8000)))
    assert failed(case) == []


@pytest.mark.parametrize(
    "heard",
    [
        # Heard in a demo's recording after a piece of it was muted:
        HEARD.removeprefix("Hi, "),
        HEARD.replace("Joe and AI assistant", "Joe and assistant"),
        HEARD.replace("AI assistant", "a is"),
        HEARD.replace("calling from Brightfield", "I field"),
        HEARD.replace("Solar to opt out", "Solar"),
        HEARD.replace("to opt out", "to Vapto"),
        # cut off:
        "Hi, this is Joe and AI assistant calling from bright field",
        "Hi, this is Joe and AI assistant calling from bright field solar to opt out press nine or",
        "Hi, this is Joe and AI assistant calling from bright field solar to opt out press nine or "
        "just say say say say say say",
        # All of its words, but never in one go or not in order:
        "To opt out, press nine or just say stop. Hi, this is Joe, an AI assistant calling from "
        "Brightfield Solar.",
        "Hi, this is Joe, an AI assistant calling from Brightfield Solar. Is now a good time for "
        "two minutes? To opt out, press nine or just say stop.",
        "Hi, this is Joe, an AI assistant calling from Brightfield Solar. To opt out, press nine or "
        "just. Would you say that we stop",
    ],
)
def test_a_disclosure_that_lacks_a_word(heard: str) -> None:
    case = swapped(good_case(), cases.OPENING, spoken("agent", heard, (1000, 8000)))
    assert failed(case) == ["the disclosure was heard in full"]


def test_a_question_that_the_agent_spoke_into_is_still_one_question() -> None:
    """With a part of the agent between its words the line shows two utterances."""
    case = good_case()
    first = spoken("caller", "Sorry,", (17_000, 17_300))
    rest = spoken("caller", "how long is the warranty?", (17_600, 20_000))
    parted = tuple(
        sorted(
            (*(one for one in case.spoken if one is not cases.QUESTION), first, rest),
            key=lambda one: one.utterance.span.start_ms,
        )
    )
    assert "a question was answered from the knowledge folder" not in failed(
        replace(case, spoken=parted)
    )


def test_words_that_went_around_the_recogniser_are_noticed() -> None:
    case = good_case()
    said = [str(one.fields["words"]) for one in case.wire.of_kind("caller_says")]
    callers = iter(said)
    turns = tuple(
        replace(turn, record=replace(turn.record, caller_words=next(callers)))
        if turn.record.caller_words
        else turn
        for turn in case.turns
    )
    assert "the caller's words came through the recogniser" in failed(replace(case, turns=turns))


def test_a_call_without_a_word_fails_and_does_not_crash() -> None:
    case = good_case()
    empty = replace(case, spoken=(), turns=(), last_words="", signals=0)
    assert len(failed(with_events(empty, without="media"))) >= 10


def line(*sounds: tuple[int, int], length_ms: int = 6000) -> Samples:
    samples = np.zeros(length_ms * 8, dtype=np.float32)
    for start, end in sounds:
        samples[start * 8 : end * 8] = 0.2
    return samples


def test_sounds_are_found_where_they_are() -> None:
    assert sounds_of(line((1000, 2000), (2060, 2500), (4000, 4020))) == [
        Span(start_ms=1000, end_ms=2500)
    ]
    assert sounds_of(np.zeros(LINE_HZ, dtype=np.float32)) == []


def test_an_utterance_spans_a_pause_in_which_nobody_answered() -> None:
    caller = sounds_of(line((1000, 1500), (2300, 2800), (4600, 5000)))
    (whole, later) = utterances_of(caller, [])
    assert (whole.span.start_ms, whole.span.end_ms, len(whole.sounds)) == (1000, 2800, 2)
    assert later.span.start_ms == 4600
    agent = sounds_of(line((1700, 2200)))
    assert [u.speaker for u in utterances_of(caller, agent)] == [
        "caller",
        "agent",
        "caller",
        "caller",
    ]


def test_turns_find_their_utterances() -> None:
    case = good_case()
    found = turns_on_the_line(case.result.turns, case.spoken)
    assert [turn.gap_ms for turn in found] == [None, 1000, 1000, 1000, 1000]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Twenty-five years", ["25", "years"]),
        ("$1,000 at ten o'clock", ["1", "000", "at", "10", "o'clock"]),
        ("Don't!", ["don't"]),
    ],
)
def test_words_are_compared_plainly(text: str, words: list[str]) -> None:
    assert plain(text) == words


def test_what_was_heard_in_order() -> None:
    assert lost_words("We own the house", "we on the house now") == ["own"]
    assert lost_words("one two three", "three one two") == ["3"]
    assert share_in_order("panels with a warranty", "battery panels and no warranty") == 1
    assert share_in_order("most families pay less", "less pay families most") == 0.25


def test_what_was_heard() -> None:
    assert share_heard("There is no money down", "there's no monkey down") == 1
    assert share_heard("most families pay less", "nothing of it") == 0
    assert likeness("twenty five", "25") == 1


def test_the_page_and_the_picture(tmp_path: Path) -> None:
    case = good_case()
    page = transcript_markdown("c1", case, all_checks(case))
    assert "1000 ms after the caller" in page
    assert "interrupted" in page
    assert page.count("| ok |") == 14
    draw_timeline(case, tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").read_bytes()[:4] == b"\x89PNG"


def test_a_murmur_is_told_apart_from_the_turns() -> None:
    case = good_case()
    everything = tuple(
        sorted((*case.spoken, cases.MURMUR), key=lambda one: one.utterance.span.start_ms)
    )
    assert murmurs_apart(case.wire, everything) == (case.spoken, (cases.MURMUR,))


def test_a_turn_just_before_a_murmur_is_no_murmur() -> None:
    case = good_case()
    turn = spoken("caller", "Yes", (31_000, 31_400))
    everything = tuple(
        sorted((*case.spoken, turn, cases.MURMUR), key=lambda one: one.utterance.span.start_ms)
    )
    assert murmurs_apart(case.wire, everything)[1] == (cases.MURMUR,)
