"""Whatever is proposed in whatever order, the script holds."""

from __future__ import annotations

import json
from dataclasses import asdict

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.scripts import HEARD_DISCLOSURE, SAMPLE, TODAY
from workflows.script.effects import RefuseMove
from workflows.script.events import (
    CallAnswered,
    CallEnded,
    CallerSilent,
    CallResumed,
    DtmfPressed,
    MoveProposed,
    Order,
    ReplyHeard,
    ScriptEvent,
    SupervisorOrdered,
)
from workflows.script.machine import advance, initial_state
from workflows.script.moves import allowed_moves
from workflows.script.state import ScriptState

MOVES = sorted(
    {move.name for stage in SAMPLE.stages.values() for move in stage.moves}
    | {move.name for move in allowed_moves(SAMPLE, initial_state(SAMPLE))}
    | {"", "nonsense", "objection_too_expensive"}
)
VALUES = ["yes", "no", "metal", "180", "12", "Thursday at ten", "dana at example dot com", "", "?"]
proposals = st.builds(
    MoveProposed,
    caller_words=st.text(max_size=20),
    move=st.sampled_from(MOVES),
    slots=st.dictionaries(
        st.sampled_from([*SAMPLE.slots, "unknown"]), st.sampled_from(VALUES), max_size=4
    ),
)
events: st.SearchStrategy[ScriptEvent] = st.one_of(
    proposals,
    proposals,
    st.just(HEARD_DISCLOSURE),
    st.builds(ReplyHeard, heard_words=st.just("x"), interrupted=st.booleans()),
    st.just(CallerSilent()),
    st.just(CallResumed()),
    st.builds(DtmfPressed, digit=st.sampled_from("0123456789*#")),
    st.builds(
        SupervisorOrdered,
        order=st.sampled_from(Order),
        target=st.sampled_from([*SAMPLE.stages, "nowhere", "", "+12125550111"]),
    ),
    st.just(CallEnded()),
)
streams = st.lists(events, max_size=40)


def _start() -> ScriptState:
    return advance(SAMPLE, initial_state(SAMPLE), CallAnswered(today=TODAY))[0]


@settings(max_examples=300, deadline=None)
@given(streams)
def test_an_outcome_once_set_never_changes_and_the_stage_stays(stream: list[ScriptEvent]) -> None:
    state = _start()
    for event in stream:
        after, _ = advance(SAMPLE, state, event)
        if state.outcome is not None:
            assert (after.outcome, after.stage, after.slots) == (
                state.outcome,
                state.stage,
                state.slots,
            )
        state = after


@settings(max_examples=300, deadline=None)
@given(streams)
def test_a_move_that_is_not_allowed_moves_nothing(stream: list[ScriptEvent]) -> None:
    state = _start()
    for event in stream:
        allowed = {move.name for move in allowed_moves(SAMPLE, state)}
        after, effects = advance(SAMPLE, state, event)
        if isinstance(event, MoveProposed) and event.move not in allowed:
            assert any(isinstance(effect, RefuseMove) for effect in effects)
            assert (after.stage, after.slots, after.outcome) == (
                state.stage,
                state.slots,
                state.outcome,
            )
        state = after


@settings(max_examples=200, deadline=None)
@given(streams)
def test_the_state_is_plain_json_and_every_value_has_its_slots_type(
    stream: list[ScriptEvent],
) -> None:
    kinds = {"yes_no": bool, "integer": int, "money": float}
    state = _start()
    for event in stream:
        state, _ = advance(SAMPLE, state, event)
    assert json.loads(json.dumps(asdict(state))) == asdict(state)
    for name, value in state.slots.items():
        assert isinstance(value, kinds.get(SAMPLE.slots[name].type.value, str))


@settings(max_examples=100, deadline=None)
@given(streams)
def test_the_same_events_give_the_same_state(stream: list[ScriptEvent]) -> None:
    one = other = _start()
    for event in stream:
        one, one_effects = advance(SAMPLE, one, event)
        other, other_effects = advance(SAMPLE, other, event)
        assert one_effects == other_effects
    assert one == other


@settings(max_examples=200, deadline=None)
@given(streams)
def test_an_appointment_needs_a_time_and_every_required_slot(stream: list[ScriptEvent]) -> None:
    state = _start()
    for event in stream:
        state, _ = advance(SAMPLE, state, event)
    if state.outcome is not None and state.outcome.value == "appointment":
        required = {slot.name for slot in SAMPLE.slots.values() if slot.required}
        assert required <= state.slots.keys()
