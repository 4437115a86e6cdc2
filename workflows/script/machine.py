"""PURE. What may be said next: `advance(script, state, event)`. The gateway and the workflow run this same function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from workflows.script import recording
from workflows.script.compiled import (
    ALWAYS_ALLOWED,
    ANSWER,
    CALL_BACK,
    CALL_BACK_SLOT,
    CONTINUE,
    DISCLOSURE_LINE,
    GOODBYE,
    HANDED_OVER,
    OPT_OUT_DIGIT,
    OPT_OUT_MOVE,
    OPTED_OUT,
    STOP_RECORDING_MOVE,
    connecting_line,
    disclosure,
)
from workflows.script.effects import (
    BookAppointment,
    BookCallBack,
    Effect,
    EndCall,
    EnterStage,
    OptOut,
    RaiseObjection,
    RefuseMove,
    RejectSlot,
    SpeakLine,
    SpeakReply,
    StoreSlot,
    Transfer,
)
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
from workflows.script.lines import known_facts, spoken_line
from workflows.script.model import (
    Line,
    Move,
    Outcome,
    Recording,
    Script,
    Slot,
    SlotValue,
    Words,
)
from workflows.script.moves import allowed_moves, askable_slots, missing_slots, why_not_forced
from workflows.script.slots import parse_slot
from workflows.script.state import ScriptState

Step = tuple[ScriptState, tuple[Effect, ...]]


def initial_state(script: Script, facts: Mapping[str, str] | None = None) -> ScriptState:
    """Before the call is answered."""
    return ScriptState(stage=script.first_stage, facts=known_facts(facts or {}))


def advance(script: Script, state: ScriptState, event: ScriptEvent) -> Step:
    """The next state, and what is to be done, in order. Nothing is spoken once the script is over."""
    match event:
        case CallEnded():
            return replace(state, outcome=state.outcome or Outcome.HUNG_UP), ()
        case ReplyHeard():
            after = _heard(script, state, event)
            return after, recording.heard(script, state, after)
        case _ if state.outcome is not None:
            return _said_after_the_end(script, state, event)
        case CallAnswered():
            state = replace(state, today=event.today)
            return state, _say_first(script, state, script.stages[state.stage].opening)
        case CallResumed():
            # Said over the caller, if need be: what he says meanwhile has lost its beginning.
            resume = replace(script.stages[state.stage].resume, must_say=True)
            return state, _say_first(script, state, resume)
        case MoveProposed():
            return _proposed(script, replace(state, turns=state.turns + 1, silences=0), event)
        case CallerSilent():
            return _silent(script, state)
        case DtmfPressed():
            if event.digit == OPT_OUT_DIGIT:
                return _enter(script, state, OPTED_OUT)
            return state, (_question(script, state),)
        case SupervisorOrdered():
            return _ordered(script, state, event)
        case _:
            assert_never(event)


def _said_after_the_end(script: Script, state: ScriptState, event: ScriptEvent) -> Step:
    """Nothing more is spoken, and no move is made; but that somebody wants no more calls counts to the last moment.

    So does that he wants no recording.
    """
    effects: list[Effect] = []
    if _wants_no_calls(event) and state.outcome is not Outcome.OPTED_OUT:
        effects.append(OptOut())
    if _wants_no_calls(event) or _wants_no_recording(event):
        state, stopped = recording.withdrawn(script, state)
        effects.extend(stopped)
    if isinstance(event, MoveProposed):
        reason = "the script is over"
        effects.append(RefuseMove(stage=state.stage, move=event.move, reason=reason))
        state = replace(state, refused=state.refused + 1)
    return state, tuple(effects)


def _wants_no_calls(event: ScriptEvent) -> bool:
    match event:
        case DtmfPressed():
            return event.digit == OPT_OUT_DIGIT
        case MoveProposed():
            return event.move == OPT_OUT_MOVE
        case _:
            return False


def _wants_no_recording(event: ScriptEvent) -> bool:
    return isinstance(event, MoveProposed) and event.move == STOP_RECORDING_MOVE


def means_something(digit: str) -> bool:
    """Whether a script has a use for this key. Others are not heard: a slip of the finger is no turn."""
    return digit == OPT_OUT_DIGIT


def next_question(script: Script, state: ScriptState) -> str:
    """The authored question that follows the model's words as long as the call stays in its stage."""
    return spoken_line(script, state, _reask(script, state))


def _say_first(script: Script, state: ScriptState, line: Line) -> tuple[Effect, ...]:
    """A line of the script, the disclosure before it as long as it was not heard in full."""
    effects: list[Effect] = []
    if DISCLOSURE_LINE not in state.lines_heard:
        effects.append(_disclosure(script, state))
    return (*effects, EnterStage(stage=state.stage), _speak(script, state, line))


def _disclosure(script: Script, state: ScriptState) -> SpeakLine:
    tells = script.recording is Recording.AFTER_DISCLOSURE
    line = disclosure(script.agent_name, script.company, tells_of_recording=tells)
    return _speak(script, state, line)


def _heard(script: Script, state: ScriptState, event: ReplyHeard) -> ScriptState:
    must_say = {DISCLOSURE_LINE} | {
        stage.opening.line_id for stage in script.stages.values() if stage.opening.must_say
    }
    new = [line for line in event.lines_heard if line in must_say and line not in state.lines_heard]
    return replace(state, lines_heard=[*state.lines_heard, *new]) if new else state


def _proposed(script: Script, state: ScriptState, event: MoveProposed) -> Step:
    move = next((m for m in allowed_moves(script, state) if m.name == event.move), None)
    if move is None:
        reason = "not allowed in this stage" if event.move else "no usable reply"
        return _refuse(script, state, event.move, reason)
    if DISCLOSURE_LINE not in state.lines_heard and move.name not in ALWAYS_ALLOWED:
        if move.name == STOP_RECORDING_MOVE:
            state, _ = recording.withdrawn(script, state)
        return state, _say_first(script, state, _reask(script, state))
    if not recording.asks_in_full(script, state, move):
        return state, (_speak(script, state, script.stages[state.stage].opening),)
    state_with_slots, effects = _fill(script, state, event.slots)
    if move.guard is not None and not move.guard.holds(state_with_slots.slots):
        return _refuse(script, state, move.name, f"its guard does not hold: {move.guard.source}")
    return _take(script, state_with_slots, move, effects)


def _refuse(script: Script, state: ScriptState, move: str, reason: str) -> Step:
    state = replace(state, refused=state.refused + 1)
    return state, (
        RefuseMove(stage=state.stage, move=move, reason=reason),
        _speak(script, state, script.stages[state.stage].fallback),
    )


def _fill(
    script: Script, state: ScriptState, given: Mapping[str, str]
) -> tuple[ScriptState, list[Effect]]:
    """Store what fits, reject what does not; one bad slot never blocks another."""
    askable = askable_slots(script, state)
    values: dict[str, SlotValue] = dict(state.slots)
    effects: list[Effect] = []
    for name, raw in given.items():
        slot = script.slots.get(name)
        value, reason = _read(slot, raw, state.today) if name in askable else (None, "")
        if slot is None or value is None:
            effects.append(RejectSlot(name=name, raw=raw, reason=reason or "not asked for here"))
        else:
            values[name] = value
            effects.append(StoreSlot(name=name, value=value))
    return replace(state, slots=values), effects


def _read(slot: Slot | None, raw: str, today: str) -> tuple[SlotValue | None, str]:
    if slot is None:
        return None, "no such slot"
    try:
        return parse_slot(slot, raw, today), ""
    except ValueError as error:
        return None, str(error)


def _take(script: Script, state: ScriptState, move: Move, effects: list[Effect]) -> Step:
    if move.objection is not None:
        count = state.objections.get(move.objection, 0) + 1
        state = replace(state, objections={**state.objections, move.objection: count})
        effects.append(RaiseObjection(name=move.objection))
    state, recorded = recording.consented(state, move)
    if move.name == STOP_RECORDING_MOVE:
        state, recorded = recording.withdrawn(script, state)
    effects.extend(recorded)
    target, next_move = move.to, move
    if target is None and move.name in (CONTINUE, ANSWER):
        completed = _completed(script, state)
        if completed is not None:
            target, next_move = completed.to, completed
    spoken: list[Effect] = []
    if move.words is Words.MODEL:
        spoken.append(SpeakReply())
    if next_move.line is not None:
        spoken.append(_speak(script, state, next_move.line))
    if target is None:
        return state, (*effects, *spoken, _question(script, state))
    return _enter(script, state, target, (*effects,), tuple(spoken))


def _completed(script: Script, state: ScriptState) -> Move | None:
    """The move that the stage takes by itself now that its slots are filled."""
    if missing_slots(script, state):
        return None
    for move in script.stages[state.stage].moves:
        if move.when_complete and (move.guard is None or move.guard.holds(state.slots)):
            return move
    return None


def _enter(
    script: Script,
    state: ScriptState,
    target: str,
    before: tuple[Effect, ...] = (),
    spoken: tuple[Effect, ...] = (),
) -> Step:
    stage = script.stages[target]
    lasting: list[Effect] = []
    ending: tuple[Effect, ...] = ()
    changes: dict[str, object] = {"stage": target}
    if stage.outcome is not None:
        changes["outcome"] = stage.outcome
        ending = (EndCall(outcome=stage.outcome),)
        if stage.name == OPTED_OUT:
            lasting.append(OptOut())
        if stage.name == OPTED_OUT or stage.transfer:
            state, stopped = recording.withdrawn(script, state)
            lasting.extend(stopped)
        if stage.name == CALL_BACK:
            when = str(state.slots.get(CALL_BACK_SLOT, ""))
            changes["call_back_when"] = when
            lasting.append(BookCallBack(when=when))
        if stage.outcome is Outcome.APPOINTMENT and script.appointment_slot in state.slots:
            lasting.append(BookAppointment(at=str(state.slots[script.appointment_slot])))
        if stage.transfer and script.transfer_to:
            changes["transfer_to"] = script.transfer_to
            lasting.append(Transfer(to=script.transfer_to))
    state = replace(state, **changes)  # type: ignore[arg-type]
    opening = _speak(script, state, stage.opening)
    return state, (*before, EnterStage(stage=target), *lasting, *spoken, opening, *ending)


def _ordered(script: Script, state: ScriptState, event: SupervisorOrdered) -> Step:
    """An order that makes no sense here leaves the call where it is: its question again."""
    match event.order:
        case Order.FORCE_STAGE if not why_not_forced(script, state, event.target):
            state, effects = _enter(script, state, event.target)
            if DISCLOSURE_LINE in state.lines_heard or state.outcome is not None:
                return state, effects
            return state, (_disclosure(script, state), *effects)
        case Order.TRANSFER | Order.TAKE_OVER if event.target or script.transfer_to:
            return _connected(script, state, event.target or script.transfer_to or "")
        case Order.HANG_UP:
            return _enter(script, state, GOODBYE)
        case _:
            return state, (_question(script, state),)


def _connected(script: Script, state: ScriptState, number: str) -> Step:
    """The compiled-in hand-over, to a number that the script need not know."""
    state, stopped = recording.withdrawn(script, state)
    state = replace(state, stage=HANDED_OVER, transfer_to=number, outcome=Outcome.HANDED_OVER)
    opening = _speak(script, state, connecting_line())
    return state, (
        EnterStage(stage=HANDED_OVER),
        Transfer(to=number),
        *stopped,
        opening,
        EndCall(outcome=Outcome.HANDED_OVER),
    )


def _silent(script: Script, state: ScriptState) -> Step:
    if state.silences >= len(script.silence):
        state, effects = _enter(script, state, GOODBYE)
        silent = replace(state, outcome=Outcome.SILENT)
        return silent, (*effects[:-1], EndCall(outcome=Outcome.SILENT))
    line = script.silence[state.silences]
    return replace(state, silences=state.silences + 1), (_speak(script, state, line),)


def _reask(script: Script, state: ScriptState) -> Line:
    """The stage's question: the first missing slot's, or the stage's own."""
    missing = missing_slots(script, state)
    if missing:
        return Line(line_id=f"{state.stage}.ask.{missing[0]}", text=script.slots[missing[0]].ask)
    return script.stages[state.stage].reask


def _question(script: Script, state: ScriptState) -> SpeakLine:
    return _speak(script, state, _reask(script, state))


def _speak(script: Script, state: ScriptState, line: Line) -> SpeakLine:
    return SpeakLine(
        line_id=line.line_id, text=spoken_line(script, state, line), must_say=line.must_say
    )
