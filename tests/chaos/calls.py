"""A call on the line that shows everything, made of a few words; tests break it piece by piece."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chaos.questions import Questions
from chaos.seen import (
    AgentLine,
    CallerUtterance,
    CallSeen,
    MediaStreamSeen,
    RecordedTurn,
    Strike,
    TurnSignal,
)
from rehearsal.evidence.line import Span
from tests.core.scripts import SAMPLE

QUESTIONS = Questions(SAMPLE)
ANSWERED_S = 100.0
MINUTES = "Is now a good time for two minutes?"
OWN = "Do you own the house you live in?"
ROOF = "What kind of roof do you have, and about how old is it?"
ROOF_AGAIN = "Sorry, we were cut off for a second. What kind of roof do you have?"
BOOKED = "Wonderful, we will see you Thursday, November 26 at 10 AM. Thank you and goodbye."
YES, OURS, METAL = "Yes, sure.", "Yes, we own it.", "It is a metal roof."


def line(phrase: str, start_ms: int, end_ms: int, words: str | None = None) -> AgentLine:
    span = Span(start_ms=start_ms, end_ms=end_ms)
    return AgentLine(phrase=phrase, words=phrase if words is None else words, span=span)


def utterance(words: str, start_ms: int, end_ms: int) -> CallerUtterance:
    return CallerUtterance(words=words, span=Span(start_ms=start_ms, end_ms=end_ms))


def turn(seq: int, stage: str, words: str = "", at_ms: float = 0.0, **changes: Any) -> RecordedTurn:
    made = RecordedTurn(
        seq=seq, kind="reply", stage=stage, caller_words=words, at_ms=at_ms, is_stale=False
    )
    return replace(made, **changes)


def stream(began_ms: float, ended_ms: float, *, is_broken: bool = False) -> MediaStreamSeen:
    return MediaStreamSeen(began_ms=began_ms, ended_ms=ended_ms, is_broken=is_broken)


def signal(seq: int, *, is_stale: bool = False) -> TurnSignal:
    return TurnSignal(at_ms=0, epoch=1, seq=seq, kind="reply", caller_words="", is_stale=is_stale)


def call(**changes: Any) -> CallSeen:
    """Two questions, two answers, a goodbye; every gap is a second."""
    lines = (line(MINUTES, 0, 2000), line(OWN, 5000, 7000), line(BOOKED, 10_000, 14_000))
    made = CallSeen(
        call_id="c1",
        answered_at_s=ANSWERED_S,
        ended_ms=15_000,
        lines=lines,
        said=(utterance(YES, 3000, 4000), utterance(OURS, 8000, 9000)),
        streams=(stream(0, 15_000),),
        agent_sounds=tuple(line.span for line in lines),
        turns=(
            turn(1, "permission", at_ms=10, kind="opening"),
            turn(2, "homeowner", YES, 5000),
            turn(3, "booked", OURS, 10_000),
        ),
        outcome="appointment",
        workflow_status="COMPLETED",
    )
    return replace(made, **changes)


def broken_call(*, asks: AgentLine, **changes: Any) -> CallSeen:
    """The stream breaks at 6 s, while the agent asks for the house; another begins at 6.1 s, and asks this."""
    lines = (line(MINUTES, 0, 2000), line(OWN, 5000, 6000, "Do you own"), asks)
    return call(
        lines=lines,
        agent_sounds=tuple(line.span for line in lines),
        said=(utterance(YES, 3000, 4000),),
        streams=(stream(0, 6030, is_broken=True), stream(6100, 15_000)),
        **changes,
    )


def strike(at_ms: float, until_ms: float | None = None) -> Strike:
    until_s = None if until_ms is None else ANSWERED_S + until_ms / 1000
    return Strike(what="kill", at_s=ANSWERED_S + at_ms / 1000, until_s=until_s)
