"""PURE. In what two runs over the same caller differ: answers sooner or later, cut-ins, and how often each command was given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from callspine.turn_story import Reply, Sound, Story
from media_gateway.turns.types import Ms

CUT_IN_WITHIN_MS = 1500
"""A caller who speaks again this soon after an answer began had not finished: the record cannot tell it from an
interruption that he meant."""


@dataclass(frozen=True, kw_only=True)
class PauseAnswered:
    """One pause of the caller, and when each run's answer began in it: milliseconds after his last sound."""

    stop: Ms
    resume: Ms | None
    """When he was heard again; None: not any more."""
    before_ms: int | None
    after_ms: int | None
    cut_in_before: bool
    cut_in_after: bool

    @property
    def sooner_ms(self) -> int | None:
        """How much sooner the other run answers; None unless both do."""
        if self.before_ms is None or self.after_ms is None:
            return None
        return self.before_ms - self.after_ms


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs side by side."""

    pauses: tuple[PauseAnswered, ...]
    """Those in which an answer begins in either run."""
    commands: Mapping[str, tuple[int, int]]
    """How often each was given, in the one run and in the other."""

    @property
    def answered(self) -> tuple[PauseAnswered, ...]:
        """In both runs."""
        return tuple(pause for pause in self.pauses if pause.sooner_ms is not None)

    @property
    def median_sooner_ms(self) -> int | None:
        """Of the answers that both runs give."""
        sooner = [
            pause.before_ms - pause.after_ms
            for pause in self.pauses
            if pause.before_ms is not None and pause.after_ms is not None
        ]
        return int(median(sooner)) if sooner else None

    @property
    def new_cut_ins(self) -> tuple[PauseAnswered, ...]:
        """Only in the other run."""
        return tuple(p for p in self.pauses if p.cut_in_after and not p.cut_in_before)

    @property
    def spared_cut_ins(self) -> tuple[PauseAnswered, ...]:
        """Only in the one run."""
        return tuple(p for p in self.pauses if p.cut_in_before and not p.cut_in_after)


def compare(before: Story, after: Story) -> Comparison:
    """Lay two runs over the same caller side by side."""
    sounds = [sound for sound in before.sounds if not sound.is_faint]
    pauses = []
    for number, sound in enumerate(sounds):
        resume = sounds[number + 1].start if number + 1 < len(sounds) else None
        first, second = (_answer(story, sound, resume) for story in (before, after))
        if first is None and second is None:
            continue
        pauses.append(
            PauseAnswered(
                stop=sound.end,
                resume=resume,
                before_ms=_gap(first, sound),
                after_ms=_gap(second, sound),
                cut_in_before=_is_cut_in(first, sound, resume),
                cut_in_after=_is_cut_in(second, sound, resume),
            )
        )
    one, other = before.count(), after.count()
    return Comparison(
        pauses=tuple(pauses),
        commands={name: (one[name], other[name]) for name in sorted(one | other)},
    )


def gaps_ms(story: Story) -> Sequence[int]:
    """From each last sound of the caller to the answer that follows it."""
    return [
        pause.before_ms for pause in compare(story, story).pauses if pause.before_ms is not None
    ]


def _answer(story: Story, sound: Sound, resume: Ms | None) -> Reply | None:
    """The first reply to his words that begins in the pause after a sound."""
    for reply in story.replies:
        if (
            reply.kind == "BeginReply"
            and reply.started is not None
            and sound.end <= reply.started
            and (resume is None or reply.started < resume)
        ):
            return reply
    return None


def _gap(reply: Reply | None, sound: Sound) -> int | None:
    return None if reply is None or reply.started is None else reply.started - sound.end


def _is_cut_in(reply: Reply | None, sound: Sound, resume: Ms | None) -> bool:
    """The agent began, and he went on as if he had not been done."""
    if reply is None or reply.started is None or resume is None:
        return False
    is_audible = reply.ended is None or reply.ended >= resume
    return is_audible and resume - reply.started <= CUT_IN_WITHIN_MS
