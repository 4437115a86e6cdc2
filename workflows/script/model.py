"""PURE. What a sales script is: stages, moves, slots, objections and lines, frozen once compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from workflows.script.guards import Guard

SlotValue = bool | int | float | str
"""A typed slot value. Dates and times are ISO 8601 text (`2026-11-26T10:00`), so that every value is plain JSON."""


class SlotType(StrEnum):
    """How a slot's words are read and checked; see `workflows.script.slots.parse_slot`."""

    YES_NO = "yes_no"
    INTEGER = "integer"
    MONEY = "money"
    CHOICE = "choice"
    NAME = "name"
    TEXT = "text"
    EMAIL = "email"
    PHONE = "phone"
    DATETIME = "datetime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One fact that the call must find out, or may."""

    name: str
    type: SlotType
    description: str
    """For the model: what the value means."""
    ask: str
    """The question that the agent asks for it, when a stage has no better words."""
    required: bool = False
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Authored words. `{slot}` and `{fact}` placeholders are filled when the line is spoken."""

    line_id: str
    """Unique in the script, e.g. `disclosure.opening`, `qualify.fallback`, `objection.too_expensive`."""
    text: str
    must_say: bool = False
    """Not interruptible, and not done until it was heard in full."""


class Words(StrEnum):
    """Who writes what is spoken when a move is taken."""

    MODEL = "model"
    """The model's words, then the move's line and the next stage's opening, where there are any."""
    AUTHORED = "authored"
    """Only authored lines; the model's words are discarded."""


class Recording(StrEnum):
    """Whether calls are recorded, and from when on; see `workflows.script.recording`."""

    OFF = "off"
    AFTER_CONSENT = "after_consent"
    """Once a line that asks was heard in full, and a move that says yes was taken."""
    AFTER_DISCLOSURE = "after_disclosure"
    """Once the disclosure, which then says that the line is recorded, was heard in full."""


class OpenerKind(StrEnum):
    """What the caller just did, where that is enough to know a good first word."""

    QUESTION = "question"
    """He asks something."""
    OBJECTION = "objection"
    """He gives a reason to say no that the stage has an answer to."""
    ANSWER = "answer"
    """He gives what the stage asks for."""
    AGREEMENT = "agreement"
    """He says yes and little else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Something the agent may do next. The model picks one by name; the machine checks it."""

    name: str
    description: str
    """For the model: when this is the right move."""
    examples: tuple[str, ...] = ()
    """Things a caller says that call for it."""
    to: str | None = None
    """The stage it leads to; None stays."""
    guard: Guard | None = None
    words: Words = Words.MODEL
    line: Line | None = None
    objection: str | None = None
    """The objection that it answers, if any."""
    when_complete: bool = False
    """Taken by the machine itself when the stage's slots are filled and its guard holds."""
    slots: tuple[str, ...] = ()
    """Slots that may be given with it, beside the stage's own."""
    openers: tuple[Line, ...] | None = None
    """Short first words before the reply to it; None: those of its kind; empty: none."""
    consents_to_recording: bool = False
    """A yes to the stage's opening: the call is recorded from here on."""


class Outcome(StrEnum):
    """How a call ended, in the words that reports and retry rules use."""

    APPOINTMENT = "appointment"
    QUALIFIED_OUT = "qualified_out"
    NOT_INTERESTED = "not_interested"
    CALL_BACK = "call_back"
    OPTED_OUT = "opted_out"
    WRONG_PERSON = "wrong_person"
    HANDED_OVER = "handed_over"
    GOODBYE = "goodbye"
    HUNG_UP = "hung_up"
    CUT_OFF = "cut_off"
    """We lost the line, not the caller: to be called again."""
    SILENT = "silent"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the call."""

    name: str
    goal: str
    """For the model: what this stage is for."""
    opening: Line
    """Spoken when the stage is entered."""
    fallback: Line
    """Spoken when the model's answer cannot be used."""
    resume: Line
    """Spoken when the call goes on after its media was lost."""
    reask: Line
    """The stage's question again, after a question or an objection was answered and no slot is missing."""
    collects: tuple[str, ...] = ()
    """Slots asked for here, in order."""
    objections: tuple[str, ...] = ()
    moves: tuple[Move, ...] = ()
    """Authored moves. Compiled-in ones are added by `workflows.script.moves.allowed_moves`."""
    outcome: Outcome | None = None
    """Set on final stages: the call ends with it once the opening was heard."""
    transfer: bool = False
    """A final stage after which the caller is connected to a person."""
    openers: Mapping[OpenerKind, tuple[Line, ...]] = field(default_factory=dict)
    """Instead of the script's, of the kinds that are named here."""
    knowledge: tuple[str, ...] | None = None
    """What may be quoted here: files, folders (`prices/`) or headings (`cost.md#Savings`); None all, empty nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """A reason to say no that the script has an answer to."""

    name: str
    description: str
    examples: tuple[str, ...]
    guidance: str
    """For the model: what to answer with."""
    line: Line
    """The authored answer, for when the model's cannot be used."""
    max_times: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A compiled script. Made only by `workflows.script.parse.parse_script`, which refuses a bad one."""

    script_id: str
    version: str
    content_hash: str
    """`sha256:` and 64 hex digits of the YAML text as read."""
    title: str
    company: str
    agent_name: str
    language: str
    first_stage: str
    stages: Mapping[str, Stage]
    slots: Mapping[str, Slot]
    objections: Mapping[str, Objection]
    filler: tuple[Line, ...]
    """Spoken when the model is slow; used in turn."""
    silence: tuple[Line, ...]
    """Spoken when the caller says nothing; after the last one the call ends."""
    appointment_slot: str | None = None
    """The slot whose value is booked when the call ends with an appointment."""
    knowledge: str | None = None
    """Folder of passages, relative to the script's file."""
    key_terms: tuple[str, ...] = ()
    """Names and products that the recogniser should expect."""
    transfer_to: str | None = None
    """E.164 number of the people to hand over to; None when there are none."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Script-wide values for placeholders, e.g. `company_phone`."""
    openers: Mapping[OpenerKind, tuple[Line, ...]] = field(default_factory=dict)
    """Short first words, said while the model still thinks; see `workflows.script.openers`."""
    recording: Recording = Recording.OFF

    @property
    def records(self) -> bool:
        """Some of its calls are recorded."""
        return self.recording is not Recording.OFF
