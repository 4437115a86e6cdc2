"""PURE. Which moves the agent may propose now: the only names that the model ever sees."""

from __future__ import annotations

from workflows.script.compiled import (
    OBJECTION_PREFIX,
    global_moves,
    staying_moves,
    stop_recording_move,
)
from workflows.script.model import Move, Outcome, Script, Stage
from workflows.script.recording import may_be_stopped
from workflows.script.state import ScriptState


def allowed_moves(script: Script, state: ScriptState) -> tuple[Move, ...]:
    """Authored moves of the stage, then objections, then the compiled-in ones; none once the script is over.

    A guarded move is left out when its guard is false and no slot that could still change here makes it true.
    """
    stage = script.stages[state.stage]
    if state.outcome is not None or stage.outcome is not None:
        return ()
    authored = tuple(move for move in stage.moves if _may_hold(move, stage, state))
    return (
        *authored,
        *_objections(script, stage, state),
        *staying_moves(),
        *global_moves(script.agent_name, script.company),
        *((stop_recording_move(),) if may_be_stopped(script, state) else ()),
    )


def askable_slots(script: Script, state: ScriptState) -> tuple[str, ...]:
    """Names of the slots that a move of this stage may fill, in the stage's order."""
    stage = script.stages[state.stage]
    extra = {name for move in allowed_moves(script, state) for name in move.slots}
    return (*stage.collects, *sorted(extra - set(stage.collects)))


def missing_slots(script: Script, state: ScriptState) -> tuple[str, ...]:
    """Required slots of the stage that have no value yet."""
    stage = script.stages[state.stage]
    return tuple(
        name for name in stage.collects if script.slots[name].required and name not in state.slots
    )


def why_not_forced(script: Script, state: ScriptState, target: str) -> str:
    """Why a supervisor cannot force this stage now; empty when he can. His word goes before guards, not before facts."""
    stage = script.stages.get(target)
    if stage is None:
        return f"no stage {target!r}; there are {', '.join(script.stages)}"
    if stage.outcome is not Outcome.APPOINTMENT:
        return ""
    needed = {name for name, slot in script.slots.items() if slot.required}
    needed |= {script.appointment_slot} if script.appointment_slot else set()
    missing = sorted(needed - state.slots.keys())
    return f"an appointment needs {', '.join(missing)}: force a stage that asks" if missing else ""


def _may_hold(move: Move, stage: Stage, state: ScriptState) -> bool:
    if move.guard is None or move.guard.holds(state.slots):
        return True
    return bool(move.guard.slots & {*stage.collects, *move.slots})


def _objections(script: Script, stage: Stage, state: ScriptState) -> tuple[Move, ...]:
    return tuple(
        Move(
            name=OBJECTION_PREFIX + objection.name,
            description=f"{objection.description}. Answer with: {objection.guidance}",
            examples=objection.examples,
            objection=objection.name,
        )
        for objection in (script.objections[name] for name in stage.objections)
        if state.objections.get(objection.name, 0) < objection.max_times
    )
