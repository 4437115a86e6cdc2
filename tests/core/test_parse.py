"""Scripts that are refused at load, each with its line and what to do."""

from __future__ import annotations

import pytest

from tests.core.scripts import SAMPLE, SAMPLE_TEXT, SMALL
from workflows.script.compiled import COMPILED_STAGES
from workflows.script.graph import dot, mermaid
from workflows.script.parse import ScriptError, content_hash, parse_script


def _problems(text: str) -> list[str]:
    with pytest.raises(ScriptError) as refused:
        parse_script(text, name="bad.yaml")
    return [str(problem) for problem in refused.value.problems]


def test_a_small_script_is_good() -> None:
    script = parse_script(SMALL, name="small.yaml")

    assert script.first_stage == "ask"
    assert set(COMPILED_STAGES) < set(script.stages)
    assert script.content_hash == content_hash(SMALL)


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ("first: ask", "first: nowhere", 7, "nowhere"),
        ("        to: end\n", "        to: nowhere\n", 25, "nowhere"),
        ("    collects: [age]\n", "    collects: [weight]\n", 22, "weight"),
        ("when: filled(age)", "when: filled(weight)", 24, "weight"),
        ("when: filled(age)", "when: open('x')", 26, "open"),
        ("    type: integer", "    type: colour", 11, "colour"),
        ("    goal: ask\n", "    gaol: ask\n", 18, "gaol"),
        ("How old are you?\n    fallback", "How old, {nick}?\n    fallback", 19, "nick"),
        ("    outcome: not_interested", "    outcome: rich", 31, "rich"),
    ],
)
def test_a_bad_script_is_refused_with_its_line_and_a_remedy(
    old: str, new: str, line: int, what: str
) -> None:
    assert old in SMALL

    problems = _problems(SMALL.replace(old, new, 1))

    hit = [problem for problem in problems if what in problem]
    assert hit, problems
    assert any(abs(int(problem.split(":")[1]) - line) <= 1 for problem in hit), hit
    assert all(problem.startswith("bad.yaml:") and " — " in problem for problem in hit)


@pytest.mark.parametrize(
    ("yaml", "line", "what"),
    [
        ("script: x\nversion: 2024-13-45", 2, "2024-13-45"),
        ("script: !x y", 1, "!x"),
        ("script: x\nfacts: !x {a: b}", 2, "!x"),
        ("script: !!python/object:os.system x", 1, "python/object"),
        ("script: !!timestamp soon", 1, "soon"),
        ("script: !!binary é", 1, "binary"),
        ("script: " + "9" * 5000, 1, "999"),
        ("script: x\n? [a]\n: b", 2, "key"),
        ("script: " + "[" * 3000 + "]" * 3000, 1, "nested"),
    ],
)
def test_a_value_that_yaml_cannot_make_is_refused_like_any_other(
    yaml: str, line: int, what: str
) -> None:
    (problem,) = _problems(yaml)

    assert problem.startswith(f"bad.yaml:{line}: ")
    assert what in problem
    assert " — " in problem


def test_a_limit_that_is_no_number_is_refused() -> None:
    text = SMALL.replace("    type: integer\n", "    type: integer\n    min: .nan\n")

    assert any("min" in problem for problem in _problems(text))


def test_a_required_slot_that_is_never_asked_for_is_refused() -> None:
    text = SMALL.replace("    collects: [age]\n", "").replace("        when: filled(age)\n", "")

    assert any("never asked for" in problem for problem in _problems(text))


def test_a_stage_that_cannot_be_reached_is_refused() -> None:
    island = "  island:\n    goal: g\n    opening: o\n    fallback: f\n    resume: r\n"
    text = SMALL + island + "    moves:\n      x: {description: d, to: end}\n"

    assert any("cannot be reached" in problem for problem in _problems(text))


def test_a_loop_without_a_way_out_is_refused() -> None:
    text = SMALL.replace("        to: end\n", "        to: ask\n")

    assert any("no way to an end" in problem for problem in _problems(text))


def test_a_number_that_can_never_be_right_is_refused() -> None:
    text = SMALL.replace("    required: true\n", "    required: true\n    min: 9\n    max: 3\n")

    assert any("min is above max" in problem for problem in _problems(text))


def test_a_must_say_line_that_could_be_skipped_is_refused() -> None:
    text = SAMPLE_TEXT.replace("  roof:\n    goal", "  roof:\n    must_say: true\n    goal")

    assert any("could be skipped" in problem for problem in _problems(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a\n- b\n",
        "script: [",
        "a: &x 1\nb: *x\n",
        "script: a\nscript: b\n",
        "\t: 1",
        "a" * 600_000,
    ],
)
def test_what_is_no_script_at_all_is_refused(text: str) -> None:
    assert _problems(text)


def test_all_problems_are_told_at_once_in_the_order_of_lines() -> None:
    text = SMALL.replace("type: integer", "type: colour").replace("    goal: ask", "    gaol: ask")

    lines = [int(problem.split(":")[1]) for problem in _problems(text)]

    assert len(lines) >= 2
    assert lines == sorted(lines)


def test_the_sample_is_a_whole_script() -> None:
    authored = [name for name in SAMPLE.stages if name not in COMPILED_STAGES]

    assert 8 <= len(authored) <= 13
    assert len({slot.type for slot in SAMPLE.slots.values()}) >= 5
    assert len(SAMPLE.objections) >= 4


def test_the_graph_names_every_stage_and_move() -> None:
    drawn, dotted = mermaid(SAMPLE), dot(SAMPLE)

    for stage in SAMPLE.stages.values():
        for move in stage.moves:
            assert move.name in drawn
            assert move.name in dotted
    assert drawn.startswith("flowchart TD\n")
    assert dotted.startswith('digraph "solar_consult" {')
    assert dotted.count("{") == dotted.count("}")


QUOTING = SMALL.replace("first: ask", "first: ask\nknowledge: docs").replace(
    "    collects: [age]\n",
    "    collects: [age]\n    knowledge:\n      - cost.md\n      - cots.md\n",
)


def test_a_stage_may_quote_only_what_it_names() -> None:
    names = {"cost.md", "cots.md"}

    assert parse_script(QUOTING, name="x", passages=names).stages["ask"].knowledge == (
        "cost.md",
        "cots.md",
    )
    assert parse_script(QUOTING, name="x").stages["end"].knowledge is None
    nothing = SMALL.replace("    collects: [age]\n", "    collects: [age]\n    knowledge: []\n")
    assert parse_script(nothing, name="x").stages["ask"].knowledge == ()


def test_a_stage_that_quotes_what_is_not_there_is_refused_with_its_line_and_what_may_be_meant() -> (
    None
):
    with pytest.raises(ScriptError) as refused:
        parse_script(QUOTING, name="bad.yaml", passages={"cost.md", "cost.md#Savings"})

    (problem,) = refused.value.problems
    assert QUOTING.splitlines()[problem.line - 1].strip() == "- cots.md"
    assert "`docs` lacks" in problem.what
    assert "perhaps `cost.md`" in problem.remedy


def test_a_stage_cannot_quote_from_a_script_without_passages() -> None:
    problems = _problems(QUOTING.replace("knowledge: docs\n", ""))

    assert len(problems) == 2
    assert all("the script has no passages" in problem for problem in problems)
