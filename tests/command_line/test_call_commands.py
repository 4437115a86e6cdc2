"""`callspine call ...`: what is asked for, what is printed, and what is said when it cannot be."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus, WorkflowHistory
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.converter import DataConverter

from callspine.call_history import read_call
from callspine.call_list import empty_table, row, visibility_query
from callspine.call_page import Execution, print_page
from callspine.replay import Retold
from callspine.settings import SettingsError
from tests.command_line.test_command_line import NOTHING_THERE, callspine
from tests.core.scripts import SAMPLE_TEXT
from tests.core.test_retelling import snapshot_of, told
from tests.core.test_turn_book import CALL
from tests.replay.record import file_of
from workflows import search_attributes as keys
from workflows.contracts.payloads import (
    CallSnapshot,
    PostCall,
    TurnCompleted,
    TurnHeard,
    TurnKind,
    TurnTimings,
)
from workflows.script.model import Outcome

APPOINTMENT = str(file_of("0.1.0", "appointment"))
BEGAN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("supervise", "c1"), "give exactly one of"),
        (("supervise", "c1", "--hang-up", "--transfer"), "give exactly one of"),
        (("supervise", "c1", "--to", "+12125550142"), "give --transfer, too"),
        (("supervise", "c1", "--take-over", "me"), "is not a telephone number"),
        (("supervise", "c1", "--force-stage", "roof"), "no Temporal at 127.0.0.1:9"),
        (("replay",), "which call?"),
        (("replay", "c1"), "no Temporal at 127.0.0.1:9"),
        (("replay", "--history", "/no/such.json"), "cannot be read: No such file"),
        (("replay", "--history", "README.md"), "is not the history of a call"),
        (("replay", "other", "--history", APPOINTMENT), "call 'recorded', not 'other'"),
        (("replay", "c1", "--script", "/no/such.yaml"), "cannot be read: No such file"),
        (("list", "--campaign", 'a" OR 1=1'), "no quotes"),
    ],
)
def test_wrong_input_is_one_clear_message(arguments: tuple[str, ...], reason: str) -> None:
    status, out, err = callspine("call", *arguments, **NOTHING_THERE)
    assert (status, out) == (2, "")
    assert reason in err


def test_an_exported_history_is_told_again_without_a_server() -> None:
    status, out, _ = callspine("call", "replay", "--history", APPOINTMENT, **NOTHING_THERE)
    assert status == 0
    for line in (
        "1 [opening]",
        "4 words before roof_known",
        "stage roof → bill",
        "stored roof_age_years = 6, roof_type = metal",
        "objection too_expensive",
        "lasting appointment at 2026-11-26T15:00",
        "Equal to what the workflow recorded: its result, 10 turns.",
    ):
        assert line in out


def test_another_version_of_the_script_is_laid_beside_it(tmp_path: Path) -> None:
    stricter = tmp_path / "stricter.yaml"
    stricter.write_text(SAMPLE_TEXT.replace("monthly_bill_usd >= 50", "monthly_bill_usd >= 200"))
    arguments = ("call", "replay", "--history", APPOINTMENT, "--script", str(stricter))
    status, out, _ = callspine(*arguments, **NOTHING_THERE)
    assert status == 0
    assert out.count("the same") == 4
    assert "its guard does not hold" in out
    assert "They part at turn 5 (stage, stored, refused)." in out
    assert "outcome: appointment; with stricter.yaml: none of the script's own, at bill" in out


def test_a_script_that_decides_nothing_otherwise_is_said_to(tmp_path: Path) -> None:
    politer = tmp_path / "politer.yaml"
    politer.write_text(SAMPLE_TEXT.replace("How old is the roof?", "How old is your roof?"))
    arguments = ("call", "replay", "--history", APPOINTMENT, "--script", str(politer))
    status, out, _ = callspine(*arguments, **NOTHING_THERE)
    assert status == 0
    assert "Every turn would have gone the same way." in out


def test_a_history_whose_record_differs_ends_with_status_1(tmp_path: Path) -> None:
    text = Path(APPOINTMENT).read_text(encoding="utf-8")
    first, rest = text.split('"turn_completed"', maxsplit=1)
    changed = tmp_path / "changed.json"
    # One turn's signal has another name: it was told, and nothing took it.
    changed.write_text(f'{first}"turn_competed"{rest}')
    status, out, _ = callspine("call", "replay", "--history", str(changed), **NOTHING_THERE)
    assert status == 1
    assert "NOT what the workflow recorded" in out
    assert "stage: told again 'permission', on record 'booked'" in out


def test_a_history_without_an_end_is_not_said_to_be_equal(tmp_path: Path) -> None:
    history = json.loads(Path(APPOINTMENT).read_text(encoding="utf-8"))
    del history["events"][-1]
    running = tmp_path / "running.json"
    running.write_text(json.dumps(history))
    status, out, err = callspine("call", "replay", "--history", str(running), **NOTHING_THERE)
    assert status == 2
    assert "4 words before roof_known" in out
    assert "not compared" in err


def test_an_opt_out_that_no_turn_decided_is_told_beside_the_turns() -> None:
    text = Path(APPOINTMENT).read_text(encoding="utf-8")
    history = WorkflowHistory.from_json("call/recorded", text)
    call = asyncio.run(read_call(history, DataConverter.default))
    assert call.result is not None
    stale = TurnCompleted(epoch=0, seq=2, kind=TurnKind.REPLY, move="opt_out")
    by_nobody = Retold(call=call, told=told(*CALL), recorded=call.result)
    report = PostCall(outcome="opted_out", summary="", objections=[], next_step="")
    by_report = replace(by_nobody, recorded=replace(call.result, post_call=report))
    by_an_older_stream = replace(by_report, told=told(*CALL, stale))
    assert by_nobody.beside_the_turns == []
    assert by_report.beside_the_turns == [
        "lasting do not call again: found by the report on the call"
    ]
    assert by_an_older_stream.beside_the_turns == [
        "lasting do not call again: told by a message that became no turn"
    ]


# --- one call on a page ---------------------------------------------------------------------------


def page(call: CallSnapshot, **changes: object) -> str:
    execution = Execution(
        summary="outbound call · solar_consult",
        status="running",
        began=BEGAN,
        ended=None,
        attempt=2,
    )
    console = Console(file=io.StringIO(), width=80)
    print_page(call, replace(execution, **changes), console)  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def a_call() -> CallSnapshot:
    turns = [
        replace(CALL[1], caller_words="Yes [/bold].", timings=TurnTimings(first_audio_sent=934)),
        replace(CALL[2], before=TurnHeard(seq=2, heard_words="Do you", interrupted=True)),
        replace(CALL[4], saying="And your bill?"),
    ]
    return snapshot_of(told(CALL[0], turns[0], turns[1], CALL[3], turns[2], CALL[0]))


def test_a_call_is_one_readable_page() -> None:
    call = replace(a_call(), gateway_id="g1", resumes=1, needs_review=True, answered_by="human")
    lines = [line.strip() for line in page(call).splitlines()]
    for line in (
        "call c1 outbound call · solar_consult · attempt 2 · needs review",
        "stage        bill",
        "carrier      in-progress · CA1 · answered by human",
        "gateway      g1 · stream 1 · taken up again once",
        "slots        is_homeowner = True, roof_type = metal",
        "refused      1 of 4 moves",
        "ignored      repeated 1",
        "last answer  934 ms after the caller's last sound",
        "2  permission_given → homeowner · 934 ms",
        "caller Yes [/bold].",
        "agent Do you … [interrupted]",
        "refused not allowed in this stage",
        "agent And your bill? … [began; what was heard was not told]",
        "rejected roof_age_years: above 150",
    ):
        assert line in lines


def test_a_page_tells_how_long_a_finished_call_took_and_how_it_ended() -> None:
    over = replace(a_call(), state=replace(a_call().state, outcome=Outcome.HUNG_UP))
    text = page(over, status="completed", ended=BEGAN + timedelta(seconds=81))
    assert "completed after 81 s" in text
    assert "bill · hung_up" in text
    assert "needs review" not in text
    assert "gateway      unknown · stream 1" in text


# --- many calls in a table ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "query"),
    [
        ({}, 'WorkflowType = "CallWorkflow"'),
        ({"needs_review": True}, 'WorkflowType = "CallWorkflow" AND NeedsReview = true'),
        (
            {"outcome": Outcome.OPTED_OUT, "campaign": "spring/2026", "running": True},
            'WorkflowType = "CallWorkflow" AND CallOutcome = "opted_out" '
            'AND CampaignId = "spring/2026" AND ExecutionStatus = "Running"',
        ),
    ],
)
def test_filters_are_a_visibility_query(wanted: dict[str, object], query: str) -> None:
    nothing: dict[str, object] = {
        "needs_review": False,
        "outcome": None,
        "campaign": None,
        "running": False,
    }
    assert visibility_query(**(nothing | wanted)) == query  # type: ignore[arg-type]


@pytest.mark.parametrize("campaign", ['"', "'", "\\", "a\nb", "`"])
def test_a_filter_cannot_become_another_query(campaign: str) -> None:
    with pytest.raises(SettingsError, match="--campaign"):
        visibility_query(needs_review=False, outcome=None, campaign=campaign, running=False)


def listed(call_id: str) -> list[str]:
    """The lines of a table of one call that has as much to tell as can be."""
    found = TypedSearchAttributes(
        [
            SearchAttributePair(keys.NEEDS_REVIEW, True),
            SearchAttributePair(keys.CALL_DIRECTION, "outbound"),
            SearchAttributePair(keys.ATTEMPT, 3),
            SearchAttributePair(keys.SCRIPT_ID, "solar_consult"),
            SearchAttributePair(keys.CALL_STAGE, "appointment"),
            SearchAttributePair(keys.TURNS, 12),
            SearchAttributePair(keys.CALL_OUTCOME, "not_interested"),
        ]
    )
    call = WorkflowExecution.__new__(WorkflowExecution)
    call.id = f"call/{call_id}"
    call.start_time = BEGAN
    call.status = WorkflowExecutionStatus.COMPLETED
    call.typed_search_attributes = found
    table = empty_table()
    table.add_row(*row(call))
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    lines: list[str] = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return lines[2:]


def test_the_longest_row_fits_80_columns() -> None:
    (line,) = listed("0123456789ab")
    assert line.split() == [
        "!",
        "0123456789ab",
        *f"{BEGAN.astimezone():%m-%d %H:%M}".split(),
        "out",
        "3",
        "solar_consult",
        "appointment",
        "12",
        "not_interested",
    ]


def test_a_long_id_is_folded_and_not_cut() -> None:
    call_id = "0123456789abcdef" * 2
    lines = listed(call_id)
    assert "".join(line[2:15].strip() for line in lines) == call_id
