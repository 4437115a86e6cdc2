"""Slots: from the words of a model to typed values, or a reason why not."""

from __future__ import annotations

import pytest

from workflows.script.guards import parse_guard
from workflows.script.model import Slot, SlotType, SlotValue
from workflows.script.slots import parse_slot

MONDAY = "2026-11-23"


def _slot(kind: SlotType, **more: object) -> Slot:
    return Slot(name="s", type=kind, description="", ask="", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        (SlotType.YES_NO, "Yes, we do", True),
        (SlotType.YES_NO, "well, yeah", True),
        (SlotType.YES_NO, "no", False),
        (SlotType.YES_NO, "we don't", False),
        (SlotType.INTEGER, "about 12 years", 12),
        (SlotType.INTEGER, "about twelve years old", 12),
        (SlotType.INTEGER, "a hundred? no, twenty five", 25),
        (SlotType.MONEY, "$1,234.50 a month", 1234.5),
        (SlotType.MONEY, "one hundred and eighty dollars", 180.0),
        (SlotType.MONEY, "two thousand three hundred", 2300.0),
        (SlotType.NAME, "  Dana   Smith ", "Dana Smith"),
        (SlotType.EMAIL, "dana at example dot com", "dana@example.com"),
        (SlotType.EMAIL, "It is Dana.S@Example.com.", "itisdana.s@example.com"),
        (SlotType.PHONE, "(212) 555-0142", "+12125550142"),
        (SlotType.DATETIME, "2026-11-26T10:00", "2026-11-26T10:00"),
        (SlotType.DATETIME, "Thursday at 10 in the morning", "2026-11-26T10:00"),
        (SlotType.DATETIME, "Thursday at ten", "2026-11-26T10:00"),
        (SlotType.DATETIME, "tomorrow at three", "2026-11-24T15:00"),
        (SlotType.DATETIME, "tomorrow at noon", "2026-11-24T12:00"),
        (SlotType.DATETIME, "Friday at 2:30 pm", "2026-11-27T14:30"),
        (SlotType.DATETIME, "Monday at nine", "2026-11-30T09:00"),
        (SlotType.DATETIME, "tomorrow at 12 am", "2026-11-24T00:00"),
    ],
)
def test_words_become_typed_values(kind: SlotType, raw: str, value: SlotValue) -> None:
    read = parse_slot(_slot(kind), raw, MONDAY)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        (SlotType.YES_NO, "maybe"),
        (SlotType.INTEGER, "many"),
        (SlotType.INTEGER, "2.5"),
        (SlotType.EMAIL, "dana"),
        (SlotType.PHONE, "911"),
        (SlotType.DATETIME, "some day"),
        (SlotType.DATETIME, "Thursday"),
        (SlotType.DATETIME, "2026-11-22T10:00"),
        (SlotType.TEXT, "x" * 201),
        (SlotType.TEXT, "   "),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(kind: SlotType, raw: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_slot(_slot(kind), raw, MONDAY)


def test_a_choice_is_read_from_any_of_its_words() -> None:
    slot = _slot(SlotType.CHOICE, choices=("asphalt shingle", "tile", "metal"))

    assert parse_slot(slot, "It is shingle I think", MONDAY) == "asphalt shingle"
    with pytest.raises(ValueError, match="not one of"):
        parse_slot(slot, "tile or metal", MONDAY)


def test_a_number_out_of_range_is_refused() -> None:
    slot = _slot(SlotType.MONEY, minimum=20, maximum=2000)

    with pytest.raises(ValueError, match="below 20"):
        parse_slot(slot, "5", MONDAY)
    with pytest.raises(ValueError, match="above 2000"):
        parse_slot(slot, "5000", MONDAY)


@pytest.mark.parametrize(
    ("guard", "slots", "holds"),
    [
        ("a", {"a": True}, True),
        ("a", {}, False),
        ("not a", {}, True),
        ("a == no", {"a": False}, True),
        ("a == no", {}, False),
        ("n >= 50 and n < 100", {"n": 50}, True),
        ("n >= 50", {"n": 49.9}, False),
        ("c in [tile, metal]", {"c": "tile"}, True),
        ("c not in ['tile']", {"c": "tile"}, False),
        ("filled(a) or filled(b)", {"b": False}, True),
        ("n > 5", {"n": "many"}, False),
    ],
)
def test_guards(guard: str, slots: dict[str, SlotValue], holds: bool) -> None:
    assert parse_guard(guard).holds(slots) is holds


@pytest.mark.parametrize(
    "guard", ["", "a +", "a + b", "__import__('os')", "a.b", "lambda: 1", "a < 'x'", "a in b", "1"]
)
def test_a_guard_is_no_program(guard: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_guard(guard)
