"""The short names of moves: one each, mnemonic, the same all through a stage, and never the opposite of the move."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from media_gateway.move_tags import SLOTS_KEY, move_tags, names_by_written
from tests.core.scripts import SAMPLE, SMALL
from workflows.script.compiled import COMPILED_MOVES
from workflows.script.parse import parse_script

WORDS = st.sampled_from("s ok answer stop bye not no is roof known email later too_low a".split())
NAMES = st.lists(WORDS, min_size=1, max_size=3).map("_".join)


def test_a_tag_is_a_word_of_the_moves_name() -> None:
    tags = move_tags(SAMPLE, "pitch")
    assert tags["agrees_to_visit"] == "agrees"
    assert tags["objection_too_expensive"] == "expensive"
    assert tags["objection_need_to_ask_spouse"] == "spouse"
    assert tags["continue_stage"] == "ok"
    assert tags["opt_out"] == "stop"


def test_a_name_that_denies_something_is_not_shortened() -> None:
    assert move_tags(SAMPLE, "pitch")["objection_not_interested_now"] == "not_interested_now"
    assert move_tags(SAMPLE, "email")["no_email"] == "no_email"


@settings(deadline=None)
@given(st.sets(NAMES, max_size=8))
def test_no_two_moves_can_be_written_alike(names: set[str]) -> None:
    moves = "".join(
        f"\n      {name}: {{description: d, to: end}}" for name in names - {*COMPILED_MOVES, "done"}
    )
    script = parse_script(SMALL.replace("    moves:", f"    moves:{moves}", 1), name="small.yaml")
    tags = move_tags(script, "ask")
    assert len(set(tags.values())) == len(tags)
    written = names_by_written(tags, tags)
    assert SLOTS_KEY not in written
    for name, tag in tags.items():
        assert name == SLOTS_KEY or written[name] == name
        assert written[tag] == name
