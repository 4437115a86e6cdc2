"""What the stages of the bundled script are answered with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from media_gateway.ears.expectation import OF_SLOT, expectation
from media_gateway.ears.ports import Expectation
from workflows.script.machine import initial_state, next_question
from workflows.script.model import Script, SlotType
from workflows.script.parse import parse_script

SOLAR = Path(__file__).parents[2] / "sales_scripts" / "solar_consult.yaml"


@pytest.fixture(scope="module")
def script() -> Script:
    return parse_script(SOLAR.read_text(encoding="utf-8"), name=SOLAR.name)


def expected(script: Script, stage: str, **slots: bool | str | int) -> Expectation:
    state = replace(initial_state(script), stage=stage, slots=dict(slots))
    return expectation(script, state, next_question(script, state))


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        ("permission", Expectation.YES_NO),
        ("homeowner", Expectation.YES_NO),
        ("roof", Expectation.CHOICE),
        ("bill", Expectation.NUMBER),
        ("interest", Expectation.YES_NO),
        ("pitch", Expectation.YES_NO),
        ("appointment", Expectation.DATE_TIME),
        ("email", Expectation.SPELLED),
        ("booked", Expectation.FREE),
    ],
)
def test_a_stage_expects_what_it_asks_for(script: Script, stage: str, kind: Expectation) -> None:
    assert expected(script, stage) is kind


def test_when_the_first_slot_is_filled_the_next_one_is_expected(script: Script) -> None:
    assert expected(script, "roof", roof_type="tile") is Expectation.NUMBER


def test_a_question_after_a_statement_is_judged_by_its_last_sentence(script: Script) -> None:
    state = replace(initial_state(script), stage="confirm")
    for question, kind in [
        ("So that is Thursday at 10. Is that right?", Expectation.YES_NO),
        ("Would you say yes or no?", Expectation.YES_NO),
        ("What made you call us?", Expectation.FREE),
        ("Is it you? Tell me more.", Expectation.FREE),
        ("", Expectation.FREE),
    ]:
        assert expectation(script, state, question) is kind


def test_every_type_of_slot_has_its_kind_of_answer() -> None:
    assert OF_SLOT.keys() == set(SlotType)
