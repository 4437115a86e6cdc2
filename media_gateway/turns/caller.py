"""PURE. What was heard of the caller and is not answered yet: his sounds, his words, and whether those are settled.

A recogniser is late and changes its mind. Words that were answered, or dismissed, before their final form came are *spent*:
when that form comes, only what it says beyond them is new.
"""

from __future__ import annotations

from media_gateway.turns.backchannels import urgent_in
from media_gateway.turns.types import Ms, TurnPolicy
from media_gateway.turns.unheard import Unheard
from media_gateway.turns.words import beyond, normalised


class Caller:
    """One caller's side of the call."""

    def __init__(self, policy: TurnPolicy) -> None:
        self._policy = policy
        self.is_speaking = False
        self.is_faint = False
        """The present sound, or the last one, was below his own level."""
        self.sound_began = Ms(0)
        self.last_sound: Ms | None = None
        self._unheard = Unheard(policy)
        self.awaits_words = False
        """A sound stopped and its final words have not come."""
        self.flush_at: Ms | None = None
        """When the recogniser is to be asked for them."""
        self._begins_anew = False
        """Since words were spent a sound came, after a silence in which their final form had its time."""
        self._first_sound: Ms | None = None
        self._is_by_words = False
        """No sound was heard to his words: they alone say when he spoke."""
        self._finals: list[str] = []
        self._interim = ""
        self._interim_at = Ms(0)
        self._final_at: Ms | None = None
        self._last_final: tuple[str, ...] = ()
        self._answered: list[str] = []
        self._spent = ""
        self._spent_until = Ms(0)
        self._is_spent_answered = False
        self._is_torn = False
        """What he is saying began on a stream that is lost: half a sentence is answered wrongly."""

    # --- what can be asked -------------------------------------------------------------------

    @property
    def words(self) -> str:
        """What no reply has answered."""
        return " ".join(part for part in (*self._finals, self._interim) if part)

    @property
    def answered(self) -> str:
        """What the present reply answers."""
        spent = self._spent if self._is_spent_answered else ""
        return " ".join(part for part in (*self._answered, spent) if part)

    @property
    def wants_floor(self) -> bool:
        """A sound of his own goes on; a faint one counts once it has words."""
        return self.is_speaking and (not self.is_faint or bool(self.words))

    @property
    def is_settled(self) -> bool:
        """The recogniser has given what it heard up to the last sound."""
        if not self.awaits_words:
            return True
        last_sound = self.last_sound or 0
        return bool(self._interim) and self._interim_at >= last_sound + self._policy.words_lag_ms

    @property
    def wants_question(self) -> bool:
        """No word came of what he said, and that is to be asked about."""
        return not self.words and self._unheard.wants_question(was_answered=not self.awaits_words)

    @property
    def awaits_rest(self) -> bool:
        """Words were answered before their final form came."""
        return self._is_spent_answered and bool(self._spent)

    def says_more(self, text: str, *, is_final: bool, now: Ms) -> bool:
        """Whether a text says what the present answer does not know, or, when final, knew otherwise."""
        self._expire(now, is_final=is_final)
        text = self._whole(text)
        if is_final and self._is_said_twice(text):
            return False
        if not is_final or not self._spent:
            return bool(normalised(self._beyond_spent(text)))
        final, spent = normalised(text), normalised(self._spent)
        return final != spent[: len(final)]

    # --- sounds ------------------------------------------------------------------------------

    def sound_started(self, at: Ms, *, is_faint: bool) -> None:
        """A sound began, or one that was faint has come up to his own level."""
        if not self.is_speaking and not self.awaits_words:
            self._is_torn = False  # a new sentence, whole
        silent_ms = 0 if self.last_sound is None else at - self.last_sound
        self._begins_anew = silent_ms >= self._policy.final_wait_ms
        self.is_faint = is_faint and (self.is_faint or not self.is_speaking)
        self.is_speaking = True
        self._is_by_words = False
        self._last_final = ()
        self.flush_at = None
        self.sound_began = self.last_sound = at
        if self._first_sound is None:
            self._first_sound = at

    def sound_stopped(self, at: Ms, now: Ms) -> None:
        """The last sound was at `at`."""
        self.is_speaking = False
        self.last_sound = at
        self._unheard.sound(max(0, at - self.sound_began), is_faint=self.is_faint)
        heard_until = None if self._final_at is None else self._final_at - self._policy.words_lag_ms
        self.awaits_words = heard_until is None or heard_until < at
        self.flush_at = Ms(max(now, at + self._policy.flush_after_ms))

    def speaks_by_words(self, now: Ms) -> None:
        """Words came and no sound to them."""
        self.last_sound = now
        self._is_by_words = True
        self.is_faint = False
        self.awaits_words = bool(self._interim)

    def is_cut(self) -> None:
        """Whatever still sounds is no reason to wait any longer."""
        self.is_speaking = self.awaits_words = False

    # --- words -------------------------------------------------------------------------------

    def interim(self, text: str, now: Ms) -> None:
        """The present span's unfinished words; they replace the ones before."""
        self._expire(now, is_final=False)
        before = normalised(self._interim)
        self._interim = self._beyond_spent(self._whole(text))
        self._interim_at = now
        if self._is_by_words and normalised(self._interim) != before:
            self.last_sound = now
            self.awaits_words = bool(self._interim)

    def final(self, text: str, now: Ms) -> None:
        """The present span's finished words; empty when there is nothing to finish."""
        self._expire(now, is_final=True)
        text = self._whole(text)
        is_twice = self._is_said_twice(text)
        self._interim = ""
        self._final_at = now
        if not self.is_speaking:
            self.awaits_words = self._is_torn = False
        if is_twice:
            return
        self._last_final = normalised(text) or self._last_final
        if self._spent:
            text = self._confirm(text)
        if normalised(text):  # a hesitation by itself is no word
            self._finals.append(text)
            if self._is_by_words:
                self.last_sound = now

    def recogniser_lost(self) -> None:
        """Words that were never finished count as they stood: the stream that follows does not know them."""
        if self._interim:
            self._finals.append(self._interim)
            self._interim = ""
        self._confirm("")
        if self.words and not self.is_speaking:
            self.awaits_words = False  # without a word it is still to be asked what he said

    def drop_torn_words(self) -> None:
        """A resume line begins, and asks anew for whatever was being said when the stream before was lost."""
        if self._first_sound is not None and self._first_sound < self._policy.torn_before_ms:
            self._is_torn = self.is_speaking or self.awaits_words
            self._finals, self._interim = [], ""

    # --- what becomes of them ----------------------------------------------------------------

    def answer(self, now: Ms) -> None:
        """The unanswered words are what the next reply answers."""
        self.forget_answered()
        if self.words:
            self._unheard.understood()
        self._answered = self._finals
        self._spend(now, is_answered=True)

    def dismiss(self, now: Ms) -> None:
        """The unanswered words were nothing that wants an answer."""
        if self._interim and self._is_spent_answered:
            self._confirm("")
        self._spend(now, is_answered=False)

    def take_back(self) -> None:
        """The answer was not heard: its words and what he says now are one turn."""
        if self._spent and self._is_spent_answered:
            self._interim = " ".join(part for part in (self._spent, self._interim) if part)
            self._spent = ""
        self._finals = [*self._answered, *self._finals]
        self._answered = []

    def forget_answered(self) -> None:
        """The next reply answers no words of his."""
        self._is_spent_answered = False
        self._answered = []

    def forget_spent(self) -> None:
        """What he says from here on is new, also where it repeats what was spent."""
        self._confirm("")
        self._unheard.forget()

    def is_asked_about(self) -> None:
        """He is asked what he said."""
        self._unheard.asked()

    def _spend(self, now: Ms, *, is_answered: bool) -> None:
        if self._interim or not self._spent:
            self._spent, self._is_spent_answered = self._interim, is_answered
            self._spent_until = Ms(now + self._policy.words_wait_ms)
        self._finals, self._interim = [], ""
        self.awaits_words = self._begins_anew = False
        self._unheard.forget()

    def _confirm(self, text: str) -> str:
        """The final form of spent words came; what it says beyond them."""
        more = self._beyond_spent(text)
        rest = beyond(text, self._spent) if not more and text else ""
        if self._is_spent_answered and self._spent:
            self._answered.append(self._spent if more or not text else text)
        self._spent = rest
        return more

    def _beyond_spent(self, text: str) -> str:
        """What a text says that the spent words do not.

        All of it where a "no" or a "stop" would be lost: "don't call me" is no later form of "you can call me".
        """
        more = beyond(self._spent, text)
        return more if urgent_in(text) <= urgent_in(self._spent) | urgent_in(more) else text

    def _expire(self, now: Ms, *, is_final: bool) -> None:
        """Take the final form of spent words for lost: it is too late, or words of another sound begin."""
        is_other = self._begins_anew and not is_final
        if self._spent and (is_other or now >= self._spent_until):
            self._confirm("")

    def _whole(self, text: str) -> str:
        return "" if self._is_torn else text.strip()

    def _is_said_twice(self, text: str) -> bool:
        """One utterance that the recogniser finishes twice is one; a digit said twice is two."""
        words = normalised(text)
        return (
            len(words) > 1
            and words == self._last_final
            and not self.is_speaking
            and not self.awaits_words
            and not any(word.isdigit() for word in words)
        )
