"""PURE. When the caller's turn is over: the ear's belief, the recogniser's own end of turn, and the fixed pauses without both.

last sound ──least, held or learnt silence──► over, if p ≥ commit_p and the words are settled
           ──end_pause / unfinished_pause──► over, if no estimate came for estimate_stale_ms
           ──longest_pause──► over, whatever the ear believes
"""

from __future__ import annotations

from media_gateway.turns.ahead import Ahead
from media_gateway.turns.caller import Caller
from media_gateway.turns.types import Ms, TurnPolicy
from media_gateway.turns.words import looks_unfinished


class EndEvidence:
    """What speaks for the end of the present turn."""

    def __init__(self, policy: TurnPolicy) -> None:
        self._policy = policy
        self._p = 0.0
        """Of the words as they stand; 0 while there is no estimate for these."""
        self._estimated_at = Ms(-1_000_000)
        self._vendor_end_at: Ms | None = None

    def estimated(self, p: float, now: Ms) -> None:
        """The ear's belief, for the words as they stand."""
        self._p, self._estimated_at = p, now

    def vendor_ended(self, now: Ms) -> None:
        """The recogniser says so."""
        self._vendor_end_at = now

    def he_goes_on(self) -> None:
        """A sound, or other words: what was believed, was believed of less."""
        self._p, self._vendor_end_at = 0.0, None

    def pause_over_at(self, caller: Caller, *, since: Ms, learnt_ms: int, ahead: Ahead) -> Ms:
        """When the pause that began with the caller's last sound, or at `since`, ends his turn if nothing comes meanwhile."""
        policy = self._policy
        last = caller.last_sound if caller.last_sound is not None else since
        words = caller.words
        vendor_end_at = self._vendor_end_at
        is_settled = caller.is_settled or (vendor_end_at is not None and vendor_end_at >= last)
        if not words:
            if not (caller.awaits_words or caller.wants_question):
                return Ms(last + policy.end_pause_ms)
            # Where the ear was late, so are the words: the recogniser is asked for them only now.
            return Ms(max(last + policy.words_wait_ms, since + policy.end_pause_ms))
        pause_ms = policy.unfinished_pause_ms if looks_unfinished(words) else policy.end_pause_ms
        fixed_ms = pause_ms if is_settled else max(pause_ms, policy.words_wait_ms)
        stale_at = self._estimated_at + policy.estimate_stale_ms
        over = [
            max(last + fixed_ms, stale_at),
            last + max(policy.longest_pause_ms, pause_ms),
        ]
        believed_at = last + max(self._least_pause_ms(ahead), learnt_ms)
        # A final that is this late is taken for lost: the words count as they stand.
        settled_at = max(believed_at, last + (0 if is_settled else policy.final_wait_ms))
        if self._p >= policy.commit_p and settled_at <= stale_at:
            over.append(settled_at)
        elif vendor_end_at is not None:
            over.append(max(believed_at, stale_at))
        return Ms(min(over))

    def _least_pause_ms(self, ahead: Ahead) -> int:
        """No answer is there yet: asking for one now is what takes time. One is made: it is held until it could be ready."""
        is_at_once = ahead.has_opener and self._p >= self._policy.opener_p
        if not ahead.reply_id:
            return self._policy.least_pause_ms
        return self._policy.opener_pause_ms if is_at_once else self._policy.held_pause_ms

    def sound_over_at(self) -> Ms | None:
        """When words count as a whole turn though the ear still hears something (a television): the recogniser ended long ago."""
        if self._vendor_end_at is None:
            return None
        return Ms(self._vendor_end_at + self._policy.unfinished_pause_ms)
