"""PURE. What every script has, whatever its author writes: disclosure, opt-out, a human, an honest answer, goodbye."""

from __future__ import annotations

from workflows.script.model import Line, Move, Outcome, Slot, SlotType, Stage, Words

DISCLOSURE_LINE = "disclosure.opening"
OPT_OUT_DIGIT = "9"
OPT_OUT_MOVE = "opt_out"
STOP_RECORDING_MOVE = "stop_recording"
CALL_BACK_SLOT = "call_back_when"
GOODBYE, OPTED_OUT, HANDED_OVER = "goodbye", "opted_out", "handed_over"
CALL_BACK, WRONG_PERSON = "call_back", "wrong_person"
COMPILED_STAGES = (GOODBYE, OPTED_OUT, HANDED_OVER, CALL_BACK, WRONG_PERSON)
CONTINUE, ANSWER = "continue_stage", "answer_question"
OBJECTION_PREFIX = "objection_"
COMPILED_MOVES = (
    CONTINUE,
    ANSWER,
    OPT_OUT_MOVE,
    "human",
    "robot_question",
    "call_back",
    "wrong_person",
    "goodbye",
    STOP_RECORDING_MOVE,
)
ALWAYS_ALLOWED = frozenset({OPT_OUT_MOVE, "human", "wrong_person", "goodbye", "call_back"})
"""Moves that a caller may force even before the disclosure was heard to its end: none of them sells anything."""


def disclosure(agent_name: str, company: str, *, tells_of_recording: bool = False) -> Line:
    """Who calls, that it is an AI, and the way out: first, uninterruptible, heard in full."""
    recorded = " on a recorded line" if tells_of_recording else ""
    text = (
        f"Hi, this is {agent_name}, an AI assistant calling from {company}{recorded}. "
        "To opt out, press nine or just say stop."
    )
    return Line(line_id=DISCLOSURE_LINE, text=text, must_say=True)


def call_back_slot() -> Slot:
    """When to call again; any words will do, a time is better."""
    return Slot(
        name=CALL_BACK_SLOT,
        type=SlotType.TEXT,
        description="when the caller wants to be called back, ISO 8601 if it is clear, else their words",
        ask="When is a better time to call?",
    )


def connecting_line() -> Line:
    """Before the caller is connected to a person."""
    return Line(
        line_id=f"{HANDED_OVER}.opening",
        text="Of course, I will connect you with a colleague now.",
    )


def final_stages(company: str, transfer_to: str | None) -> dict[str, Stage]:
    """The compiled-in ways to end a call."""
    handed_over = (
        connecting_line().text
        if transfer_to
        else "I understand. A colleague will call you back as soon as possible. Goodbye."
    )
    return {
        GOODBYE: _final(
            GOODBYE, f"Thank you for your time. Goodbye from {company}.", Outcome.GOODBYE
        ),
        OPTED_OUT: _final(
            OPTED_OUT,
            "Understood. I have taken you off our list, and we will not call again. Goodbye.",
            Outcome.OPTED_OUT,
        ),
        HANDED_OVER: _final(
            HANDED_OVER,
            handed_over,
            Outcome.HANDED_OVER if transfer_to else Outcome.CALL_BACK,
            transfer=transfer_to is not None,
        ),
        CALL_BACK: _final(
            CALL_BACK,
            "No problem, we will call you back another time. Goodbye.",
            Outcome.CALL_BACK,
        ),
        WRONG_PERSON: _final(
            WRONG_PERSON,
            "I am sorry for the mix-up, and I will correct our records. Goodbye.",
            Outcome.WRONG_PERSON,
        ),
    }


def _final(name: str, text: str, outcome: Outcome, *, transfer: bool = False) -> Stage:
    opening = Line(line_id=f"{name}.opening", text=text)
    return Stage(
        name=name,
        goal="End the call.",
        opening=opening,
        fallback=opening,
        resume=opening,
        reask=opening,
        outcome=outcome,
        transfer=transfer,
    )


def global_moves(agent_name: str, company: str) -> tuple[Move, ...]:
    """Moves that every conversational stage has. Their words are authored: nothing here is left to a model."""
    robot = Line(
        line_id="robot_question.answer",
        text=f"Yes, I am {agent_name}, an AI assistant that works for {company}. I am not a person.",
    )
    return (
        Move(
            name=OPT_OUT_MOVE,
            description="the caller does not want to be called again, or says stop",
            examples=(
                "stop calling me",
                "take me off your list",
                "do not call me again",
                "remove my number",
                "stop",
                "unsubscribe me",
            ),
            to=OPTED_OUT,
            words=Words.AUTHORED,
        ),
        Move(
            name="human",
            description="the caller asks for a person instead of an AI",
            examples=(
                "can I talk to a real person",
                "I want to speak to a human",
                "transfer me to somebody",
                "let me talk to your manager",
            ),
            to=HANDED_OVER,
            words=Words.AUTHORED,
        ),
        Move(
            name="robot_question",
            description="the caller asks whether this is a robot, an AI or a recording",
            examples=(
                "are you a robot",
                "is this a real person",
                "am I talking to a machine",
                "is this a recording",
                "are you an AI",
            ),
            words=Words.AUTHORED,
            line=robot,
        ),
        Move(
            name="call_back",
            description="the caller is busy now and may be called another time",
            examples=(
                "call me back later",
                "this is a bad time",
                "I am busy right now",
                "can you call tomorrow",
                "I am driving",
            ),
            to=CALL_BACK,
            words=Words.AUTHORED,
            slots=(CALL_BACK_SLOT,),
        ),
        Move(
            name="wrong_person",
            description="this is not the person or household that was meant",
            examples=(
                "you have the wrong number",
                "there is nobody by that name here",
                "she does not live here anymore",
            ),
            to=WRONG_PERSON,
            words=Words.AUTHORED,
        ),
        Move(
            name="goodbye",
            description="the caller wants to end the call now, without asking never to be called",
            examples=(
                "I have to go, goodbye",
                "not interested, bye",
                "I am going to hang up",
                "no thanks, goodbye",
            ),
            to=GOODBYE,
            words=Words.AUTHORED,
        ),
    )


def stop_recording_move() -> Move:
    """A caller may have the recording stopped at any time, and need not end the call for it."""
    return Move(
        name=STOP_RECORDING_MOVE,
        description="the caller does not want the call to be recorded",
        examples=(
            "stop recording",
            "do not record this call",
            "I do not want to be recorded",
            "turn the recording off please",
        ),
        words=Words.AUTHORED,
        line=Line(
            line_id=f"{STOP_RECORDING_MOVE}.answer",
            text="Of course, this call is not recorded from here on.",
        ),
    )


def staying_moves() -> tuple[Move, ...]:
    """Moves that stay in the stage with the model's own words; the stage's question follows them, authored."""
    return (
        Move(
            name=CONTINUE,
            description=(
                "the caller answers the stage's question or gives one of its slots, "
                "or says something that needs a short reply"
            ),
        ),
        Move(
            name=ANSWER,
            description="the caller asks a question; answer it from the passages in one or two sentences",
        ),
    )
