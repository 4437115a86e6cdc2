"""A call on the line that shows everything, made of a few sounds and words; tests break it piece by piece."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rehearsal.evidence.line import Span, Speaker, Utterance
from rehearsal.evidence.report import Case, CrmEvidence, Spoken, TurnEvidence
from rehearsal.evidence.wire import Wire, WireEvent
from tests.core.scripts import SAMPLE
from workflows.contracts.payloads import CallResult, TurnKind, TurnRecord
from workflows.script.compiled import disclosure
from workflows.script.model import Outcome, SlotValue

SLOTS: dict[str, SlotValue] = {
    "is_homeowner": True,
    "roof_type": "metal",
    "monthly_bill_usd": 180,
    "wants_battery": True,
    "appointment_at": "2026-11-26T10:00",
}
LENGTH_MS = 62_000


def spoken(speaker: Speaker, words: str, *sounds: tuple[int, int]) -> Spoken:
    spans = tuple(Span(start_ms=start, end_ms=end) for start, end in sounds)
    whole = Span(start_ms=spans[0].start_ms, end_ms=spans[-1].end_ms)
    return Spoken(utterance=Utterance(speaker=speaker, span=whole, sounds=spans), words=words)


def event(t_ms: float, kind: str, **fields: Any) -> WireEvent:
    return WireEvent(t_ms=t_ms, kind=kind, fields=fields)


def record(seq: int, **fields: Any) -> TurnRecord:
    given: dict[str, Any] = {
        "seq": seq,
        "kind": TurnKind.REPLY,
        "stage": "roof",
        "caller_words": "",
        "heard_words": "words",
        "move": "",
        "interrupted": False,
    }
    return TurnRecord(**(given | fields))


OPENING = spoken("agent", disclosure(SAMPLE.agent_name, SAMPLE.company).text, (1000, 8000))
PAUSED = spoken("caller", "We own the house since six years", (9000, 11_000), (11_900, 13_000))
CUT_OFF = spoken("agent", "What kind of roof do you have and", (14_000, 17_400))
QUESTION = spoken("caller", "Sorry, how long is the warranty?", (17_000, 20_000))
ANSWER = spoken("agent", "The panels have a warranty of 25 years.", (21_000, 25_000))
OBJECTION = spoken("caller", "It sounds too expensive for us", (26_000, 29_000))
GUIDANCE = spoken(
    "agent",
    "There is no money down, and most families pay less a month than their bill today.",
    (30_000, 32_100),
    (33_000, 36_000),
)
MURMUR = spoken("caller", "Okay", (31_900, 32_300))
TIME = spoken("caller", "Thursday at ten in the morning", (37_000, 41_000))
READ_BACK = spoken("agent", "So that is Thursday November 26 at 10 am. Goodbye.", (42_000, 60_000))
PASSAGES = {"warranty.md#Panels": "The panels have a warranty of 25 years. It is good."}


def good_case() -> Case:
    said = [
        (9000, "We own the house since … six years.", PAUSED),
        (17_000, "Sorry, how long is the warranty?", QUESTION),
        (26_000, "It sounds too expensive for us.", OBJECTION),
        (37_000, "Thursday at ten in the morning.", TIME),
    ]
    records = (
        record(1, kind=TurnKind.OPENING, stage="permission"),
        record(2, caller_words=PAUSED.words, interrupted=True),
        record(
            3,
            caller_words=QUESTION.words,
            move="answer_question",
            passages=["warranty.md#Panels"],
        ),
        record(
            4, caller_words=OBJECTION.words, heard_words=GUIDANCE.words, objection="too_expensive"
        ),
        record(5, caller_words=TIME.words, stage="booked"),
    )
    agents = (OPENING, CUT_OFF, ANSWER, GUIDANCE, READ_BACK)
    callers = (None, PAUSED, QUESTION, OBJECTION, TIME)
    turns = tuple(
        TurnEvidence(record=one, caller=caller, agent=agent)
        for one, caller, agent in zip(records, callers, agents, strict=True)
    )
    everything = [item for pair in zip(callers, agents, strict=True) for item in pair if item]
    line = tuple(sorted(everything, key=lambda item: item.utterance.span.start_ms))
    silence = np.zeros(LENGTH_MS * 8, dtype=np.float32)
    events = [event(t_ms, "caller_says", words=words) for t_ms, words, _ in said]
    events.append(event(31_880, "caller_murmurs", words="Okay."))
    events += [event(17_350, "clear", dropped_ms=300)]
    events += [event(20.0 * n, "media", waiting_ms=400) for n in range(200)]
    return Case(
        wire=Wire(
            events=tuple(events),
            caller=silence,
            agent=silence,
            utterances=tuple(item.utterance for item in line),
        ),
        spoken=line,
        murmurs=(MURMUR,),
        last_words="thank you and goodbye",
        turns=turns,
        result=CallResult(
            call_id="c1",
            call_sid="CA1",
            outcome=Outcome.APPOINTMENT,
            carrier_status="completed",
            stage="booked",
            slots=dict(SLOTS),
            objections={"too_expensive": 1},
            turns=list(records),
        ),
        signals=5,
        crm=CrmEvidence(
            workflow_status="COMPLETED",
            outcome="appointment",
            slots=dict(SLOTS),
            appointment_at="2026-11-26T10:00",
        ),
        script=SAMPLE,
        passages=PASSAGES,
    )


def with_events(case: Case, *more: WireEvent, without: str = "") -> Case:
    kept = [one for one in case.wire.events if one.kind != without]
    return replace(case, wire=replace(case.wire, events=(*kept, *more)))


def swapped(case: Case, old: Spoken, new: Spoken | None) -> Case:
    """The same call with one utterance replaced, or gone."""
    line = tuple(new if item is old else item for item in case.spoken)
    turns = tuple(
        replace(
            turn,
            caller=new if turn.caller is old else turn.caller,
            agent=new if turn.agent is old else turn.agent,
        )
        for turn in case.turns
    )
    return replace(case, spoken=tuple(item for item in line if item), turns=turns)
