"""PURE. How a complete answer to the stage's next question sounds."""

from __future__ import annotations

import re

from media_gateway.ears.ports import Expectation
from workflows.script.model import Script, SlotType
from workflows.script.moves import missing_slots
from workflows.script.state import ScriptState

OF_SLOT = {
    SlotType.YES_NO: Expectation.YES_NO,
    SlotType.INTEGER: Expectation.NUMBER,
    SlotType.MONEY: Expectation.NUMBER,
    SlotType.CHOICE: Expectation.CHOICE,
    SlotType.NAME: Expectation.SPELLED,
    SlotType.TEXT: Expectation.FREE,
    SlotType.EMAIL: Expectation.SPELLED,
    SlotType.PHONE: Expectation.NUMBER,
    SlotType.DATETIME: Expectation.DATE_TIME,
}
"""What each type of slot is answered with."""

YES_NO_OPENERS = frozenset(
    "am are can could did do does had has have is may shall should was were will would".split()
)
"""First words of a question that is answered with yes or no, `Shall we plan a visit?`."""
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


def expectation(script: Script, state: ScriptState, question: str) -> Expectation:
    """What the answer to `question`, the stage's authored one, is; see `machine.next_question`.

    A stage asks for its missing slots in order, then for those that it may do without; one that asks for none asks
    for assent, or leaves the caller free.
    """
    wanted = [*missing_slots(script, state), *_unfilled(script, state)]
    if wanted:
        return OF_SLOT[script.slots[wanted[0]].type]
    return Expectation.YES_NO if _asks_for_assent(question) else Expectation.FREE


def _unfilled(script: Script, state: ScriptState) -> list[str]:
    return [name for name in script.stages[state.stage].collects if name not in state.slots]


def _asks_for_assent(question: str) -> bool:
    """By its last sentence: `So that is Thursday. Is that right?`."""
    sentences = _SENTENCE_END.split(question.strip())
    last = sentences[-1].lower()
    if not last.endswith("?"):
        return False
    return "yes or no" in last or last.split(maxsplit=1)[0].strip(",?") in YES_NO_OPENERS
