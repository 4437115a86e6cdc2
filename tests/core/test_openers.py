"""Openers: what a script may say first, and when it is not said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from media_gateway.openers import OpenersSaid, Vector, fitting_openers
from tests.core.scripts import SAMPLE, SAMPLE_TEXT, SMALL, run
from workflows.script.compiled import global_moves
from workflows.script.fixed_lines import fixed_lines
from workflows.script.model import Line, OpenerKind, Script
from workflows.script.moves import allowed_moves
from workflows.script.openers import openers_in, openers_of_kind, openers_of_move
from workflows.script.parse import ScriptError, parse_script
from workflows.script.state import ScriptState

STATE = run(SAMPLE)


def at(stage: str) -> ScriptState:
    return replace(STATE, stage=stage)


def vectors(script: Script, near: Mapping[str, float]) -> tuple[Vector, dict[str, Vector]]:
    """The words' vector, and one a text: as near to it as `near` says of its move, and at right angles otherwise."""
    moves = [move for stage in script.stages.values() for move in stage.moves]
    moves += [*global_moves("a", "b")]
    texts = {text: near.get(move.name, 0.0) for move in moves for text in move.examples}
    for name, objection in script.objections.items():
        texts |= {text: near.get(name, 0.0) for text in objection.examples}
    words = np.array([1, 0], dtype=np.float32)
    return words, {
        text: np.array([p, (1 - p * p) ** 0.5], dtype=np.float32) for text, p in texts.items()
    }


def said_before(stage: str, words: str, **near: float) -> list[str]:
    vector, examples = vectors(SAMPLE, near)
    return [line.text for line in fitting_openers(SAMPLE, at(stage), words, vector, examples)]


# --- what fits --------------------------------------------------------------------------------


def test_a_question_gets_a_word_for_questions() -> None:
    assert said_before("roof", "How long is the warranty?") == ["Good question.", "Fair question."]
    assert said_before("roof", "and what does it cost") == ["Good question.", "Fair question."]


def test_an_answer_and_an_objection_get_theirs() -> None:
    assert said_before("roof", "It is tile", roof_known=0.8)[0] == "Got it."
    assert said_before("pitch", "That costs a lot", too_expensive=0.7)[0] == "I understand."
    assert said_before("pitch", "We cannot afford it", too_expensive=0.7)[0] == "I understand."


def test_a_moves_own_openers_go_before_those_of_its_kind() -> None:
    assert said_before("pitch", "Okay come by", agrees_to_visit=0.8) == ["Wonderful.", "Perfect."]


def test_a_slots_value_is_enough_where_no_example_is_near() -> None:
    assert said_before("bill", "one hundred and eighty")[0] == "Got it."
    assert said_before("interest", "Yes, because of the outages")[0] == "Got it."
    assert said_before("bill", "it is hard to say") == []


def test_a_plain_yes_gets_a_word_that_fits_before_all_that_may_follow() -> None:
    assert said_before("pitch", "Sounds good.") == ["Perfect."], "`Great.` opens the next stage"
    assert said_before("pitch", "Yes but only if it is free") == []


# --- in doubt, none -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "No.",
        "Well, no, we rent",
        "nope",
        "Stop calling me",
        "Take me off your list",
        "Can I talk to a real person?",
        "Are you a robot?",
        "I have to go, bye",
        "You have the wrong number",
        "Tile, but I don't have time for this",
        "My husband died",
        "Who is this?",
        "Wait, what?",
        "Sorry, can you repeat that?",
        "I am not interested",
        "",
    ],
)
def test_nothing_is_said_before_a_no_or_where_care_is_due(words: str) -> None:
    for near in ({}, {"roof_known": 0.9}, {"bad_reviews": 0.9}):
        assert said_before("roof", words, **near) == []


@pytest.mark.parametrize(
    "name", ["opt_out", "human", "robot_question", "wrong_person", "goodbye", "call_back"]
)
def test_nothing_is_said_where_a_compiled_in_move_is_near(name: str) -> None:
    assert said_before("roof", "tile roof", roof_known=0.9, **{name: 0.5}) == []
    assert said_before("roof", "how long is it?", **{name: 0.4}) == []


def test_two_moves_that_are_as_near_say_nothing() -> None:
    assert said_before("pitch", "that is a thing", agrees_to_visit=0.7, too_expensive=0.65) == []
    assert said_before("bill", "it is a lot", worth_it=0.7, too_low=0.69)[0] == "Got it.", (
        "the same words before both"
    )


def test_a_move_without_openers_that_is_nearest_says_nothing() -> None:
    assert said_before("pitch", "yes", declines_visit=0.8) == []
    assert said_before("confirm", "can we make it later?", change_time=0.9) == []


def test_an_answer_that_denies_something_is_not_cheered() -> None:
    assert said_before("interest", "we do not need a battery", interest_known=0.9) == []


def test_a_question_that_might_be_an_objection_gets_nothing() -> None:
    assert said_before("pitch", "what about all the cost?", too_expensive=0.65) == []


def test_nothing_is_said_before_the_disclosure_was_heard_or_after_the_end() -> None:
    vector, examples = vectors(SAMPLE, {})
    fresh = replace(at("roof"), lines_heard=[])
    assert fitting_openers(SAMPLE, fresh, "How long does it last?", vector, examples) == ()
    over = replace(at("booked"), outcome=SAMPLE.stages["booked"].outcome)
    assert fitting_openers(SAMPLE, over, "How long does it last?", vector, examples) == ()


def test_never_the_same_twice_in_succession_and_not_in_every_turn() -> None:
    lines = [Line(line_id="1", text="Got it."), Line(line_id="2", text="Thanks.")]
    said, begun = OpenersSaid(), []
    for _ in range(6):
        line = said.choice(lines, lambda text: True)
        begun.append(line.text if line else "")
        said = said.then(begun[-1])
    assert begun == ["Got it.", "Thanks.", "", "Got it.", "Thanks.", ""]
    alone = OpenersSaid().then("Got it.").then("")
    assert alone.choice(lines[:1], lambda text: True) is None, "the same, though a turn was between"
    assert OpenersSaid().choice(lines, lambda text: text == "Thanks.") == lines[1], "what is ready"


# --- scripts -----------------------------------------------------------------------------------


def refused(text: str) -> str:
    with pytest.raises(ScriptError) as error:
        parse_script(text, name="s.yaml")
    return str(error.value)


def with_openers(line: str) -> str:
    return SMALL.replace("first: ask\n", f"first: ask\nopeners:\n  {line}\n")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("answer: [Well that is very good.]", "longer than 3 words"),
        ("answer: [Extraordinarily good.]", "longer than 3 words or 18 characters"),
        ('answer: ["Hi {name|you}."]', "placeholder"),
        ('question: ["Really?"]', "asks something"),
        ("question: [Sure]", "has no end"),
        ("question: Sure.", "is not a list"),
        ("opt_out: [Okay.]", "unknown key `opt_out`"),
        ("goodbye: [Okay.]", "unknown key `goodbye`"),
    ],
)
def test_an_opener_that_cannot_be_one_is_refused_with_its_line(line: str, what: str) -> None:
    found = refused(with_openers(line))
    assert what in found
    assert found.startswith("s.yaml:9: ")
    assert " — " in found


def test_no_move_that_speaks_authored_words_has_openers() -> None:
    text = SMALL.replace(
        "        to: end\n", "        words: authored\n        openers: [Sure.]\n        to: end\n"
    )
    assert "its words are authored" in refused(text)


def test_nothing_goes_before_a_line_that_must_be_heard() -> None:
    must_say = SMALL.replace("    opening: Bye.\n", "    opening: Bye.\n    must_say: true\n")
    text = must_say.replace("        to: end\n", "        openers: [Sure.]\n        to: end\n")
    assert "nothing may be said before `end`" in refused(text)
    script = parse_script(
        must_say.replace("first: ask\n", "first: ask\nopeners: {answer: [Sure.]}\n"), name="s.yaml"
    )
    (move,) = script.stages["ask"].moves
    assert openers_of_move(script, "ask", move) == ()


def test_an_opener_that_the_next_line_repeats_is_refused() -> None:
    text = SMALL.replace("        to: end\n", "        openers: [Bye.]\n        to: end\n")
    assert "begins with the same words" in refused(text)


def test_a_stage_may_have_its_own_openers_or_none() -> None:
    text = with_openers("answer: [Got it.]\n  question: [Sure.]").replace(
        "    goal: ask\n", "    goal: ask\n    openers: {answer: [Thanks.], question: []}\n"
    )
    script = parse_script(text, name="s.yaml")
    (move,) = script.stages["ask"].moves
    assert [line.text for line in openers_of_move(script, "ask", move)] == ["Thanks."]
    assert openers_of_kind(script, "ask", OpenerKind.QUESTION) == ()
    assert [line.text for line in openers_in(script)] == ["Sure.", "Got it.", "Thanks."]


def test_a_script_without_openers_is_what_it_was() -> None:
    script = parse_script(SMALL, name="s.yaml")
    assert openers_in(script) == ()
    assert all(
        openers_of_move(script, "ask", move) == () for move in allowed_moves(script, run(script))
    )
    vector, examples = vectors(script, {})
    assert fitting_openers(script, run(script), "how old are you?", vector, examples) == ()


def test_compiled_in_moves_have_none() -> None:
    for move in global_moves(SAMPLE.agent_name, SAMPLE.company):
        assert openers_of_move(SAMPLE, "pitch", move) == ()


def test_fixed_lines_are_those_without_placeholders_openers_first() -> None:
    lines = fixed_lines(SAMPLE)
    assert lines[0] == "Good question."
    assert len(set(lines)) == len(lines)
    for there in (
        "One moment please.",
        "Is now a good time for two minutes?",
        "Are you still there?",
    ):
        assert there in lines
    assert any("press nine" in line for line in lines)
    assert not any("{" in line for line in lines)
    assert "openers:" in SAMPLE_TEXT
