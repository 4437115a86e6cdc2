"""A call in words: for the report, and for who looks at it in the Temporal UI."""

from __future__ import annotations

from dataclasses import replace

from tests.core.scripts import SAMPLE, move, run
from workflows.contracts.payloads import TurnKind, TurnRecord, TurnTimings
from workflows.script.model import Outcome
from workflows.transcript import SHOWN_TURNS, current_details, transcript_of

OPENING = TurnRecord(
    seq=1,
    kind=TurnKind.OPENING,
    stage="permission",
    caller_words="",
    heard_words="Hi, this is Joe.",
    move="",
    is_over=True,
)
REPLY = TurnRecord(
    seq=2,
    kind=TurnKind.REPLY,
    stage="homeowner",
    caller_words="Yes.",
    heard_words="Do you own",
    move="permission_given",
    interrupted=True,
    is_over=True,
    timings=TurnTimings(first_audio_sent=870),
)


def test_the_transcript_is_what_both_sides_heard() -> None:
    silent = replace(REPLY, caller_words="", heard_words="")
    assert transcript_of([OPENING, REPLY, silent]) == (
        "agent: Hi, this is Joe.\ncaller: Yes.\nagent: Do you own [interrupted]"
    )


def test_the_details_read_like_the_call() -> None:
    state = run(SAMPLE, move("permission_given"), move("owns", is_homeowner="yes"))
    refused = replace(
        REPLY,
        seq=3,
        move="confirmed",
        refusal="not allowed in this stage",
        rejected_slots={"roof_age_years": "above 150"},
        interrupted=False,
    )
    assert current_details(
        state, [OPENING, REPLY, refused], carrier_status="in-progress", gateway_id="g1", ignored=2
    ).splitlines() == [
        "**stage** roof · **carrier** in-progress · **gateway** g1",
        "",
        "- **slots** is\\_homeowner = True",
        "- **refused moves** 0 · **ignored signals** 2 · **taken up again** 0",
        "- **last answer** 870 ms after the caller's last sound",
        "",
        "**last words**",
        "",
        "- **agent** Hi, this is Joe. *(opening)*",
        "- **caller** Yes.",
        "- **agent** Do you own … *(permission\\_given · 870 ms)*",
        "- **caller** Yes.",
        "- **agent** Do you own *(confirmed · 870 ms)* · **refused** not allowed in this stage "
        "· **rejected** roof\\_age\\_years: above 150",
    ]


def test_nothing_that_was_said_is_markup_in_the_details() -> None:
    said = replace(REPLY, caller_words="*metal*\n\n# <img src=x> [a](b)", heard_words="<b>Ah")
    details = current_details(run(SAMPLE), [said], carrier_status="")
    assert r"- **caller** \*metal\* \# \<img src=x\> \[a\](b)" in details.splitlines()
    assert r"- **agent** \<b\>Ah …" in details


def test_the_details_of_a_call_that_has_not_begun_or_is_over() -> None:
    assert current_details(None, [], carrier_status="") == "loading the script"
    state = run(SAMPLE)
    assert (
        current_details(state, [], carrier_status="")
        == "**stage** permission · **carrier** none yet"
    )
    over = replace(state, outcome=Outcome.HUNG_UP)
    assert r"**outcome** hung\_up" in current_details(over, [OPENING], carrier_status="completed")


def test_a_long_call_shows_its_newest_turns() -> None:
    details = current_details(
        run(SAMPLE), [replace(REPLY, seq=n) for n in range(40)], carrier_status=""
    )
    assert details.count("- **caller**") == SHOWN_TURNS


def test_a_call_that_somebody_should_look_at_says_so_in_its_first_line() -> None:
    state = run(SAMPLE, move("permission_given"))
    for needs_review in (True, False):
        head = current_details(
            state, [OPENING], carrier_status="in-progress", needs_review=needs_review
        ).splitlines()[0]
        assert head.endswith(" · **needs review**") is needs_review
