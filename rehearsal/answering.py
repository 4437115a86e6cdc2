"""PURE. A caller that answers what it is asked, as often as it is asked. Knows only what is on the line.

It understands the agent by an `Ear`: words whose audio did not arrive were not said. So it can be asked again after a
break, and what it understood, and when, is the truest account of what a caller heard.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from rehearsal.audio import Samples, level, to_mulaw
from rehearsal.caller import FRAME, FRAME_MS, LOUD, Act, HungUp, Said, Understood
from rehearsal.ear import Ear, PhraseBook
from rehearsal.timeline import Timeline

_SILENCE: Samples = np.zeros(FRAME, dtype=np.float32)


class AnsweringCaller:
    """One caller on one call. `hear` is called once a frame, for the whole call."""

    def __init__(
        self, timeline: Timeline, voice: Callable[[str], Samples], book: PhraseBook
    ) -> None:
        self._timeline = timeline
        self._voice = voice
        self._ear = Ear(book)
        self._now_ms = 0
        self._quiet_since_ms = 0
        self._understood: list[Understood] = []
        """Since the caller's last utterance began."""
        self._last_reply = ""
        self._speaking: Samples = _SILENCE[:0]
        self._is_speaking = False
        self._said = 0

    def hear(self, agent: Samples) -> tuple[Samples, list[Act]]:
        """The agent's frame in, the caller's frame and what it does out."""
        acts: list[Act] = [*self._listen(agent)]
        if self._is_speaking and not len(self._speaking):
            self._is_speaking = False
            self._quiet_since_ms = max(self._quiet_since_ms, self._now_ms)
        quiet_ms = self._now_ms - self._quiet_since_ms
        if not self._is_speaking and quiet_ms >= self._timeline.reply_after_ms:
            acts += self._reply()
        if not self._is_speaking and quiet_ms >= self._timeline.patience_ms:
            acts.append(HungUp(reason="nothing was heard"))
        self._now_ms += FRAME_MS
        return self._frame(), acts

    def _listen(self, agent: Samples) -> list[Understood]:
        if level(agent) >= LOUD:
            self._quiet_since_ms = self._now_ms + FRAME_MS
        heard = self._ear.hear(to_mulaw(agent))
        if heard is None:
            return []
        length_ms = (heard.to - heard.from_ + heard.stalled) * FRAME_MS
        ended_ms = self._now_ms - heard.ago * FRAME_MS
        understood = Understood(
            words=heard.words,
            phrase=heard.phrase.words if heard.is_certain else "",
            began_ms=ended_ms - length_ms,
            ended_ms=ended_ms,
            stalled_ms=heard.stalled * FRAME_MS,
        )
        self._understood.append(understood)
        return [understood]

    def _reply(self) -> list[Act]:
        words = self._what_to_say()
        self._understood.clear()
        if not words:
            return []
        self._last_reply = words
        self._speaking, self._is_speaking = self._voice(words), True
        self._said += 1
        return [Said(step=self._said - 1, words=words)]

    def _what_to_say(self) -> str:
        """The answer to what was asked last; nothing when no question was heard."""
        for understood in reversed(self._understood):
            for reply in self._timeline.replies:
                if re.search(reply.to, understood.words, re.IGNORECASE):
                    return reply.say or self._last_reply
        return ""

    def _frame(self) -> Samples:
        frame, self._speaking = self._speaking[:FRAME], self._speaking[FRAME:]
        return np.concatenate((frame, _SILENCE[len(frame) :]))
