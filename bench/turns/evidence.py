"""PURE. What an act came to, from the record of the line alone: what was sent when, what was played, when `clear` came."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.turns.record import FRAME_MS, Act, Kind, Record
from bench.turns.stamps import FRAME, Run, is_audible, runs
from bench.turns.truth import AgentWord

SPEAKING_MS = 100
"""The agent speaks when it was heard so shortly before."""
LEFT_MS = 800
"""Of a reply, at least, for a sound over it to be judged."""
BREATH_MS = 160
"""Silence inside a reply that is a stop is longer."""
EDGE_MS = 60
"""A word that lacks less may be called heard or not."""
CLIPPED_MS = 30
"""A word that lacks more was not heard whole."""
_NUMBER = re.compile(r"[1-9]\d{2,4}")
"""In each reply of the model's there is one, and another in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Of an answer or an interruption."""

    act: Act
    latency_ms: float | None
    """From the last sound to the agent's first; None when there was none, or the agent spoke already."""
    talked_over: bool
    """The agent began before the caller was done."""
    pauses_cut: tuple[bool, ...] = ()
    """For each pause, whether the agent began in it or before the next breath was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """Of words over the agent that want the floor."""

    act: Act
    clear_ms: float | None
    """From the first sound to `clear`; None when none came."""
    heard_after_ms: int
    """Of the reply, after the first sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenOver:
    """Of a sound over the agent that wants nothing."""

    act: Act
    is_whole: bool
    """Every word of the reply was heard to its end, or would have been."""
    missing: tuple[str, ...]
    """Words of the reply that were never heard whole."""
    repeated_ms: int
    gap_ms: int
    """The longest silence in the reply from the sound on; 0: it was not stopped."""
    resumed_ms: float | None
    """From the sound's end to the agent again, where it was stopped."""


@dataclass(slots=True, kw_only=True)
class Judged:
    """One call."""

    answers: list[Answered] = field(default_factory=list)
    interruptions: list[Interrupted] = field(default_factory=list)
    spoken_over: list[SpokenOver] = field(default_factory=list)
    uncalled_clears: int = 0
    """`clear` without a sound of the caller's in the three seconds before."""


def judge(record: Record, acts: Sequence[Act], words: Mapping[int, AgentWord]) -> Judged:
    """Every act of a call."""
    audible = [
        is_audible(bytes(record.played[at : at + FRAME]))
        for at in range(0, len(record.played), FRAME)
    ]
    heard = [run for run in runs(bytes(record.played)) if run.word in words]
    contexts: dict[str, list[AgentWord]] = {}
    for word in words.values():
        contexts.setdefault(word.context, []).append(word)
    found = Judged()
    for number, act in enumerate(acts):
        is_last = number == len(acts) - 1
        until_ms = len(audible) * FRAME_MS if is_last else acts[number + 1].first_ms
        if act.kind is Kind.ANSWER:
            found.answers.append(_answered(record, act, audible, until_ms))
            continue
        if not _speaks(audible, act.first_ms - FRAME_MS):
            continue
        between_ms = (acts[number - 1].last_ms if number else 0, until_ms)
        if act.kind is Kind.INTERRUPTION:
            found.interruptions.append(_interrupted(record, act, heard, words, between_ms))
        elif (over := _spoken_over(record, act, heard, words, contexts, between_ms)) is not None:
            found.spoken_over.append(over)
    found.uncalled_clears = sum(_is_uncalled(record, at_s, acts) for at_s in record.clears_s)
    return found


def _answered(record: Record, act: Act, audible: Sequence[bool], until_ms: int) -> Answered:
    cut = tuple(
        _any(audible, act.parts_ms[i][1], act.parts_ms[i + 1][1])
        for i in range(len(act.parts_ms) - 1)
    )
    talked_over = _any(audible, act.first_ms, act.last_ms)
    first = next(
        (
            at
            for at in range(
                max(0, act.last_ms // FRAME_MS - 1), min(len(audible), until_ms // FRAME_MS)
            )
            if audible[at]
        ),
        None,
    )
    latency = None
    if first is not None and not talked_over:
        latency = 1000 * (record.agent_s(first * FRAME_MS) - record.caller_s(act.last_ms))
    return Answered(act=act, latency_ms=latency, talked_over=talked_over, pauses_cut=cut)


def _interrupted(
    record: Record,
    act: Act,
    heard: Sequence[Run],
    words: Mapping[int, AgentWord],
    between_ms: tuple[int, int],
) -> Interrupted:
    since_ms, until_ms = between_ms
    first_s, until_s = record.caller_s(act.first_ms), record.caller_s(until_ms)
    clear = next((at for at in record.clears_s if first_s <= at < until_s), None)
    from_ms = act.first_ms - FRAME_MS
    spoken = {words[run.word].context for run in heard if since_ms <= run.at_ms < from_ms}
    after = sum(
        round(min(run.ms, run.at_ms + run.ms - from_ms))
        for run in heard
        if words[run.word].context in spoken
        and from_ms < run.at_ms + run.ms
        and run.at_ms < until_ms
    )
    return Interrupted(
        act=act,
        clear_ms=None if clear is None else 1000 * (clear - first_s),
        heard_after_ms=after,
    )


def _spoken_over(
    record: Record,
    act: Act,
    heard: Sequence[Run],
    words: Mapping[int, AgentWord],
    contexts: Mapping[str, Sequence[AgentWord]],
    between_ms: tuple[int, int],
) -> SpokenOver | None:
    from_ms = act.first_ms - FRAME_MS
    own = [run for run in heard if between_ms[0] <= run.at_ms < between_ms[1]]
    if not own:
        return None
    # An opener is another request of the voice than what follows it: the reply is both.
    spoken = dict.fromkeys(words[run.word].context for run in own)
    reply = [word for context in spoken for word in contexts[context]]
    played_ms = sum(run.ms for run in own if run.at_ms <= from_ms)
    if sum(word.ms for word in reply) - played_ms < LEFT_MS:
        return None
    longest = {run.word: 0 for run in own}
    for run in own:
        longest[run.word] = max(longest[run.word], run.ms)
    missing = tuple(
        word.text for word in reply if longest.get(word.number, 0) < word.ms - CLIPPED_MS
    )
    repeated = sum(run.ms for run in own) - sum(
        min(word.ms, longest.get(word.number, 0)) for word in reply
    )
    gap, resumed_at = _gap(own, from_ms)
    resumed = None
    if gap and resumed_at is not None:
        resumed = max(0.0, 1000 * (record.agent_s(resumed_at) - record.caller_s(act.last_ms)))
    return SpokenOver(
        act=act,
        is_whole=not missing,
        missing=missing,
        repeated_ms=max(0, repeated),
        gap_ms=gap,
        resumed_ms=resumed,
    )


def _gap(own: Sequence[Run], from_ms: int) -> tuple[int, float | None]:
    """The longest stop after this time, and when the reply went on after the first one."""
    longest, resumed_at = 0, None
    for one, two in pairwise(own):
        gap = round(two.at_ms - one.at_ms - one.ms)
        if one.at_ms + one.ms > from_ms and gap > BREATH_MS:
            longest = max(longest, gap)
            resumed_at = two.at_ms if resumed_at is None else resumed_at
    return longest, resumed_at


def _is_uncalled(record: Record, at_s: float, acts: Sequence[Act]) -> bool:
    return not any(
        record.caller_s(first) <= at_s <= record.caller_s(last) + 3.0
        for act in acts
        for first, last in act.parts_ms
    )


def _speaks(audible: Sequence[bool], at_ms: int) -> bool:
    at = at_ms // FRAME_MS
    return any(audible[max(0, at - SPEAKING_MS // FRAME_MS) : at + 1])


def _any(audible: Sequence[bool], from_ms: int, to_ms: int) -> bool:
    """Whether the agent was heard while the caller's stream went from one ms to the other: it is played one frame later."""
    return any(audible[max(0, from_ms // FRAME_MS) : max(0, to_ms // FRAME_MS - 1)])


# --- the heard-ledger ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the gateway says was heard of one reply."""

    reply_words: str
    heard_words: str
    interrupted: bool


def ledger_errors(
    record: Record, claims: Sequence[Claim], words: Mapping[int, AgentWord]
) -> list[int | None]:
    """For each interrupted reply of the model's, in words: claimed less heard whole; None where it cannot be told.

    A reply is known by the number in it, which no other has.
    """
    best: dict[int, int] = {}
    order: list[AgentWord] = []
    """As they were heard; one that was said again stands there again."""
    for run in runs(bytes(record.played)):
        if run.word in words:
            best[run.word] = max(best.get(run.word, 0), run.ms)
            if not order or order[-1].number != run.word:
                order.append(words[run.word])
    by_number: dict[str, str] = {}
    for word in words.values():
        if _NUMBER.fullmatch(word.text):
            by_number.setdefault(word.text, word.context)
    errors: list[int | None] = []
    for claim in claims:
        numbers = [word for word in claim.reply_words.split() if _NUMBER.fullmatch(word)]
        if not claim.interrupted or not numbers:
            continue
        context = by_number.get(numbers[0], "")
        heard = list(dict.fromkeys(word for word in order if word.context == context))
        least = sum(best[word.number] >= word.ms for word in heard)
        most = sum(best[word.number] >= word.ms - EDGE_MS for word in heard)
        claimed = len(claim.heard_words.split())
        if not heard:
            errors.append(None if claimed else 0)
            continue
        asked = sum(word.context == context for word in words.values())
        before = _opener(claim.reply_words.split(), asked, heard[0], order)
        claimed -= before
        errors.append(claimed - min(max(claimed, least), most))
    return errors


def _opener(reply: Sequence[str], asked: int, first: AgentWord, order: Sequence[AgentWord]) -> int:
    """Words before those asked of the voice in one go: another request had spoken them. Heard, if they came right before."""
    count = max(0, len(reply) - asked)
    at = order.index(first)
    came = [word.text for word in order[max(0, at - count) : at]]
    return count if came == list(reply[:count]) else 0
