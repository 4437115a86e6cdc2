"""Tells one call's ear what audio cannot know: the words so far, what was asked, whether the agent speaks. Only changes."""

from __future__ import annotations

from collections.abc import Sequence

from media_gateway.ears.expectation import expectation
from media_gateway.ears.ports import Ear, Expectation
from workflows.script.machine import next_question
from workflows.script.model import Script
from workflows.script.state import ScriptState


class EarBriefing:
    """What the ear was told last. Cheap to repeat."""

    def __init__(self, ear: Ear, script: Script) -> None:
        self._ear = ear
        self._script = script
        self._words = ("", True)
        self._asked: tuple[Expectation, str] | None = None
        self._agent_speaks = False
        self._pauses_ms: tuple[int, ...] = ()

    def words(self, text: str, *, are_final: bool) -> None:
        """The caller's words that no reply has answered; none: a new turn begins."""
        known = (text, are_final or not text)
        if known != self._words:
            self._words = known
            self._ear.words(text, is_final=known[1])

    def asked(self, state: ScriptState) -> None:
        """The agent's turn leaves the script here: its next question is what the caller answers."""
        question = next_question(self._script, state)
        known = (expectation(self._script, state, question), question)
        if known != self._asked:
            self._asked = known
            self._ear.expect(*known)

    def agent_speaks(self, is_speaking: bool) -> None:
        """Whether the agent's audio plays."""
        if is_speaking != self._agent_speaks:
            self._agent_speaks = is_speaking
            self._ear.agent_speaks(is_speaking)

    def habits(self, pauses_ms: Sequence[int]) -> None:
        """The caller's own pauses within his turns so far."""
        known = tuple(pauses_ms)
        if known != self._pauses_ms:
            self._pauses_ms = known
            self._ear.habits(known)
