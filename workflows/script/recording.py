"""PURE. From which moment a call may be recorded, and from which it may no more: what a script cannot be written around.

Agreed to, it goes on until the caller objects, wants no more calls, or is handed to a person: whoever joins was not asked.
Withdrawn once, it never begins again in the call.
"""

from __future__ import annotations

from dataclasses import replace

from workflows.script.compiled import DISCLOSURE_LINE
from workflows.script.effects import Effect, StartRecording, StopRecording
from workflows.script.model import Move, Recording, Script
from workflows.script.state import ScriptState

AGREED, WITHDRAWN = "agreed", "withdrawn"
"""Values of `ScriptState.recording`."""


def is_recorded(script: Script, state: ScriptState) -> bool:
    """Whether the call is to be recorded as it stands."""
    if state.recording == WITHDRAWN:
        return False
    match script.recording:
        case Recording.AFTER_CONSENT:
            return state.recording == AGREED
        case Recording.AFTER_DISCLOSURE:
            return DISCLOSURE_LINE in state.lines_heard
        case Recording.OFF:
            return False


def may_be_stopped(script: Script, state: ScriptState) -> bool:
    """Whether a caller can object: it is recorded, or will be if nobody does."""
    if script.recording is Recording.AFTER_DISCLOSURE:
        return state.recording != WITHDRAWN
    return is_recorded(script, state)


def asks_in_full(script: Script, state: ScriptState, move: Move) -> bool:
    """False: a yes to a question that was not heard to its end, which is no consent."""
    opening = script.stages[state.stage].opening
    return not move.consents_to_recording or opening.line_id in state.lines_heard


def consented(state: ScriptState, move: Move) -> tuple[ScriptState, tuple[Effect, ...]]:
    """What a move changes. A second yes, or one after a withdrawal, changes nothing."""
    if not move.consents_to_recording or state.recording:
        return state, ()
    return replace(state, recording=AGREED), (StartRecording(),)


def withdrawn(script: Script, state: ScriptState) -> tuple[ScriptState, tuple[Effect, ...]]:
    """No more of it, whether it runs or was only about to."""
    if not script.records or state.recording == WITHDRAWN:
        return state, ()
    effects = (StopRecording(),) if is_recorded(script, state) else ()
    return replace(state, recording=WITHDRAWN), effects


def heard(script: Script, before: ScriptState, after: ScriptState) -> tuple[Effect, ...]:
    """What follows from lines that were heard to their end."""
    begins = is_recorded(script, after) and not is_recorded(script, before)
    return (StartRecording(),) if begins else ()
