"""PURE. How the agent's side would perform a reply that another policy asks for: as recorded where it was, else the median.

A reply of the record stands for one of the other run when it answers the same words at about the same time, or else was
begun at about the same time. What the record cannot know is assumed, and marked so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from statistics import median

from callspine.turn_story import Reply, Story
from media_gateway.turns.types import Event, Ms, ReplyStarted

SAME_WORDS_WITHIN_MS, NEAR_WITHIN_MS = 10_000, 3000
HELD_MS = 30
"""A reply that was begun ahead and is heard this soon after it was let out had been ready before: nobody knows since when."""
LATENCY_MS, AUDIBLE_MS, AFTER_FALLBACK_MS = 900, 3000, 500
"""Where the record holds no reply to learn from."""


@dataclass(frozen=True, kw_only=True)
class Performance:
    """One reply's figures."""

    latency_ms: int | None
    """From its begin to its first audio; None: only the fallback made it speak."""
    after_fallback_ms: int
    audible_ms: int
    """0: it says nothing."""
    fails_ms: tuple[int, ...] = ()
    """Since its begin, before any audio."""
    news: tuple[tuple[int, Event], ...] = ()
    """(ms since its begin, event)."""
    marks: tuple[tuple[int, Event], ...] = ((0, ReplyStarted(reply_id=0, interruptible=True)),)
    """(audible ms before it, event), the first of which is its start."""
    breaks_off: bool = False
    ends_call: bool = False
    assumed: tuple[str, ...] = ()
    """Which of these are not recorded."""
    source: int = 0
    """The recorded reply's id; 0: none."""


class Performances:
    """The record's replies, each of which stands for one at most."""

    def __init__(self, story: Story) -> None:
        self._free = {
            reply.reply_id: reply
            for reply in story.replies
            if reply.started is not None or reply.how == "played" or reply.failed
        }
        known = [reply for reply in self._free.values() if reply.kind == "BeginReply"]
        self._latency_ms = _median([_own_latency(reply) for reply in known], LATENCY_MS)
        self._audible_ms = _median([_whole_ms(reply) for reply in known], AUDIBLE_MS)
        self._after_fallback_ms = _median(
            [
                reply.started - reply.fell_back
                for reply in known
                if reply.started is not None and reply.fell_back is not None
            ],
            AFTER_FALLBACK_MS,
        )
        self._taken: dict[int, Reply] = {}

    def take(self, kind: str, words: str, now: Ms) -> Performance:
        """How a reply of this kind, begun now, goes."""
        near = sorted(
            (abs(reply.opened - now), reply.reply_id)
            for reply in self._free.values()
            if reply.kind == kind
        )
        said = plain(words)
        for distance_ms, reply_id in near:
            if distance_ms <= SAME_WORDS_WITHIN_MS and plain(self._free[reply_id].words) == said:
                return self._of(reply_id)
        if near and near[0][0] <= NEAR_WITHIN_MS:
            return self._of(near[0][1])
        return Performance(
            latency_ms=self._latency_ms,
            after_fallback_ms=self._after_fallback_ms,
            audible_ms=self._audible_ms,
            assumed=("latency", "length"),
        )

    def give_back(self, performance: Performance) -> None:
        """It was never heard: the recorded reply may stand for another one."""
        if (reply := self._taken.pop(performance.source, None)) is not None:
            self._free[reply.reply_id] = reply

    def _of(self, reply_id: int) -> Performance:
        reply = self._taken[reply_id] = self._free.pop(reply_id)
        assumed = []
        latency_ms = _own_latency(reply)
        if latency_ms is None and reply.started is not None and reply.fell_back is None:
            # It was ready before it was let out: at the latest then, and no later than others are.
            latency_ms = min(self._latency_ms, reply.started - reply.opened)
            assumed.append("latency")
        audible_ms = _whole_ms(reply)
        if audible_ms is None:
            audible_ms = max(self._audible_ms, reply.audible_ms(reply.ended or reply.opened))
            assumed.append("length")
        performance = Performance(
            latency_ms=latency_ms,
            after_fallback_ms=self._after_fallback_ms,
            audible_ms=audible_ms,
            fails_ms=tuple(at - reply.opened for at in reply.failed),
            news=tuple(reply.news),
            breaks_off=reply.how == "failed",
            ends_call=reply.ends_call,
            assumed=tuple(assumed),
            source=reply.reply_id,
        )
        if reply.marks:
            performance = replace(performance, marks=tuple(reply.marks))
        if reply.started is not None and reply.fell_back is not None:
            own_ms = reply.started - reply.fell_back
            performance = replace(performance, after_fallback_ms=own_ms)
        return performance


def plain(words: str) -> tuple[str, ...]:
    """Words without capitals and punctuation."""
    return tuple(re.findall(r"\w+", words.lower()))


def _own_latency(reply: Reply) -> int | None:
    """From begin to first audio; None where it was held or only its fallback spoke."""
    if reply.started is None:
        return None if reply.ended is None or reply.how != "played" else reply.ended - reply.opened
    if reply.fell_back is not None:
        return None
    was_held = (
        reply.is_ahead
        and reply.committed is not None
        and reply.started - reply.committed <= HELD_MS
    )
    return None if was_held or reply.unheard_before_start else reply.started - reply.opened


def _whole_ms(reply: Reply) -> int | None:
    """How long all of it is; None where the record does not know."""
    heard_ms = reply.audible_ms(reply.ended or reply.opened)
    if reply.how in ("played", "failed"):
        return heard_ms
    if reply.unheard is not None and reply.unheard.is_whole and reply.started is not None:
        return heard_ms + reply.unheard.unheard_ms
    return None


def _median(values: list[int | None], default: int) -> int:
    known = [value for value in values if value is not None]
    return int(median(known)) if known else default
