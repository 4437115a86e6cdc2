"""PURE. What the wire and the history say about a call that was broken: lost or not, asked twice, silent for how long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from bench.report import quantile
from chaos.questions import Questions
from chaos.seen import CallerUtterance, CallSeen, Strike

BREAK_WITHIN_MS = 1500.0
"""A stream that ends this soon after a strike was ended by it."""
BREATH_MS = 400
"""Silence between sentences of one utterance."""
AUDIBLE_MS = 200
"""A question of which less was heard was not asked yet."""
SETTLED_MS = 50
"""Between a signal's arrival and the gateway's knowledge of it: what began earlier was no second question."""


class Phase(StrEnum):
    """What was going on on the line."""

    AGENT = "agent speaks"
    CALLER = "caller speaks"
    BETWEEN = "between turns"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A strike that ended a call's media stream."""

    call_id: str
    phase: Phase
    audible_after_ms: float | None
    """From the strike to the agent's next sound on the line; None when it never came."""
    stage_before: str
    """Of the last question that the caller heard before it."""
    asked_after_ms: float | None
    """From the strike to the next question that the caller heard to its end; None when there was none."""
    stage_after: str
    """Of that question; empty when there was none."""
    was_over: bool
    """The script had reached its end: no more than a hang-up was to come."""


def is_reached(call: CallSeen) -> bool:
    """The call came to the outcome that it would have come to without any fault."""
    return call.outcome == "appointment" and call.workflow_status == "COMPLETED"


def ended_properly(call: CallSeen) -> bool:
    """Whatever its outcome: the workflow is finished, and nobody is on the line."""
    return call.workflow_status == "COMPLETED" and call.is_over_at_carrier


def phase_at(call: CallSeen, at_ms: float) -> Phase:
    """Who spoke at a moment."""
    if any(s.span.start_ms <= at_ms < s.span.end_ms for s in call.said):
        return Phase.CALLER
    before = [sound for sound in call.agent_sounds if sound.start_ms <= at_ms]
    after = [sound for sound in call.agent_sounds if sound.start_ms > at_ms]
    if before and at_ms < before[-1].end_ms + 40:
        return Phase.AGENT
    is_breath = before and after and after[0].start_ms - before[-1].end_ms <= BREATH_MS
    return Phase.AGENT if is_breath else Phase.BETWEEN


def breaks(call: CallSeen, strikes: Iterable[Strike], questions: Questions) -> list[Break]:
    """The strikes that ended this call's stream, with what came of each."""
    if call.answered_at_s is None:
        return []
    found = []
    for strike in strikes:
        at_ms = call.since_answer_ms(strike.at_s)
        ended_ms = [
            stream.ended_ms
            for stream in call.streams
            if stream.began_ms < at_ms <= stream.ended_ms + 20
            and stream.ended_ms < at_ms + BREAK_WITHIN_MS
            and stream.ended_ms < call.ended_ms - 1
        ]
        if ended_ms:
            found.append(_break(call, at_ms, ended_ms[0], questions))
    return found


def _break(call: CallSeen, at_ms: float, ended_ms: float, questions: Questions) -> Break:
    heard = [sound for sound in call.agent_sounds if sound.start_ms >= ended_ms - 20]
    before = [
        stage
        for line in call.lines
        if line.span.start_ms < at_ms
        and min(line.span.end_ms, at_ms) - line.span.start_ms >= AUDIBLE_MS
        and (stage := questions.stage(line.phrase))
    ]
    after = [
        (line, stage)
        for line in call.lines
        if line.span.start_ms >= ended_ms - 20
        and line.is_whole
        and (stage := questions.stage(line.phrase))
    ]
    last = before[-1] if before else ""
    return Break(
        call_id=call.call_id,
        phase=phase_at(call, at_ms),
        audible_after_ms=heard[0].start_ms - at_ms if heard else None,
        stage_before=last,
        asked_after_ms=after[0][0].span.start_ms - at_ms if after else None,
        stage_after=after[0][1] if after else "",
        was_over=is_reached(call) and not after and last == call.turns[-1].stage,
    )


def keeps_stage(broken: Break, questions: Questions) -> bool:
    """It went on where the caller was, at the question that was heard last or behind it: never back."""
    if broken.was_over:
        return True
    if not broken.stage_after:
        return False
    before = questions.rank(broken.stage_before) if broken.stage_before else 0
    return before <= questions.rank(broken.stage_after)


def asked_twice(call: CallSeen, questions: Questions) -> list[str]:
    """Questions that began on the line when the workflow had already recorded the answer and gone on."""
    found = []
    for line in call.lines:
        stage = questions.stage(line.phrase)
        if stage is None:
            continue
        recorded = [
            turn
            for turn in call.turns
            if turn.at_ms is not None and turn.at_ms < line.span.start_ms - SETTLED_MS
        ]
        if recorded and questions.rank(stage) < questions.rank(recorded[-1].stage):
            found.append(line.phrase)
    return found


def cut_lines(call: CallSeen, strikes: Sequence[Strike]) -> list[str]:
    """Lines of the agent that broke off during a strike though the caller was silent."""
    if call.answered_at_s is None:
        return []
    found = []
    for strike in strikes:
        from_ms = call.since_answer_ms(strike.at_s)
        to_ms = call.since_answer_ms(strike.until_s or strike.at_s) + BREAK_WITHIN_MS
        found += [
            line.phrase
            for line in call.lines
            if from_ms <= line.span.end_ms <= to_ms
            and not line.is_whole
            and not any(said.span.overlap_ms(line.span) for said in call.said)
        ]
    return found


def has_gaps(call: CallSeen) -> bool:
    """Whether turns are missing or doubled in the workflow's record."""
    return [turn.seq for turn in call.turns] != list(range(1, len(call.turns) + 1))


def words_lost(call: CallSeen) -> int:
    """Words of the caller's utterances that no recorded turn holds."""
    recorded = [turn.caller_words for turn in call.turns if turn.caller_words]
    lost = 0
    text = " " + " ".join(_words(" ".join(recorded))) + " "
    at = 0
    for utterance in call.said:
        wanted = _words(utterance.words)
        found = text.find(" " + " ".join(wanted) + " ", at)
        if found < 0:
            lost += len(wanted)
        else:
            at = found + len(" ".join(wanted)) + 1
    return lost


def words_doubled(call: CallSeen) -> int:
    """Words that the record holds and the caller never said."""
    recorded = sum(len(_words(turn.caller_words)) for turn in call.turns)
    return max(0, recorded - sum(len(_words(utterance.words)) for utterance in call.said))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """From the caller's last sound to the agent's first."""

    words: str
    """What the caller had said: gaps are compared between like turns."""
    from_ms: float
    ms: float


def gaps_of(call: CallSeen) -> list[Gap]:
    """One for each utterance that was answered on the same stream."""
    found = []
    following: list[CallerUtterance | None] = [*call.said, None]
    for utterance, after in pairwise(following):
        if utterance is None:
            break
        end_ms = utterance.span.end_ms
        starts_ms = [s.start_ms for s in call.agent_sounds if s.start_ms >= end_ms]
        if not starts_ms or (after is not None and starts_ms[0] > after.span.start_ms):
            continue
        if any(
            stream.began_ms <= end_ms and starts_ms[0] <= stream.ended_ms for stream in call.streams
        ):
            found.append(Gap(words=utterance.words, from_ms=end_ms, ms=starts_ms[0] - end_ms))
    return found


def usual_gaps(calls: Sequence[CallSeen]) -> dict[str, float]:
    """The median gap behind each of the caller's sentences, in calls that nothing was done to."""
    by_words: dict[str, list[float]] = {}
    for call in calls:
        for gap in gaps_of(call):
            by_words.setdefault(gap.words, []).append(gap.ms)
    return {words: quantile(gaps, 0.5) for words, gaps in by_words.items()}


def growth_ms(
    call: CallSeen, usual: Mapping[str, float], strikes: Sequence[Strike] = (), *, struck: bool
) -> list[float]:
    """How much longer each turn took than usual: of turns that fall into a strike or end in it, or of all others."""
    if call.answered_at_s is None:
        return []
    grown = []
    for gap in gaps_of(call):
        within = any(
            gap.from_ms + gap.ms >= call.since_answer_ms(strike.at_s)
            and gap.from_ms <= call.since_answer_ms(strike.until_s or strike.at_s)
            for strike in strikes
        )
        if within is struck and gap.words in usual:
            grown.append(gap.ms - usual[gap.words])
    return grown


def stale_accepted(call: CallSeen) -> int:
    """Turns of a stream that no longer owned the call, and that count nevertheless."""
    return sum(turn.is_stale for turn in call.turns)


def stale_sent(call: CallSeen) -> int:
    """Turns that came from a stream which no longer owned the call."""
    return sum(signal.is_stale for signal in call.signals)


_RANK = {"": 0, "queued": 1, "initiated": 2, "ringing": 3, "in-progress": 4}


def regressions(statuses: Sequence[str]) -> int:
    """How often a call's status went back, or changed after its end."""
    ranks = [_RANK.get(status, 5) for status in statuses]
    went_back = sum(later < earlier for earlier, later in pairwise(ranks))
    finals = {status for status in statuses if _RANK.get(status, 5) == 5}
    return went_back + max(0, len(finals) - 1)
