"""PURE. The simulated caller: hears the agent's audio frame by frame, answers with its own. Knows only what is on the line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rehearsal.audio import LINE_HZ, Samples, level
from rehearsal.timeline import Pause, Step, Timeline

FRAME_MS = 20
FRAME = LINE_HZ * FRAME_MS // 1000
LOUD = 0.01
_SILENCE: Samples = np.zeros(FRAME, dtype=np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An utterance began."""

    step: int
    words: str
    is_murmur: bool = False
    """Over the agent, and without wanting the floor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A key was pressed."""

    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HungUp:
    """The caller put the telephone down."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Understood:
    """Something that the agent said was heard to its end, or to where it broke off. Times are the recording's."""

    words: str
    phrase: str
    """All of what the agent was saying; empty where it broke off before that was clear."""
    began_ms: int
    ended_ms: int
    stalled_ms: int
    """Silence within it that is no part of it."""


Act = Said | Pressed | HungUp | Understood


class SimulatedCaller:
    """One caller on one call. `hear` is called once a frame, for the whole call."""

    def __init__(self, timeline: Timeline, voice: Callable[[str], Samples]) -> None:
        self._timeline = timeline
        self._voice = voice
        self._now_ms = 0
        self._step = 0
        self._agent_began_ms: int | None = None
        """Since the caller's last utterance."""
        self._agent_loud_ms = 0
        self._quiet_since_ms = 0
        self._speaking: Samples = _SILENCE[:0]
        self._current: Step | None = None
        self._began_ms = 0

    def hear(self, agent: Samples) -> tuple[Samples, list[Act]]:
        """The agent's frame in, the caller's frame and what it does out."""
        self._listen(agent)
        acts: list[Act] = []
        if self._current is None and self._is_due():
            acts += self._begin(self._timeline.steps[self._step])
        acts += self._end()
        quiet_ms = self._now_ms - self._quiet_since_ms
        if self._current is None and quiet_ms >= self._timeline.patience_ms:
            acts.append(HungUp(reason="nothing was heard"))
        self._now_ms += FRAME_MS
        return self._frame(), acts

    def _listen(self, agent: Samples) -> None:
        if level(agent) >= LOUD:
            self._quiet_since_ms = self._now_ms + FRAME_MS
            self._agent_loud_ms += FRAME_MS
            if self._agent_began_ms is None:
                self._agent_began_ms = self._now_ms
        if self._current is not None:
            self._quiet_since_ms = self._now_ms

    def _is_due(self) -> bool:
        if self._step >= len(self._timeline.steps) or self._agent_began_ms is None:
            return False
        step = self._timeline.steps[self._step]
        if step.interrupt_after_ms is not None:
            return self._now_ms - self._agent_began_ms >= step.interrupt_after_ms
        wait_ms = self._timeline.reply_after_ms + step.silent_ms
        # A click is no turn of the agent's.
        return self._agent_loud_ms >= 200 and self._now_ms - self._quiet_since_ms >= wait_ms

    def _begin(self, step: Step) -> list[Act]:
        self._current, self._began_ms = step, self._now_ms
        parts = [
            np.zeros(LINE_HZ * part.pause_ms // 1000, dtype=np.float32)
            if isinstance(part, Pause)
            else self._voice(part)
            for part in step.say
        ]
        self._speaking = np.concatenate([*parts, _SILENCE[:0]])
        words = " ".join("…" if isinstance(part, Pause) else part for part in step.say)
        said = Said(step=self._step, words=words, is_murmur=step.murmur)
        return [said] if words else []

    def _end(self) -> list[Act]:
        step = self._current
        if step is None:
            return []
        after_ms = step.hang_up_after_ms
        if after_ms is not None and self._now_ms - self._began_ms >= after_ms:
            self._current, self._speaking = None, _SILENCE[:0]
            self._step += 1
            return [HungUp(reason="in mid-sentence")]
        if len(self._speaking):
            return []
        self._current = None
        self._step += 1
        self._agent_began_ms, self._agent_loud_ms = None, 0
        self._quiet_since_ms = self._now_ms
        acts: list[Act] = [Pressed(digit=step.press)] if step.press else []
        if step.hang_up:
            acts.append(HungUp(reason="done"))
        return acts

    def _frame(self) -> Samples:
        frame, self._speaking = self._speaking[:FRAME], self._speaking[FRAME:]
        if len(frame) == FRAME:
            return frame
        return np.concatenate((frame, _SILENCE[len(frame) :]))
