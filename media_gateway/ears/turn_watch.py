"""PURE. What of the caller's turn the end-of-turn model is asked about, and when it is asked again."""

from __future__ import annotations

from collections.abc import Sequence

from media_gateway.ears.ports import Expectation, PauseCheck

FRESH_AFTER_MS = 1500
"""A sound without words that ended this long ago (a cough, a door) is no part of the turn that begins now."""
WATCHED_MS = 5000
"""Silence after which the question is settled, one way or the other."""


class TurnWatch:
    """One call's words, its scores, and what is stale of them."""

    def __init__(self) -> None:
        self.words = ""
        self.expectation = Expectation.FREE
        self.question = ""
        self.audio: float | None = None
        """Score of the sound before the present pause; None while he speaks."""
        self.text: float | None = None
        """Score of the words; None when they, or the question, have changed since."""
        self._is_final = False
        self._words_at_ms = 0
        self._began_ms: int | None = None
        self._pauses_ms: tuple[int, ...] = ()

    def hear_words(self, text: str, *, is_final: bool, now_ms: int, is_speaking: bool) -> bool:
        """Take the turn's words so far. False: nothing is new in them."""
        if text == self.words and is_final == self._is_final:
            return False
        if not text.strip():
            self.words, self._is_final, self.text = "", False, None
            self._began_ms = now_ms if is_speaking else None
            return False
        if text != self.words:
            self.text, self._words_at_ms = None, now_ms
        self.words, self._is_final = text, is_final
        return True

    def expect(self, expectation: Expectation, question: str) -> None:
        """What was asked last."""
        if (expectation, question) != (self.expectation, self.question):
            self.expectation, self.question, self.text = expectation, question, None

    def habits(self, pauses_ms: Sequence[int]) -> None:
        """The caller's pauses within turns so far."""
        self._pauses_ms = tuple(pauses_ms)

    def sound_began(self, at_ms: int, last_sound_ms: int | None) -> None:
        """The caller's sound: the turn's first one, or its next."""
        self.audio = None
        is_fresh = last_sound_ms is None or at_ms - last_sound_ms > FRESH_AFTER_MS
        if self._began_ms is None or (not self.words and is_fresh):
            self._began_ms = at_ms

    def set_back(self, by_ms: int) -> None:
        """See `Voicing.set_back`."""
        self._words_at_ms -= by_ms
        if self._began_ms is not None:
            self._began_ms -= by_ms

    def silence_ms(self, now_ms: int, last_sound_ms: int | None) -> int:
        """Of a caller who is quiet now. Words that no sound went before were spoken when they came, at the latest."""
        return max(0, now_ms - (self._words_at_ms if last_sound_ms is None else last_sound_ms))

    def check(self, now_ms: int, *, last_sound_ms: int | None, is_quiet: bool) -> PauseCheck:
        """Everything that is known now."""
        ended_ms = last_sound_ms if is_quiet and last_sound_ms is not None else now_ms
        began_ms = ended_ms if self._began_ms is None else self._began_ms
        return PauseCheck(
            audio=self.audio,
            text=self.text,
            words_are_final=self._is_final,
            words_age_ms=max(0, now_ms - self._words_at_ms),
            silence_ms=self.silence_ms(now_ms, last_sound_ms) if is_quiet else 0,
            turn_ms=max(0, ended_ms - began_ms),
            expectation=self.expectation,
            pauses_ms=self._pauses_ms,
        )
