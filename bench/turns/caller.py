"""The callers: what they say when, and over what. They answer the question that they hear, and some speak over the agent.

An act is kept as it happened; what came of it is judged afterwards, from the record alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.turns.call import Call
from bench.turns.record import Act, Kind
from bench.turns.sounds import PITCHES, Sound, Sounds
from bench.turns.stamps import runs
from bench.turns.truth import FAULTS_OF_A_CALL, CallTruth, Truth
from bench.turns.utterances import Book, Utterance, plain

TURN_OVER_MS = 500
"""Quiet after which a caller takes the agent to be done."""
ANSWER_WITHIN_S = 14.0
RESUME_WITHIN_MS = 4000
"""Quiet in the middle of a reply after which it was given up."""
LONGEST_REPLY_S = 40.0


@dataclass(slots=True, kw_only=True)
class Plan:
    """What callers do, as shares of the agent's replies."""

    interrupt: float = 0.25
    backchannel: float = 0.2
    noise: float = 0.2
    faults: float = 0.0
    """Of the utterances, something goes wrong on the line or with the recogniser."""
    acts_a_call: int = 12


@dataclass(slots=True)
class Caller:
    """One caller on one call."""

    call: Call
    side: CallTruth
    truth: Truth
    book: Book
    sounds: Sounds
    plan: Plan
    questions: dict[str, str]
    """Stage of each question as it sounds, in plain words."""
    chance: random.Random
    acts: list[Act] = field(default_factory=list)
    _pitch: float = 1.0
    _said: dict[str, int] = field(default_factory=dict)
    _has_background: bool = False

    async def talk(self, *, has_background: bool, is_enough: Callable[[], bool]) -> None:
        """From the agent's first words until the plan is done, enough was said by all callers, or the line is gone."""
        self._pitch, self._has_background = self.chance.choice(PITCHES), has_background
        if not await self._agent_begins(20.0):
            return
        await self._agent_ends()
        answers = 0
        while answers < self.plan.acts_a_call and not self.call.is_over and not is_enough():
            answers += 1
            await self._speak(Kind.ANSWER, self._answer())
            if not await self._agent_begins(ANSWER_WITHIN_S):
                continue
            await self._overlay()
            await self._agent_ends()

    async def _overlay(self) -> None:
        """Perhaps something over the reply that has just begun."""
        chance, plan = self.chance.random(), self.plan
        after_ms = self.chance.randrange(700, 1900)
        begins_ms = self.call.now_ms
        if not await self.call.until(lambda: self.call.now_ms >= begins_ms + after_ms, 10):
            return
        if self.call.quiet_ms > 0:
            return  # it was a short one
        if chance < plan.interrupt:
            await self._speak(Kind.INTERRUPTION, self.chance.choice(self.book.interruptions))
            await self._agent_begins(ANSWER_WITHIN_S)
        elif chance < plan.interrupt + plan.backchannel:
            await self._speak(Kind.BACKCHANNEL, self.chance.choice(self.book.backchannels))
        elif chance < plan.interrupt + plan.backchannel + plan.noise:
            what, sound = self.sounds.noise(self.chance)
            await self._make(Kind.NOISE, what, sound, ())

    async def _speak(self, kind: Kind, utterance: Utterance) -> None:
        sound = self.sounds.utterance(utterance, self._pitch)
        self.side.fault = ""
        if kind is Kind.ANSWER and self.chance.random() < self.plan.faults:
            self.side.fault = self.chance.choice(FAULTS_OF_A_CALL)
        whole = tuple(pause.is_whole for pause in utterance.pauses)
        await self._make(kind, utterance.utterance_id, sound, whole)

    async def _make(self, kind: Kind, what: str, sound: Sound, whole: tuple[bool, ...]) -> None:
        at_ms = self.call.say(sound)
        self.acts.append(
            Act(
                kind=kind,
                what=what,
                parts_ms=tuple((at_ms + a, at_ms + b) for a, b in sound.parts_ms),
                pauses_whole=whole,
                fault=self.side.fault,
                has_background=self._has_background,
            )
        )
        await self.call.said()

    async def _agent_begins(self, within_s: float) -> bool:
        return await self.call.until(lambda: self.call.quiet_ms == 0, within_s)

    async def _agent_ends(self) -> None:
        """Quiet, and nothing of the reply missing; or quiet for so long that nothing will come."""

        def is_over() -> bool:
            quiet_ms = self.call.quiet_ms
            return quiet_ms >= TURN_OVER_MS and (self._is_whole() or quiet_ms >= RESUME_WITHIN_MS)

        await self.call.until(is_over, LONGEST_REPLY_S)

    def _is_whole(self) -> bool:
        """Whether the words last heard are the last of what the voice was asked for."""
        heard = self._heard_last()
        return heard is None or self.truth.contexts[heard][-1].number == self._last_word()

    def _last_word(self) -> int:
        found = list(runs(bytes(self.call.record.played[-160 * 250 :])))
        return found[-1].word if found else 0

    def _heard_last(self) -> str | None:
        word = self.truth.agent_words.get(self._last_word())
        return None if word is None else word.context

    def _answer(self) -> Utterance:
        """An answer to the question that was heard last; each as often as the others."""
        stage = self._stage()
        fitting = [u for u in self.book.answers if u.stage in (stage, "any")]
        own = [u for u in fitting if u.stage == stage]
        pool = own if own and self.chance.random() < 0.8 else fitting
        least = min(self._said.get(u.utterance_id, 0) for u in pool)
        chosen = self.chance.choice([u for u in pool if self._said.get(u.utterance_id, 0) == least])
        self._said[chosen.utterance_id] = least + 1
        return chosen

    def _stage(self) -> str:
        played = bytes(self.call.record.played[-160 * 1500 :])
        heard = [
            self.truth.agent_words[r.word].text
            for r in runs(played)
            if r.word in self.truth.agent_words
        ]
        text = plain(" ".join(heard))
        at, stage = max(((text.rfind(q), s) for q, s in self.questions.items()), default=(-1, ""))
        return stage if at >= 0 else "any"
